"""`oidcwatch drill run` as a process: what passes, what fails, what is stopped or killed, and what is left behind."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from oidcwatch.drill_result import Ending

pytestmark = pytest.mark.process

SHORT = ("--ttl", "6s", "--cooldown", "2s", "--poll", "500ms")


def signing(configured: Any) -> tuple[str, list[str]]:
    """The key that signs access tokens, and those that are published."""
    keys = configured.sandbox.control.keys()["RS256"]
    return keys["active"], keys["published"]


def test_a_drill_on_the_sandbox_prints_what_was_predicted_and_observed(site: Any) -> None:
    code, out, err = site.run(
        "run", "zero-lead", "--sandbox", "--verifier", "pyjwt", "--verifier", "go-oidc", *SHORT, "--json"
    )

    told = json.loads(out)
    assert (code, told["scenario"], told["verdict"]) == (Ending.PASSED, "zero-lead", "pass"), err
    assert [each["name"] for each in told["verifiers"]] == ["pyjwt", "go-oidc"]
    for each in told["verifiers"]:
        assert {"version", "predicted", "observed"} <= each.keys()
        assert isinstance(each["observed"]["accept"], float)
    assert {"expected", "fired", "missing", "unexpected"} <= told["alerts"].keys()
    assert {file.name for file in (site.labs / told["id"]).glob("report.*")} == {
        "report.html",
        "report.md",
        "report.json",
    }
    assert "phase: observe" in err


def test_a_verifier_that_is_wired_wrongly_fails_the_drill_and_is_named(site: Any) -> None:
    options = ("--verifier", "pyjwt", "--stand-in", "pyjwt=static-keys", "--longest", "6s", *SHORT)

    code, out, err = site.run("run", "zero-lead", "--sandbox", *options)

    assert code == Ending.FAILED, err
    assert "\nFailed: pyjwt" in out
    assert [row["verdict"] for row in site.records(site.labs)] == ["fail"]


def test_an_interrupt_rolls_back_before_the_drill_ends(configured: Any) -> None:
    before = signing(configured)
    drill = configured.start("run", "early-removal", "--issuer", "staging", "--yes", *SHORT)
    drill.until("phase: observe")
    assert signing(configured)[0] != before[0]

    drill.process.send_signal(signal.SIGINT)
    drill.process.send_signal(signal.SIGINT)
    code, out = drill.end()

    assert code == Ending.ABORTED, drill.told()
    assert signing(configured)[0] == before[0]
    assert before[0] in signing(configured)[1]
    assert "Aborted: it was stopped." in out
    assert "stopping: what was changed is rolled back" in drill.told()
    assert [row["verdict"] for row in configured.records(configured.kept)] == ["aborted"]


def test_a_provider_that_does_not_answer_is_told_and_nothing_is_kept(configured: Any) -> None:
    text = (configured.folder / "oidcwatch.yaml").read_text()
    (configured.folder / "oidcwatch.yaml").write_text(text.replace(configured.sandbox.issuer, "https://127.0.0.1:9"))

    code, out, err = configured.run("run", "zero-lead", "--issuer", "staging", "--yes", "--json")

    assert code == Ending.NOT_RUN
    assert json.loads(out)["verdict"] is None
    assert err.startswith("oidcwatch: ")
    assert not configured.kept.exists()


def test_a_game_day_on_a_schedule_leaves_a_line_and_a_report_and_ends_when_it_is_stopped(configured: Any) -> None:
    options = ("--verifier", "go-oidc", "--emulate", "go-oidc", "--every", "day", "--page", "127.0.0.1:0", "--yes")
    drill = configured.start("run", "zero-lead", "--issuer", "staging", *options, *SHORT)
    drill.until("phase: report")

    drill.process.send_signal(signal.SIGTERM)
    code, out = drill.end()

    (told,) = configured.records(configured.kept)
    assert code == Ending.PASSED, drill.told()
    assert f"zero-lead: pass: {told['because'][0]}" in out
    assert f"{told['id']}/report.html)" in out
    assert " shows the drill" in drill.told()
