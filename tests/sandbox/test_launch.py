"""Starting and stopping, what is printed, and what is refused."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

import sandbox as package
from sandbox.__main__ import parse
from sandbox.control_client import Control, ControlError
from sandbox.launch import Sandbox, SandboxError, start_sandbox
from sandbox.visitor import Visitor

SOURCES = sorted(Path(package.__file__).parent.rglob("*.py"))
SIBLINGS = {"probes", "exporters", "alerts", "dashboards", "runbooks", "drills", "oidcwatch"}


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "sandbox", "--json", "--no-proxy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = json.loads(child.stdout.readline())

        child.send_signal(number)
        _, complaints = child.communicate(timeout=20)

    assert said["issuer"].startswith("http://127.0.0.1:")
    assert (child.returncode, complaints) == (0, "")


@pytest.mark.process
def test_the_end_of_its_input_ends_it_cleanly_when_that_is_wanted() -> None:
    command = [sys.executable, "-m", "sandbox", "--json", "--no-proxy", "--until-eof"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stdout is not None
        assert "issuer" in json.loads(child.stdout.readline())

        _, complaints = child.communicate(timeout=20)

    assert (child.returncode, complaints) == (0, "")


def _is_running(pid: int) -> bool:
    """A process that nobody has waited for yet has no command line any more."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


@pytest.mark.process
def test_a_sandbox_ends_when_whoever_started_it_is_killed() -> None:
    program = "import time\nfrom sandbox.launch import start_sandbox\nwith start_sandbox(proxy=False) as sandbox:\n"
    program += "    print(sandbox.pid, flush=True)\n    time.sleep(60)\n"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())

        parent.kill()

    deadline = time.monotonic() + 20
    while (running := _is_running(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", "example.test"])  # noqa: S104 - must be refused
def test_an_address_that_others_can_reach_is_refused(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse(["--bind", address])

    assert stopped.value.code == 2
    assert "--i-know-this-is-insecure" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--bind", "127.0.0.2"], ["--bind", "::1"], ["--bind", "192.0.2.1", "--i-know-this-is-insecure"]]
)
def test_loopback_or_an_explicit_wish_is_accepted(arguments: list[str]) -> None:
    assert parse(arguments).bind == arguments[1]


@pytest.mark.process
def test_secrets_are_new_at_each_start() -> None:
    with start_sandbox(proxy=False) as first, start_sandbox(proxy=False) as second:
        secrets = [set(started.environ.values()) for started in (first, second)]

    assert not secrets[0] & secrets[1]


@pytest.mark.process
def test_a_taken_port_is_an_error_that_says_so(sandbox: Sandbox) -> None:
    port = int(sandbox.issuer.rsplit(":", 1)[1])

    with pytest.raises(SandboxError, match=r"(?i)in use"), start_sandbox(port=port):
        pass


@pytest.mark.process
def test_secrets_have_the_names_that_configurations_use(sandbox: Sandbox) -> None:
    assert {"SANDBOX_PORTAL_SECRET", "SANDBOX_ALICE_PASSWORD", "SANDBOX_BOB_TOTP"} <= set(sandbox.environ)
    assert "SANDBOX_SPA_SECRET" not in sandbox.environ
    assert "SANDBOX_ALICE_TOTP" not in sandbox.environ


@pytest.mark.process
def test_secrets_do_not_print(sandbox: Sandbox) -> None:
    shown = repr(sandbox)

    assert [name for name, value in sandbox.environ.items() if value in shown] == []


@pytest.mark.process
def test_neither_state_nor_errors_of_the_control_hold_secrets(sandbox: Sandbox, visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "bob")

    shown = json.dumps(sandbox.control.state())

    kept = {*sandbox.environ.values(), *map(str, tokens.values())} - {
        "Bearer",
        tokens["scope"],
        str(tokens["expires_in"]),
    }
    assert [value for value in kept if value in shown] == []


@pytest.mark.process
def test_without_the_proxy_the_provider_is_the_issuer() -> None:
    with start_sandbox(proxy=False) as started, Visitor(started) as visitor:
        tokens = visitor.sign_in("spa", "alice")

    assert started.provider == started.issuer
    assert "id_token" in tokens


@pytest.mark.process
@pytest.mark.parametrize("path", ["/faults", "/keys", "/state", "/password", "/rules"])
def test_the_issuers_port_has_no_control(sandbox: Sandbox, visitor: Visitor, path: str) -> None:
    statuses = [
        visitor.http.request(method, f"{sandbox.issuer}{path}").status_code for method in ("GET", "POST", "PUT")
    ]

    assert statuses == [404, 404, 404]


@pytest.mark.process
def test_the_control_refuses_foreign_host_names(sandbox: Sandbox) -> None:
    answer = httpx.get(f"{sandbox.control.url}/state", headers={"Host": "evil.example.test"}, trust_env=False)

    assert answer.status_code == 421


@pytest.mark.process
def test_the_control_refuses_forms(sandbox: Sandbox) -> None:
    answer = httpx.post(f"{sandbox.control.url}/reset-clock", data={"tokens": "1"}, trust_env=False)
    clock = httpx.post(f"{sandbox.control.url}/clock", data={"tokens": "1"}, trust_env=False)

    assert (answer.status_code, clock.status_code) == (404, 415)


@pytest.mark.process
def test_a_changed_password_is_the_one_that_counts(sandbox: Sandbox, visitor: Visitor) -> None:
    attempt = visitor.attempt("spa")
    old = sandbox.users["synthetic-eu"].password
    sandbox.control.set_password("synthetic-eu", "another")

    page = visitor.http.post(attempt.url, data={"step": "login", "username": "synthetic-eu", "password": old})
    done = visitor.http.post(attempt.url, data={"step": "login", "username": "synthetic-eu", "password": "another"})
    sandbox.control.set_password("synthetic-eu", old)

    assert "Invalid username or password." in page.text
    assert done.status_code == 303


@pytest.mark.process
def test_hits_are_counted_by_endpoint(sandbox: Sandbox, visitor: Visitor) -> None:
    visitor.sign_in("spa", "alice")

    assert sandbox.control.hits() == {"/authorize": 2, "/token": 1}


@pytest.mark.process
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda control: control.settings(jwks_max_age="soon"), "settings.jwks_max_age"),
        (lambda control: control.settings(access_token_alg="HS256"), "access_token_alg: expected one of RS256"),
        (lambda control: control.place("RS256", "unknown", []), "no such key"),
        (lambda control: control.settings(colour=1), "colour: expected one of jwks_max_age"),
        (lambda control: control.set_password("nobody", "x"), "nobody"),
        (lambda control: control.resource("z", cooldown=1.0), "z"),
        (lambda control: control.certificate("expired"), "expected one of good"),
    ],
)
def test_the_control_names_what_is_wrong(sandbox: Sandbox, call: object, message: str) -> None:
    assert callable(call)

    with pytest.raises(ControlError, match=message):
        call(sandbox.control)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_sandbox_imports_no_sibling(source: Path) -> None:
    tree = ast.parse(source.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert not {name.split(".")[0] for name in imported} & SIBLINGS


def test_the_client_ignores_proxies_of_the_environment(
    running_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "http_proxy", "http://127.0.0.1:9")

    state = Control(running_sandbox.control.url).state()

    assert state["issuer"] == running_sandbox.issuer
