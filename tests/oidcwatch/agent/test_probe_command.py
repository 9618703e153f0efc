"""`oidcwatch probe` and `check` from outside: results, formats, exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import Any
from xml.etree import ElementTree

import pytest

pytestmark = pytest.mark.process


def test_all_is_well_exits_with_zero(bench: Any) -> None:
    code, results = bench.probe(bench.document("discovery", "jwks", "client_credentials"))

    assert code == 0
    assert [result["check"] for result in results] == [
        "sandbox//discovery", "sandbox//jwks", "sandbox/machine/client_credentials",
    ]  # fmt: skip
    assert all(result["ok"] and result["reason"] is None for result in results)


def test_a_login_reports_each_protocol_step_once_and_in_order(bench: Any) -> None:
    _, [result] = bench.probe(bench.document("login", every="20s"))

    assert result["ok"], result
    names = [step["name"] for step in result["steps"]]
    assert [name for name in names if name not in ("consent", "otp")] == [
        "discovery", "authorize", "login_form", "callback", "token", "jwks", "id_token", "userinfo", "logout",
    ]  # fmt: skip


def test_a_failed_check_exits_with_one_and_says_where_and_why(bench: Any) -> None:
    bench.sandbox.control.fault("discovery-wrong-issuer")

    code, [result] = bench.probe(bench.document("discovery"))

    assert code == 1
    assert (result["stage"], result["reason"]) == ("discovery", "issuer_mismatch")
    assert any(finding["id"] == "DISC-02" for finding in result["findings"])


def test_a_broken_probe_alone_exits_with_three(bench: Any) -> None:
    document = bench.document("client_credentials")
    document["issuers"][0]["clients"][0]["auth"]["secret"] = {"env": "NOT_SET_ANYWHERE"}

    code, [result] = bench.probe(document)

    assert code == 3
    assert result["reason"] == "probe_error"
    assert "NOT_SET_ANYWHERE" in result["detail"]


def test_a_pattern_that_fits_nothing_exits_with_two_and_lists_what_there_is(bench: Any) -> None:
    config = bench.write(bench.document("discovery"))

    done = bench.run("probe", "nothing/*/here", "-c", str(config))

    assert done.returncode == 2
    assert "sandbox//discovery" in done.stderr


def test_a_pattern_chooses_checks(bench: Any) -> None:
    _, results = bench.probe(bench.document("discovery", "jwks"), "*/jwks")

    assert [result["check"] for result in results] == ["sandbox//jwks"]


def test_junit_holds_the_failure(bench: Any) -> None:
    bench.sandbox.control.fault("discovery-wrong-issuer")
    target = bench.folder / "results.xml"

    bench.probe(bench.document("discovery"), "--junit", str(target))

    failure = ElementTree.parse(target).getroot().find(".//failure")  # noqa: S314 - we wrote it
    assert failure is not None
    assert "issuer_mismatch" in ElementTree.tostring(failure, "unicode")


def test_a_junit_file_that_cannot_be_written_is_a_bad_call_before_anything_runs(bench: Any) -> None:
    config = bench.write(bench.document("discovery"))

    done = bench.run("probe", "-c", str(config), "--junit", str(bench.folder / "absent" / "results.xml"))

    assert done.returncode == 2
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


def test_in_a_pipe_no_line_is_folded(bench: Any) -> None:
    done = bench.run("check", bench.sandbox.issuer)

    assert "findings for" in done.stdout
    assert all(line.split()[0].rpartition("-")[2].isdigit() for line in done.stdout.splitlines()[2:])


def test_an_issuer_that_looks_like_markup_is_printed_as_it_is(bench: Any) -> None:
    done = bench.run("check", "http://127.0.0.1:9/[/bold]")

    assert done.returncode == 1
    assert "http://127.0.0.1:9/[/bold]" in done.stdout


def test_an_output_that_cannot_be_written_is_no_failed_check(bench: Any) -> None:
    config = bench.write(bench.document("discovery"))

    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "oidcwatch", "probe", "-c", str(config), "--json"],
            env=bench.environ, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "oidcwatch: [Errno 28] No space left on device"


def test_an_interrupt_ends_the_browser_without_a_traceback(bench: Any) -> None:
    bench.sandbox.control.proxy_rules([{"path": "^/authorize", "kind": "delay", "seconds": 25}])  # the login waits
    config = bench.write(bench.document("login"))
    before = bench.sandbox.control.proxy_hits().get("/authorize", 0)
    # A shell without job control starts its children with SIGINT ignored, and Python leaves it so.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = subprocess.Popen(
        [sys.executable, "-c", program + "from oidcwatch.cli import main; main()", "probe", "-c", str(config)],
        env=bench.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    for _ in range(300):  # until the browser asks for the page, however long it takes to start
        if bench.sandbox.control.proxy_hits().get("/authorize", 0) > before:
            break
        time.sleep(0.1)

    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)

    assert (process.returncode, output) == (130, "")
    assert "Traceback" not in errors


def test_evidence_of_a_failed_login_is_kept(bench: Any) -> None:
    bench.sandbox.control.fault("login-page-changed")
    folder = bench.folder / "evidence"

    _, [result] = bench.probe(bench.document("login", every="20s"), "--artifacts", str(folder))

    assert result["reason"] == "login_ui_changed"
    kept = sorted(path.suffix for path in folder.rglob("*") if path.is_file())
    assert ".png" in kept
    assert ".json" in kept


def test_check_needs_no_configuration_and_finds_no_failure_in_a_sound_provider(bench: Any) -> None:
    done = bench.run("check", bench.sandbox.issuer, "--json")

    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["issuer"] == bench.sandbox.issuer
    assert {finding["severity"] for finding in found["findings"]} <= {"info", "warning"}
    assert all(finding["citation"] for finding in found["findings"])


def test_check_exits_with_one_on_a_failure(bench: Any) -> None:
    bench.sandbox.control.fault("jwks-private-member")

    done = bench.run("check", bench.sandbox.issuer, "--json")

    assert done.returncode == 1
    assert "ROT-12" in {finding["id"] for finding in json.loads(done.stdout)["findings"]}


def test_check_of_nothing_there_is_a_finding_with_a_reason(bench: Any) -> None:
    done = bench.run("check", "http://127.0.0.1:9", "--json")

    assert done.returncode == 1
    assert json.loads(done.stdout)["findings"][-1]["reason"] == "connect_failure"


@pytest.mark.parametrize("issuer", ["", "login.example.com", "ftp://login.example.com"])
def test_check_of_no_url_is_a_bad_call(bench: Any, issuer: str) -> None:
    done = bench.run("check", issuer)

    assert done.returncode == 2
    assert "https" in done.stderr
