"""`oidcwatch demo` and `doctor` from outside."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.process

REGIONS = {"eu-west", "us-east", "ap-south"}
KINDS = {"discovery", "jwks", "client_credentials", "login", "refresh"}


def test_the_demo_succeeds_with_every_kind_of_probe_from_every_region(bench: Any) -> None:
    done = bench.run("demo", "--for", "25s", "--json", "--port", "0")

    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["checks"]
    assert {(row["check"].rsplit("/", 1)[1], row["region"]) for row in rows} == {
        (kind, region) for kind in KINDS for region in REGIONS
    }
    assert all(row["runs"] >= row["successes"] >= 1 for row in rows)
    assert all(row["last_reason"] is None for row in rows)
    assert all(0 < row["p50"] <= row["p95"] for row in rows)


def test_the_demo_refuses_a_duration_that_is_none(bench: Any) -> None:
    done = bench.run("demo", "--for", "soon")

    assert done.returncode == 2
    assert "90s" in done.stderr


def test_the_doctor_is_content_with_this_machine(bench: Any) -> None:
    config = bench.write(bench.document("discovery", "login"))

    done = bench.run("doctor", "-c", str(config), "--json")

    found = {entry["name"]: entry for entry in json.loads(done.stdout)}
    assert done.returncode == 0, found
    assert {"python", "packages", "browser", "data_dir", "listen"} <= found.keys()


def test_the_doctor_names_a_missing_secret_and_how_to_mend_it(bench: Any) -> None:
    document = bench.document("client_credentials")
    document["issuers"][0]["clients"][0]["auth"]["secret"] = {"env": "NOT_SET_ANYWHERE"}

    done = bench.run("doctor", "-c", str(bench.write(document)))

    assert done.returncode == 1
    assert "NOT_SET_ANYWHERE" in done.stdout
    assert "try:" in done.stdout


def test_the_doctor_misses_a_configuration_that_was_named(bench: Any) -> None:
    done = bench.run("doctor", "-c", str(bench.folder / "typo.yaml"))

    assert done.returncode == 1
    assert "typo.yaml does not exist" in done.stdout


def test_the_doctor_never_shows_a_secret(bench: Any) -> None:
    config = bench.write(bench.document("discovery", "login", "client_credentials"))

    done = bench.run("doctor", "-c", str(config))

    assert not [value for value in bench.sandbox.environ.values() if value in done.stdout + done.stderr]
