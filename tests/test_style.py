"""What a reader of the code may rely on: small files and functions, a sentence at the top, reasons for exceptions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("oidcwatch", "probes", "exporters", "alerts", "dashboards", "runbooks", "drills", "sandbox")
CODE = (*PACKAGES, "tests", "benchmarks")
TEXTS = (*CODE, "examples", "deploy", "docs", ".ci")
SUFFIXES = frozenset({".py", ".md", ".yaml", ".yml", ".toml", ".json", ".mjs", ".j2", ".html", ".css", ".sh", ""})
GENERATED = frozenset({"node_modules", "__pycache__"})

FILE_LINES, MOST_FILE_LINES, FUNCTION_LINES = 400, 300, 60
FEW = 0.05
"""Share of the files that may be longer than most."""

# An exception from a rule names the rule, and says why on the same line.
_EXCEPTION = re.compile(r"#\s*(noqa|type:\s*ignore)\b")
_REASONED = re.compile(r"#\s*(noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*\s+\S.{4,}|type:\s*ignore\[[a-z,-]+\]\s+#\s*\S)")
_MACHINE = re.compile(r"(?<![\w.])/(work|root|home|Users)/\w")


def test_every_file_begins_with_a_sentence_about_itself(root: Path) -> None:
    silent = [str(file.relative_to(root)) for file in _files(root, CODE, {".py"}) if not ast.get_docstring(_tree(file))]

    assert silent == []


def test_no_file_is_too_long(root: Path) -> None:
    long = [
        f"{file.relative_to(root)}: {_lines(file)} lines"
        for file in _files(root, CODE, {".py"})
        if _lines(file) > FILE_LINES
    ]

    assert long == []


def test_most_files_are_short(root: Path) -> None:
    files = list(_files(root, CODE, {".py"}))

    long = [f"{file.relative_to(root)}: {_lines(file)} lines" for file in files if _lines(file) > MOST_FILE_LINES]

    assert len(long) <= FEW * len(files), "\n".join(long)


def test_every_function_fits_on_a_screen(root: Path) -> None:
    long = [
        f"{file.relative_to(root)}:{node.lineno} {node.name}: {length} lines"
        for file in _files(root, CODE, {".py"})
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    ]

    assert long == []


def test_every_exception_from_a_lint_rule_says_why(root: Path) -> None:
    bare = [
        f"{file.relative_to(root)}:{number}: {line.strip()}"
        for file in _files(root, CODE, {".py"})
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if _EXCEPTION.search(line) and not _REASONED.search(line)
    ]

    assert bare == []


def test_every_rule_that_the_project_ignores_says_why(root: Path) -> None:
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    tables = re.findall(
        r"^ignore = \[\n(.*?)^\]|^\[tool\.ruff\.lint\.per-file-ignores\]\n(.*?)^(?:\[|$)",
        text,
        re.MULTILINE | re.DOTALL,
    )

    lines = [line for pair in tables for line in "".join(pair).splitlines() if line.strip()]

    assert lines
    assert [line for line in lines if "#" not in line] == []


def test_no_file_knows_the_machine_that_it_was_written_on(root: Path) -> None:
    found = [
        f"{file.relative_to(root)}:{number}: {line.strip()[:100]}"
        for file in (*_files(root, TEXTS, SUFFIXES), *_top_level(root))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if _MACHINE.search(line)
    ]

    assert found == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_tells_type_checkers_that_it_is_typed(root: Path, package: str) -> None:
    assert (root / package / "py.typed").is_file()


def _files(root: Path, folders: tuple[str, ...], suffixes: set[str] | frozenset[str]) -> Iterator[Path]:
    for folder in folders:
        for file in sorted((root / folder).rglob("*")):
            if file.is_file() and file.suffix in suffixes and not GENERATED & set(file.parts):
                yield file


def _top_level(root: Path) -> Iterator[Path]:
    return (
        file
        for file in root.iterdir()
        if file.is_file() and not file.name.startswith(".git") and file.suffix in SUFFIXES
    )


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())
