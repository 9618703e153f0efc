"""Results as JSON, JUnit XML and text."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from rich.console import Console

from exporters.report import exit_code, junit, print_report, results_json
from probes.model import Artifact, Finding, ProbeResult, Reason, Severity, Stage

if TYPE_CHECKING:
    from tests.exporters.conftest import Make

FINDING = Finding("ROT-08", Severity.WARNING, "max-age is 30 s", "RFC 9111 section 5.2.2.1", Reason.JWKS_INVALID)
HOSTILE = "\x1b[2J[bold]gone[/bold] <script>]]>\x00"


def text(*results: ProbeResult) -> str:
    out = io.StringIO()
    print_report(results, Console(file=out, width=120, force_terminal=False))
    return out.getvalue()


def test_json_has_the_promised_keys(make: Make) -> None:
    result = make.result(reason=Reason.SERVER_ERROR, findings=(FINDING,))

    (document,) = json.loads(json.dumps(results_json([result])))

    promised = {"check", "region", "ok", "stage", "reason", "detail", "seconds", "steps", "findings"}
    assert promised <= document.keys()
    assert document["check"] == "acme/portal/login"
    assert (document["ok"], document["stage"], document["reason"]) == (False, "token", "server_error")
    step = document["steps"][0]
    assert (step["name"], step["seconds"], step["ok"]) == ("authorize", 0.3, True)
    assert isinstance(step["attributes"], dict)
    assert document["findings"] == [
        {
            "id": "ROT-08",
            "severity": "warning",
            "message": "max-age is 30 s",
            "citation": "RFC 9111 section 5.2.2.1",
        }
    ]


def test_json_of_a_good_run_has_nulls_and_no_bytes_of_artifacts(make: Make) -> None:
    result = make.result(artifacts=(Artifact("page.png", "image/png", b"bytes"),))

    (document,) = results_json([result])

    assert [document[key] for key in ("ok", "stage", "reason", "detail")] == [True, None, None, None]
    assert document["artifacts"] == ["page.png"]


def test_the_exit_code_tells_a_failed_check_from_a_broken_probe(make: Make) -> None:
    good, bad = make.result(), make.result(reason=Reason.TIMEOUT)
    broken = make.result(reason=Reason.PROBE_ERROR)

    assert [exit_code(results) for results in ([good], [good, bad], [good, broken], [bad, broken])] == [0, 1, 3, 1]


def test_junit_names_reason_stage_owner_and_runbook(make: Make) -> None:
    result = make.result(reason=Reason.SERVER_ERROR, findings=(FINDING,))

    root = ElementTree.fromstring(junit([make.result(region="us"), result]))  # noqa: S314 - our own output

    assert [suite.attrib["name"] for suite in root] == ["oidcwatch.us", "oidcwatch.eu"]
    suite = root[1]
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("1", "1", "0")
    properties = {node.attrib["name"]: node.attrib["value"] for node in suite.iter("property")}
    assert properties["reason"] == "server_error"
    assert properties["stage"] == "token"
    assert properties["owner"] == "identity provider"
    assert properties["runbook"] == "idp-03"
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.attrib["message"] == "token: the provider answered 503"
    assert "ROT-08" in (suite.findtext("testcase/system-out") or "")


def test_a_broken_probe_is_an_error_in_junit(make: Make) -> None:
    root = ElementTree.fromstring(junit([make.result(reason=Reason.PROBE_ERROR, stage=Stage.PROBE)]))  # noqa: S314 - our own output

    assert (root[0].attrib["failures"], root[0].attrib["errors"]) == ("0", "1")
    assert root.find("testsuite/testcase/error") is not None


def test_junit_stays_well_formed_whatever_a_provider_sends(make: Make) -> None:
    root = ElementTree.fromstring(junit([make.result(reason=Reason.BAD_RESPONSE, detail=HOSTILE)]))  # noqa: S314 - our own output

    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert "<script>]]>" in failure.attrib["message"]


def test_the_text_report_says_what_to_do_about_a_failure(make: Make) -> None:
    report = text(make.result(), make.result(reason=Reason.SERVER_ERROR, findings=(FINDING,)))

    assert "acme/portal/login" in report
    assert "The provider answered 5xx or server_error." in report
    assert "owner    identity provider" in report
    assert "confirm  The provider's error log" in report
    assert "warning ROT-08: max-age is 30 s" in report


def test_the_text_report_calls_a_run_that_is_no_evidence_excluded(make: Make) -> None:
    report = text(make.result(reason=Reason.PROBE_ERROR))

    assert re.search(r"acme/portal/login +eu +excluded +token +probe_error", report)


def test_the_text_report_gives_a_provider_no_control_of_the_terminal(make: Make) -> None:
    report = text(make.result(reason=Reason.BAD_RESPONSE, detail=HOSTILE))

    assert "\x1b" not in report
    assert "[bold]gone[/bold]" in report


def test_the_issuers_own_team_is_named_where_the_provider_is_to_blame(make: Make) -> None:
    result = make.result(reason=Reason.SERVER_ERROR)
    owned = replace(result, check=replace(result.check, issuer=replace(result.check.issuer, owner="identity-platform")))

    (document,) = results_json([owned])

    assert document["owner"] == "identity provider (identity-platform)"
    assert document["what_to_do"]
