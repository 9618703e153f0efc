"""No secret leaves a run: every output of the program is searched for every secret that it has read or received."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.process

LOGIN, REFRESH, MACHINE = "sandbox/portal/login", "sandbox/portal/refresh", "sandbox/machine/client_credentials"
OPENMETRICS = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, the check that it fails and where. {password} and {secret} make the provider say what it must not."""

    fault: str
    check: str
    stage: str
    params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


ROWS = (
    Row("discovery-wrong-issuer", "sandbox//discovery", "discovery"),
    Row("jwks-not-json", "sandbox//jwks", "jwks"),
    Row("client-rejected", MACHINE, "token", MappingProxyType({"description": "bad secret {secret}"})),
    Row("access-token-bad-signature", MACHINE, "access_token"),
    Row("redirect-uri-rejected-200", LOGIN, "authorize"),
    Row("login-page-script-error", LOGIN, "authorize", MappingProxyType({"message": "no form for {password}"})),
    Row("password-refused", LOGIN, "login_form", MappingProxyType({"message": "{password} is invalid"})),
    Row("login-submit-500", LOGIN, "login_form", MappingProxyType({"message": "cannot store {password}"})),
    Row("state-changed", LOGIN, "callback"),
    Row("code-rejected", LOGIN, "token", MappingProxyType({"description": "tell nobody: {password}"})),
    Row("id-token-bad-signature", LOGIN, "id_token"),
    Row("userinfo-401", LOGIN, "userinfo"),
    Row("refresh-rejected", REFRESH, "refresh"),
)
PAGES = ("/", "/metrics", "/api/results", "/-/ready", "/-/healthy")
KINDS = {
    *("password", "secret", "totp"),
    *("authorization code", "access token", "refresh token", "ID token"),
    *("cookie", "PKCE verifier", "client authentication", "one-time code"),
}


def _set(bench: Any, row: Row) -> None:
    secrets = {
        "password": bench.environ["SANDBOX_ALICE_PASSWORD"],
        "secret": bench.sandbox.clients["machine"].client_secret,
    }
    bench.sandbox.control.fault(row.fault, **{name: text.format(**secrets) for name, text in row.params.items()})


def _again(config: Path, check: str) -> None:
    """Makes that check run at once when the configuration is read anew: its interval changes."""
    document = yaml.safe_load(config.read_text())
    _, target, kind = check.split("/")
    [issuer] = document["issuers"]
    [probe] = [
        probe
        for client in [{"name": "", "probes": issuer["probes"]}, *issuer["clients"]]
        for probe in client["probes"]
        if (client["name"], probe["type"]) == (target, kind)
    ]
    probe["every"] = f"{int(probe['every'].removesuffix('s')) + 1}s"
    config.write_text(yaml.safe_dump(document))


