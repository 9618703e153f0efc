"""The generated reference says what the tables say, and every link leads somewhere."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from exporters.metrics import METRICS
from exporters.slis import SLIS
from oidcwatch import documentation
from oidcwatch.cli import make_app
from oidcwatch.documentation_commands import command_names
from oidcwatch.documentation_markdown import anchor_of
from oidcwatch.documentation_pages import all_checks
from probes.reasons import ROWS
from probes.registry import PROBES

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ANCHOR = re.compile(r'<a id="([^"]+)"></a>')
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A copy of what the generator reads and writes."""
    shutil.copy(root / documentation.README, tmp_path)
    shutil.copytree(root / documentation.REFERENCE, tmp_path / documentation.REFERENCE)
    return tmp_path


def test_the_reference_and_the_catalogue_are_current(root: Path) -> None:
    assert documentation.stale(root) == [], f"run: {documentation.COMMAND}"


def test_no_page_is_left_from_a_table_that_is_gone(root: Path) -> None:
    kept = {path.name for path in (root / documentation.REFERENCE).iterdir()}

    assert kept == {f"{page.name}.md" for page in documentation.PAGES}


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("commands", command_names()),
        ("probes", tuple(PROBES)),
        ("checks", tuple(check.id for check in all_checks())),
        ("reasons", tuple(row.reason for row in ROWS)),
        ("slis", tuple(sli.name for sli in SLIS)),
        ("metrics", tuple(metric.name for metric in METRICS)),
    ],
)
def test_every_entry_is_linked_from_the_readme(root: Path, page: str, names: tuple[str, ...]) -> None:
    links = set(_LINK.findall((root / "README.md").read_text(encoding="utf-8")))

    assert [name for name in names if f"docs/reference/{page}.md#{anchor_of(name)}" not in links] == []


def test_every_link_between_the_pages_leads_somewhere(root: Path) -> None:
    pages = [*root.glob("*.md"), *(root / "docs").rglob("*.md")]

    broken = [f"{page.relative_to(root)}: {target}" for page in pages for target in _broken(page)]

    assert broken == []


def test_a_changed_page_is_named_with_the_command_that_mends_it(checkout: Path) -> None:
    page = checkout / documentation.REFERENCE / "reasons.md"
    page.write_text("old")

    done = CliRunner().invoke(make_app(), ["docs", "--check", "--root", str(checkout)])

    assert done.exit_code == 1
    assert done.stdout == "docs/reference/reasons.md is not current\n"
    assert done.stderr == "run: python -m oidcwatch docs --write\n"


def test_writing_mends_what_is_stale_and_nothing_else(checkout: Path) -> None:
    (checkout / documentation.REFERENCE / "reasons.md").unlink()

    done = CliRunner().invoke(make_app(), ["docs", "--write", "--root", str(checkout)])

    assert done.exit_code == 0
    assert done.stdout == "docs/reference/reasons.md written\n"
    assert documentation.stale(checkout) == []


def test_a_readme_without_a_place_for_the_catalogue_is_refused(checkout: Path) -> None:
    (checkout / "README.md").write_text("# oidcwatch\n")

    done = CliRunner().invoke(make_app(), ["docs", "--check", "--root", str(checkout)])

    assert done.exit_code == 2
    assert "README.md has no lines" in done.stderr


def test_text_around_the_catalogue_is_kept() -> None:
    readme = f"before\n{documentation.BEGIN}\nold\n{documentation.END}\nafter\n"

    written = documentation.with_catalogue(readme)

    assert written.startswith(f"before\n{documentation.BEGIN}\n\n**[Commands]")
    assert written.endswith(f"\n\n{documentation.END}\nafter\n")
    assert "old" not in written


def _broken(page: Path) -> Iterator[str]:
    for target in _LINK.findall(_prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, fragment = target.partition("#")
        other = (page.parent / name) if name else page
        if not other.exists() or (fragment and fragment not in _anchors(other)):
            yield target


def _anchors(page: Path) -> set[str]:
    """Explicit anchors, and those that GitHub gives to headings."""
    text = _prose(page)
    headings = (re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in _HEADING.findall(text))
    return {*_ANCHOR.findall(text), *(heading.replace(" ", "-") for heading in headings)}


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
