"""Files are the same to the byte whether libyaml writes them or Python does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest
import yaml

from alerts.deployment import Deployment
from alerts.rules_file import dump, rules_yaml

PARTS = (
    *"ab01 :#-?!&*|>'\"%@`{}[],.~=<\\\t\r\n\0\x7f\x85\xa0\ufeff\u2028é本😀",
    *("null", "yes", "1e3", "0x1", "---", "...", ": ", " #", "\n\n", "\n ", " \n"),
)


class _Reference(yaml.SafeDumper):
    """PyYAML's own writer, with text of several lines as blocks."""


_Reference.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)
)


def _reference(document: object) -> str:
    return yaml.dump(document, Dumper=_Reference, sort_keys=False, width=2**31 - 1, allow_unicode=True)


def _texts() -> Iterator[str]:
    yield ""
    yield from (f"{first}{second}" for first in PARTS for second in PARTS)
    yield from (f"a{part}b{part}" for part in PARTS)
    yield from ("it's: long " * 2_000, "long\n" * 2_000, "x" * 200)


def _documents(text: str) -> Iterator[Mapping[str, object]]:
    yield {"k": text}
    yield {text: [text]}
    yield {"k": [{"k": text}, text, 1.5, None]}


def test_every_text_is_written_as_python_writes_it() -> None:
    documents = [document for text in _texts() for document in _documents(text)]

    assert [document for document in documents if dump(document) != _reference(document)] == []


def test_no_line_is_folded() -> None:
    assert len(dump({"expr": "sum by (issuer) (rate(a[5m])) / " * 1_000}).splitlines()) == 1


def test_what_is_shared_is_written_as_an_alias_in_both() -> None:
    shared = {"a": 1}

    assert dump([shared, shared]) == _reference([shared, shared])


@pytest.mark.process
def test_without_libyaml_the_files_are_the_same(deployment: Deployment) -> None:
    text = dump(yaml.safe_load(rules_yaml(deployment)))
    program = (
        "import sys\n"
        "sys.modules['yaml._yaml'] = None\n"  # as where PyYAML was built without libyaml
        "import yaml\n"
        "from alerts.rules_file import dump\n"
        "assert not yaml.__with_libyaml__\n"
        "sys.stdout.write(dump(yaml.safe_load(sys.stdin.read())))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], input=text, check=False, capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.stderr) == (text, "")
