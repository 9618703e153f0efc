"""The table is read strictly: what is wrong is named with its row and its field."""

from __future__ import annotations

import re

import pytest

from drills.verifiers import TABLE, Anchor, TableError, VerifierClass, Word, parse_verifiers, verifiers

GOOD = """
mine:
  product: A gateway of ours
  class: B
  ttl: 600
  unknown_kid: refetch
  cooldown: 30
  anchor: last_success
  on_fetch_error: keep
  version: "1.2"
  source: its documentation
  evidence: [D]
"""


def test_a_row_is_read_with_its_defaults() -> None:
    row = parse_verifiers(GOOD, "table.yaml")["mine"]

    assert (row.class_, row.ttl, row.cooldown, row.anchor) == (VerifierClass.B, 600, 30, Anchor.LAST_SUCCESS)
    assert (row.leeway, row.keeps_for, row.headers) == (Word.UNKNOWN, Word.NEVER, None)


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("ttl: 600", "ttl: 10 minutes", "ttl"),
        ("ttl: 600", "ttl: -1", "ttl"),
        ("ttl: 600", "ttl: .inf", "ttl"),
        ("ttl: 600", "ttl: true", "ttl"),
        ("ttl: 600", "ttl: max-age", "headers: ttl: max-age needs them"),
        ("ttl: 600", "ttl: 600\n  headers: {maximum: 5}", "headers"),
        ("ttl: 600", "ttl: 600\n  colour: red", "colour"),
        ("  product: A gateway of ours\n", "", "product"),
        ("class: B", "class: F", "class"),
        ("class: B", "class: D", "headers: class D reads headers"),
        ("class: B", "class: C", "unknown_kid: classes C and E do not refetch"),
        ("class: B", "class: E", "ttl: class E keeps its keys: never"),
        ("cooldown: 30", "cooldown: 0", "cooldown: class B has a cooldown"),
        ("  anchor: last_success\n", "", "anchor: a cooldown and what it counts from belong together"),
        ("unknown_kid: refetch", "unknown_kid: deny", "unknown_kid: classes A and B refetch"),
        ("evidence: [D]", "evidence: []", "evidence"),
        ("evidence: [D]", "evidence: [D]\n  keeps_for: unknown\n  on_fetch_error: deny", "keeps_for"),
    ],
)
def test_a_mistake_is_named_with_its_row_and_its_field(old: str, new: str, field: str) -> None:
    with pytest.raises(TableError) as caught:
        parse_verifiers(GOOD.replace(old, new), "table.yaml")

    assert f"table.yaml: mine: {field}" in str(caught.value)


@pytest.mark.parametrize("text", ["- one", "mine: text", "mine: [", "5: {}"])
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(TableError, match=r"^table\.yaml: "):
        parse_verifiers(text, "table.yaml")


def test_no_object_of_python_is_made_from_a_table() -> None:
    with pytest.raises(TableError):
        parse_verifiers("mine: !!python/object/apply:os.getcwd []", "table.yaml")


def test_no_name_stands_in_the_table_twice() -> None:
    names = re.findall(r"^([^#\s].*):$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)

    assert names == list(verifiers())


def test_every_class_and_every_named_example_has_a_row() -> None:
    assert {row.class_ for row in verifiers().values()} == set(VerifierClass)
    assert {"envoy-jwt-authn", "spring-nimbus", "kube-apiserver"} <= set(verifiers())
