"""`oidcwatch drill verifiers` shows the table, and a configuration is held against it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from drills.verifiers import verifiers
from oidcwatch.cli import make_app
from oidcwatch.config import ConfigError, load

ISSUER = "issuers: [{name: acme, url: https://login.acme.example, verifiers: [%s]}]\n"


def shown(*arguments: str) -> Result:
    return CliRunner().invoke(make_app(), ["drill", "verifiers", *arguments])


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "oidcwatch.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    return [f"{problem.line}: {problem.path}: {problem.message}" for problem in caught.value.problems]


def test_every_row_is_listed() -> None:
    names = [line.split()[0] for line in shown().stdout.splitlines()[1:]]

    assert names == list(verifiers())


def test_every_row_is_in_the_json() -> None:
    rows = json.loads(shown("--json").stdout)

    assert [row["name"] for row in rows] == list(verifiers())
    assert {"class", "ttl", "cooldown", "anchor", "source", "version", "evidence"} <= set(rows[0])


def test_one_row_tells_where_it_is_known_from() -> None:
    text = shown("kube-apiserver").stdout

    assert "https://github.com/kubernetes/kubernetes/issues/139769" in text
    assert "source code read at the version named, an issue thread" in text


def test_one_row_in_json_is_an_object() -> None:
    row = json.loads(shown("envoy-jwt-authn", "--json").stdout)

    assert (row["class"], row["ttl"], row["per"]) == ("C", 600, "thread")


def test_a_row_that_is_not_there_is_refused_with_the_nearest() -> None:
    done = shown("envoy-jwt")

    assert done.exit_code == 2
    assert done.stderr == (
        "oidcwatch: 'envoy-jwt' is not a verifier of the table (did you mean 'envoy-jwt-authn'?); "
        "see oidcwatch drill verifiers\n"
    )


def test_an_issuer_with_an_unknown_verifier_is_refused_with_the_nearest(tmp_path: Path) -> None:
    assert problems(tmp_path, ISSUER % "jose, spring-nimbuss") == [
        (
            "1: issuers[0].verifiers[1]: 'spring-nimbuss' is not a known verifier (did you mean 'spring-nimbus'?); "
            "see oidcwatch drill verifiers"
        )
    ]


def test_a_verifier_like_none_of_the_table_is_refused(tmp_path: Path) -> None:
    own = "verifiers: [{name: ours, like: envoi-jwt-authn}]\n"

    assert problems(tmp_path, ISSUER % "ours" + own) == [
        (
            "2: verifiers[0].like: 'envoi-jwt-authn' is not a known verifier (did you mean 'envoy-jwt-authn'?); "
            "see oidcwatch drill verifiers"
        )
    ]


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ("like: static-keys, ttl: 5m", "ttl: does not go with a row like static-keys: class E keeps its keys: never"),
        ("like: jose, cooldown: 0s", "cooldown: does not go with a row like jose: class B has a cooldown"),
        (
            "like: go-oidc, cooldown: 30s",
            "cooldown: does not go with a row like go-oidc: a cooldown and what it counts from belong together",
        ),
    ],
)
def test_a_setting_that_its_row_cannot_have_is_refused(tmp_path: Path, own: str, problem: str) -> None:
    text = ISSUER % "ours" + f"verifiers: [{{name: ours, {own}}}]\n"

    assert f"2: verifiers[0].{problem}" in problems(tmp_path, text)


@pytest.mark.parametrize("own", ["5", "{like: 5}", "[ours]", "{name: ours, like: jose, ttl: soon}", "{name: ours}"])
def test_what_has_the_wrong_shape_is_told_and_stops_no_other_rule(tmp_path: Path, own: str) -> None:
    found = problems(tmp_path, ISSUER % "josé" + f"verifiers: [{own}]\n")

    assert any(problem.startswith("1: issuers[0].verifiers[0]: ") for problem in found)
    assert any(problem.startswith("2: verifiers[0]") for problem in found)


def test_a_name_that_is_described_twice_is_refused(tmp_path: Path) -> None:
    own = "verifiers:\n  - {name: ours, like: jose}\n  - {name: ours, like: jose}\n"

    assert problems(tmp_path, ISSUER % "ours" + own) == [
        f"4: verifiers[1].name: the name 'ours' is already used at {tmp_path / 'oidcwatch.yaml'}:3:6"
    ]
