"""`oidcwatch run` from outside: metrics, health, reload, drain."""

from __future__ import annotations

import signal
import socket
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.certificates import write_certificates

pytestmark = pytest.mark.process


def test_every_kind_of_probe_is_counted_as_a_success(bench: Any) -> None:
    kinds = ("discovery", "jwks", "client_credentials", "login", "refresh")
    document = bench.document(*kinds)

    with bench.agent(document) as agent:
        for kind in kinds:
            agent.until(lambda kind=kind: agent.metric("oidc_probe_runs_total", probe=kind, result="success"))

            assert agent.metric("oidc_probe_success", probe=kind) == 1


def test_it_is_healthy_at_once_and_ready_after_the_first_run(bench: Any) -> None:
    with bench.agent(bench.document("discovery")) as agent:
        assert agent.get("/-/healthy")[0] == 200

        agent.until(lambda: agent.get("/-/ready")[0] == 200)


def test_a_failure_series_exists_at_zero_before_the_first_failure(bench: Any) -> None:
    with bench.agent(bench.document("discovery")) as agent:
        agent.until(lambda: agent.metric("oidc_probe_runs_total", result="success"))

        assert agent.metric("oidc_probe_failures_total", reason="issuer_mismatch") == 0

        bench.sandbox.control.fault("discovery-wrong-issuer")
        agent.until(lambda: agent.metric("oidc_probe_failures_total", reason="issuer_mismatch"))


def test_a_check_that_leaves_the_configuration_leaves_no_series(bench: Any) -> None:
    document = bench.document("discovery", "jwks")
    with bench.agent(document) as agent:
        agent.until(lambda: agent.metric("oidc_jwks_keys", probe="jwks"))
        agent.until(lambda: agent.metric("oidc_probe_runs_total", probe="discovery", result="success"))
        agent.write(bench.document("discovery"))

        status, _ = agent.get("/-/reload", method="POST")

        assert status == 200
        assert 'probe="jwks"' not in agent.get("/metrics")[1]
        assert agent.metric("oidc_probe_runs_total", probe="discovery", result="success")


def test_sighup_reloads(bench: Any) -> None:
    with bench.agent(bench.document("discovery")) as agent:
        agent.write(bench.document("discovery", "client_credentials"))

        agent.process.send_signal(signal.SIGHUP)

        agent.until(lambda: agent.metric("oidc_probe_runs_total", probe="client_credentials", result="success"))


def test_a_bad_configuration_is_refused_and_the_old_one_goes_on(bench: Any) -> None:
    with bench.agent(bench.document("discovery")) as agent:
        agent.config.write_text("issuers: [{name: x}]\n")

        status, text = agent.get("/-/reload", method="POST")

        assert status == 500
        assert "oidcwatch.yaml" in text
        assert agent.metric("oidcwatch_config_last_reload_successful") == 0
        before = agent.metric("oidc_probe_runs_total", result="success") or 0
        agent.until(lambda: (agent.metric("oidc_probe_runs_total", result="success") or 0) > before)


def test_a_reload_that_changes_the_listener_says_that_it_needs_a_restart(bench: Any) -> None:
    with bench.agent(bench.document("discovery")) as agent:
        agent.write(bench.document("discovery", drain="9s"))

        status, text = agent.get("/-/reload", method="POST")

        assert status == 500
        assert "restart" in text


def test_sigterm_lets_a_running_check_end_and_exits_cleanly(bench: Any) -> None:
    bench.sandbox.control.proxy_rules([{"path": "^/.well-known/", "kind": "delay", "seconds": 2}])
    document = bench.document("discovery", every="10s")
    with bench.agent(document) as agent:
        agent.until(lambda: agent.metric("oidcwatch_runs_in_flight") == 1)

        agent.process.terminate()

        assert agent.process.wait(10) == 0
        assert "cancelled" not in agent.log.read_text()


def test_a_run_that_outlasts_the_drain_is_cancelled(bench: Any) -> None:
    bench.sandbox.control.proxy_rules([{"path": "^/.well-known/", "kind": "hang"}])
    with bench.agent(bench.document("discovery", every="60s", drain="1s")) as agent:
        agent.until(lambda: agent.metric("oidcwatch_runs_in_flight") == 1)

        begun = time.monotonic()
        agent.process.terminate()

        assert agent.process.wait(15) == 0
        assert time.monotonic() - begun < 10
        assert "cancelled" in agent.log.read_text()


def test_a_taken_port_is_a_clear_error(bench: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"

        done = bench.run("run", "-c", str(bench.write(bench.document("discovery", listen=place))))

    assert done.returncode == 2
    assert place in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("duration", ["2", "2s"])
def test_it_ends_by_itself_after_the_given_time(bench: Any, duration: str) -> None:
    done = bench.run("run", "-c", str(bench.write(bench.document("discovery"))), "--for", duration)

    assert done.returncode == 0


def test_a_reload_that_changes_the_log_says_that_it_needs_a_restart(bench: Any) -> None:
    with bench.agent(bench.document("discovery")) as agent:
        agent.write({**bench.document("discovery"), "log": {"level": "debug"}})

        status, text = agent.get("/-/reload", method="POST")

        assert status == 500
        assert "log changed: restart" in text


def test_no_reload_while_it_stops(bench: Any) -> None:
    bench.sandbox.control.proxy_rules([{"path": "^/.well-known/", "kind": "delay", "seconds": 4}])
    with bench.agent(bench.document("discovery", every="10s")) as agent:
        agent.until(lambda: agent.metric("oidcwatch_runs_in_flight") == 1)
        agent.process.terminate()
        agent.until(lambda: "waiting up to" in agent.log.read_text())

        status, text = agent.get("/-/reload", method="POST")

        assert status == 500
        assert "stopping" in text


def test_a_reload_with_another_authority_says_that_it_needs_a_restart(bench: Any) -> None:
    with bench.agent(bench.document("discovery")) as agent:
        document = bench.document("discovery")
        document["issuers"][0]["tls"] = {"ca_file": str(write_certificates(bench.folder, datetime.now(UTC)).ca_file)}
        agent.write(document)

        status, text = agent.get("/-/reload", method="POST")

        assert status == 500
        assert "ca_file" in text
