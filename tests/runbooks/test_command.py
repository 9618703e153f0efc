"""`oidcwatch runbook` on a real provider: healthy, broken in several ways, and called wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from oidcwatch.config import load_both
from oidcwatch.runbooks import call_of

pytestmark = pytest.mark.process


def test_a_healthy_provider_passes_every_check(bench: Any) -> None:
    done = bench.command("run", "OidcLoginSuccessBurnFast", "--issuer", "sandbox", "--target", "portal")

    assert done.returncode == 0, done.stderr
    assert "**Cause:** no cause found: recovered?" in done.stdout
    assert "pass  sandbox/portal/login from here" in done.stderr
    assert "https://runbooks.acme.example/OidcLoginSuccessBurnFast.html" in done.stdout


def test_a_broken_provider_is_named_with_step_owner_and_next_step(bench: Any) -> None:
    bench.sandbox.control.fault("token-server-error")

    done = bench.command("run", "OidcTokenEndpointErrors", "--issuer", "sandbox")

    assert done.returncode == 1
    assert "**Cause:** `server_error` at step `token`" in done.stdout
    assert "**Owner:** identity-platform (identity provider)" in done.stdout
    assert "here (1 of 1 regions that looked)" in done.stdout
    assert "**Next:** Undo the provider's last deployment" in done.stdout
    assert "https://runbooks.acme.example/idp-03.html" in done.stdout


def test_no_secret_is_in_what_is_printed(bench: Any) -> None:
    bench.sandbox.control.fault("client-rejected")

    done = bench.command("run", "OidcClientAuthentication", "--issuer", "sandbox", "--target", "machine", "--json")

    assert '"cause": "client_auth_failed"' in done.stdout
    assert [name for name, value in bench.sandbox.environ.items() if value in done.stdout + done.stderr] == []


def test_the_same_for_machines(bench: Any) -> None:
    bench.sandbox.control.fault("jwks-empty")

    code, document = bench.json("OidcJwksInvalid", "--target", "machine")

    assert code == 1
    assert (document["cause"], document["stage"], document["team"]) == ("jwks_invalid", "jwks", "identity-platform")
    assert (document["regions"], document["regions_looked"], document["certainty"]) == (["here"], ["here"], "seen now")
    assert {check["subject"] for check in document["checks"] if not check["ok"]} == {
        "key-set-answers", "sandbox//jwks", "sandbox/machine/client_credentials",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "alert", "cause", "team", "failed"),
    [
        ("discovery-wrong-issuer", "OidcIssuerMismatch", "issuer_mismatch", "identity-platform", "discovery-answers"),
        ("jwks-private-member", "OidcJwksInvalid", "jwks_invalid", "identity-platform", "sandbox//jwks"),
        ("access-token-unpublished-key", "OidcSignatureVerification", "kid_unknown", "identity-platform",
         "sandbox/machine/client_credentials"),
        ("access-token-wrong-audience", "OidcClientRegistration", "audience_mismatch", "machine-team",
         "sandbox/machine/client_credentials"),
    ],
)  # fmt: skip
def test_a_fault_fails_its_check_and_is_the_one_cause(
    bench: Any, fault: str, alert: str, cause: str, team: str, failed: str
) -> None:
    bench.sandbox.control.fault(fault)

    summary = bench.run(alert, target="machine")

    assert (summary.verdict.cause, summary.team) == (cause, team)
    assert failed in {outcome.subject for outcome in summary.outcomes if not outcome.ok}


def test_nobody_there_is_the_networks(bench: Any) -> None:
    bench.sandbox.control.proxy_rules([{"path": "", "kind": "refuse"}])

    summary = bench.run("OidcProviderDown", target="machine")

    assert (summary.verdict.cause, summary.verdict.stage, summary.team) == ("connect_failure", "discovery", "netops")


def test_a_clock_that_is_ahead_is_told_before_anything_fails(bench: Any) -> None:
    bench.sandbox.control.clock(date=120)

    summary = bench.run("OidcClockOffset", target="machine")

    assert [outcome.subject for outcome in summary.outcomes if not outcome.ok] == ["clocks-agree"]
    assert summary.verdict.cause == "clock_skew"


def test_a_prometheus_that_is_not_there_fails_its_own_checks_only(bench: Any) -> None:
    summary = bench.run("OidcJwksInvalid", target="machine", prometheus="http://127.0.0.1:9")

    assert {outcome.subject for outcome in summary.outcomes if not outcome.ok} == {"alert-fires", "recorded-failures"}
    assert summary.verdict.cause is None


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"alert": "OidcProvider"}, "did you mean OidcProviderDown?"),
        ({"alert": "Nothing"}, "`oidcwatch runbook list` has all"),
        ({"issuer": "acme"}, "there is no issuer 'acme'; there are: sandbox"),
        ({"target": "kiosk"}, "it has: portal, machine"),
        ({"region": "mars"}, "there are: here"),
    ],
)
def test_a_wrong_call_says_what_there_is(bench: Any, named: dict[str, str], says: str) -> None:
    wanted = {"alert": "OidcProviderDown", "issuer": "sandbox", **named}

    with pytest.raises(LookupError) as error:
        call_of(load_both(bench.config, bench.environ), **wanted)

    assert says in str(error.value)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "OidcProviderDown", "--issuer", "acme"),
        ("run", "OidcProviderDown", "--issuer", "sandbox", "--prometheus", "ftp://x"),
        ("show", "OidcNothing"),
    ],
)
def test_a_wrong_call_exits_with_two(bench: Any, arguments: tuple[str, ...]) -> None:
    done = bench.command(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("oidcwatch: ")


def test_a_page_is_shown_as_markdown(bench: Any) -> None:
    done = bench.command("show", "OidcProviderDown")

    assert done.returncode == 0, done.stderr
    assert "# OidcProviderDown" in done.stdout
    assert "## In 30 seconds" in done.stdout


def test_the_list_has_every_alert_on_a_line_of_its_own(bench: Any) -> None:
    done = bench.command("list")

    lines = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert "OidcProviderDown" in lines
    assert len(lines) == len(set(lines)) > 20