def _artifacts(net: Any, folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():  # what a picture shows cannot be searched; what it says beside that can
            net.keep(f"artifact {path.name}", path.read_bytes().decode("utf-8", "replace"))


def test_no_output_of_the_agent_holds_a_secret(
    bench: Any, tap: Any, net: Any, until: Callable[..., None], tmp_path: Path
) -> None:
    config, log = bench.config(tap.url), tmp_path / "agent.log"
    failed: list[tuple[str, str]] = []
    bench.sandbox.control.fault("otp-refused")
    with bench.agent(config, log) as ask:

        def results() -> dict[str, dict[str, Any]]:
            return {result["check"]: result for result in json.loads(ask("/api/results")[1])}

        until(lambda: len(results()) == 6, "every check has run")
        assert {name for name, result in results().items() if not result["ok"]} == {"sandbox/portal-post/login"}
        assert results()["sandbox/portal-post/login"]["stage"] == "otp"
        for row in ROWS:
            before = results()[row.check]["run_id"]
            bench.sandbox.control.clear()
            _set(bench, row)
            _again(config, row.check)
            assert ask("/-/reload", "POST")[0] == 200
            until(lambda row=row, before=before: results()[row.check]["run_id"] != before, row.fault)
            failed.append((row.check, results()[row.check]["stage"]))
            for page in PAGES:
                net.keep(page, ask(page)[1])
            net.keep("OpenMetrics", ask("/metrics", accept=OPENMETRICS)[1])
    net.keep("log", log.read_text())
    _artifacts(net, tmp_path / "data")
    for kind, values in tap.secrets().items():
        net.add(kind, *values)

    assert failed == [(row.check, row.stage) for row in ROWS]
    assert set(net.canaries) == KINDS
    assert sum(map(len, net.canaries.values())) > 40
    assert {*PAGES, "OpenMetrics", "log", "artifact requests.json", "artifact console.txt"} <= set(net.outputs)
    assert all(net.outputs.values())
    assert net.outputs["log"].count("failed at") > len(ROWS)
    assert "[redacted]" in net.outputs["log"]
    assert "[redacted]" in net.outputs["artifact console.txt"]
    assert net.leaks() == {}


@pytest.mark.parametrize("output", [("--json",), ()])
def test_no_output_of_a_single_probing_holds_a_secret(
    bench: Any, tap: Any, net: Any, tmp_path: Path, output: tuple[str, ...]
) -> None:
    config, junit, evidence = bench.config(tap.url), tmp_path / "junit.xml", tmp_path / "evidence"
    for row in ROWS:
        if row.fault in ("code-rejected", "client-rejected"):
            _set(bench, row)

    checks = (LOGIN, MACHINE, "jwks", "discovery")
    done = bench.run(
        "probe", *checks, "-c", str(config), "--junit", str(junit), "--artifacts", str(evidence), *output
    )  # fmt: skip

    for name, text in (("stdout", done.stdout), ("stderr", done.stderr), ("JUnit", junit.read_text())):
        assert net.keep(name, text) or (name == "stderr" and output)  # with --json there is no progress to show
    _artifacts(net, evidence)
    for kind, values in tap.secrets().items():
        net.add(kind, *values)
    assert done.returncode == 1
    assert net.outputs["JUnit"].count("<failure ") == 2
    assert "[redacted]" in net.outputs["JUnit"]
    assert "[redacted]" in net.outputs["stdout"]
    assert {"authorization code", "PKCE verifier", "client authentication"} <= set(net.canaries)
    assert net.leaks() == {}


@pytest.mark.parametrize(
    "command", ["config show", "config show --json", "config check", "config schema", "doctor", "doctor --json"]
)
def test_what_describes_the_configuration_names_secrets_and_never_shows_them(
    bench: Any, net: Any, command: str
) -> None:
    config = bench.config("http://127.0.0.1:9")

    name, *options = command.split()
    done = bench.run(name, *options, *(() if "schema" in options else ("-c", str(config))))

    assert net.keep(command, done.stdout + done.stderr)
    assert "Traceback" not in done.stderr
    assert ("SANDBOX_ALICE_PASSWORD" in done.stdout) == (name == "doctor" or "show" in options)
    assert net.leaks() == {}


def test_a_password_that_was_put_into_the_configuration_is_refused_without_being_quoted(bench: Any, net: Any) -> None:
    net.add("inline", "canary-4711")
    config = bench.config("http://proxy-user:canary-4711@127.0.0.1:9")
    text = config.read_text()
    config.write_text(re.sub(r"secret:\n\s+env: \w+", "secret: canary-4711", text, count=1))

    for command in ("config check", "config show", "run", "probe", "doctor"):
        done = bench.run(*command.split(), "-c", str(config))
        net.keep(command, done.stdout + done.stderr)
        assert done.returncode in (1, 2)
        assert "oidcwatch.yaml" in net.outputs[command]

    assert net.leaks() == {}


PROBE_THAT_BREAKS = """
import asyncio, os, sys
from oidcwatch.logs import set_up_logging
from probes.model import Check, Stage
from probes.redact import Redactor
from probes.run import run_once
from probes.subjects import Issuer

async def broken(check, steps):
    password = steps.hide(os.environ["SANDBOX_ALICE_PASSWORD"])
    with steps(Stage.TOKEN) as note:
        note["answer"] = f"welcome {password}"
        try:
            raise KeyError(password)
        except KeyError as error:
            raise RuntimeError(f"no entry for {password!r}", {"password": password}) from error

redact = Redactor()
set_up_logging(redact, "debug", as_json="json" in sys.argv)
print(asyncio.run(run_once(broken, Check(Issuer("acme", "https://login.acme.example"), "discovery"), "here", redact)))
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_probe_that_breaks_with_a_secret_in_its_error_shows_it_nowhere(bench: Any, net: Any, form: str) -> None:
    done = bench.python("-c", PROBE_THAT_BREAKS, form)

    net.keep("result", done.stdout)
    net.keep("log", done.stderr)
    assert done.returncode == 0, done.stderr
    assert "RuntimeError" in done.stdout
    assert "Traceback" in done.stderr
    assert "KeyError" in done.stderr
    assert "[redacted]" in done.stderr
    assert net.leaks() == {}


PROGRAM_THAT_BREAKS = """
import os, sys
import exporters.report

def broken(results):
    try:
        raise KeyError(os.environ["SANDBOX_MACHINE_SECRET"])
    except KeyError as error:
        raise RuntimeError("cannot report", dict(os.environ)) from error

exporters.report.results_json = broken
from oidcwatch.cli import main
main()
"""


def test_a_crash_of_the_program_shows_no_secret_that_it_has_read(bench: Any, tap: Any, net: Any) -> None:
    config = bench.config(tap.url)
    only_read = {"secret": {bench.sandbox.clients["machine"].client_secret}}
    net.canaries = only_read

    done = bench.python("-c", PROGRAM_THAT_BREAKS, "probe", MACHINE, "-c", str(config), "--json")

    assert done.returncode == 1
    assert "Traceback" in net.keep("stderr", done.stderr)
    assert "RuntimeError" in done.stderr
    assert "[redacted]" in done.stderr
    assert net.leaks() == {}


def test_the_net_catches_a_secret_in_every_form(net: Any) -> None:
    password = next(value for value in net.canaries["password"] if '"' in value)
    net.add("one-time code", "123456")

    from_html = "&lt;v&gt;"
    assert net.caught(f"x{password}y") == {"password"}
    assert net.caught(json.dumps({"a": password})) == {"password"}
    assert net.caught("K%C3%A4%22n%5Carie%2F%2B%25%26%3Cv%3E+7") == {"password"}
    assert net.caught("x S8OkIm5cYXJpZS8rJSY8dj4gNw== x") == {"password"}
    assert net.caught(password.replace("&", "&amp;").replace("<v>", from_html).replace('"', "&quot;")) == {"password"}
    assert net.caught("code 123456.") == set()
    assert net.caught("code 123456 ") == {"one-time code"}
    assert net.caught("0.123456 and 1234567") == set()
