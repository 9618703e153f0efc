"""The command line as a person meets it: output, exit codes, help, and what it does not load."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from oidcwatch.cli import COMMANDS
from oidcwatch.config import load

Write = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.process

GOOD = (
    "issuers:\n  - name: acme\n    url: https://login.acme.example\n    probes: [discovery, {type: jwks, every: 10s}]\n"
)
USER_CLIENT = (
    "    clients:\n"
    "      - name: web\n"
    "        client_id: web\n"
    "        auth: {{method: none}}\n"
    "        redirect_uri: https://app.example/callback\n"
    "        user: {{username: ann, password: {{env: PW}}}}\n"
    "        probes: {probes}\n"
)
FOR_DEVELOPERS = {"docs"}  # works, but is no user's business
HEAVY = ("playwright", "grafana_foundation_sdk", "opentelemetry", "uvicorn", "starlette", "jinja2")


def test_a_valid_file_is_summed_up(write: Write, run: Run) -> None:
    write(GOOD)

    done = run("config", "check")

    assert done.returncode == 0
    assert "checks   2: 1 discovery, 1 jwks; about 480 runs an hour" in done.stdout
    assert done.stdout.endswith("oidcwatch.yaml is valid, with 2 warnings\n")
    assert done.stderr.startswith("warning: one region and no vantage.references")


def test_a_summary_as_json_is_all_that_is_printed(write: Write, run: Run) -> None:
    write(GOOD)

    done = run("config", "check", "--json")

    summary = json.loads(done.stdout)
    assert summary["ok"]
    assert summary["checks"] == ["acme//discovery", "acme//jwks"]
    assert len(summary["warnings"]) == 2
    assert done.stderr == ""


def test_a_bad_file_exits_with_2_and_tells_every_problem_on_standard_error(write: Write, run: Run) -> None:
    write(GOOD + "    color: red\nlog: {level: loud}\n")

    done = run("config", "check")

    assert (done.returncode, done.stdout) == (2, "")
    first, second, last = done.stderr.splitlines()
    assert first.startswith("oidcwatch.yaml:5:5: issuers[0].color: unknown key 'color'")
    assert second.startswith("oidcwatch.yaml:6:7: log.level: must be one of")
    assert last == "2 problems; nothing was started"


def test_problems_as_json_have_their_places(write: Write, run: Run) -> None:
    write(GOOD + "log: {level: loud}\n")

    done = run("config", "check", "--json")

    assert done.returncode == 2
    (problem,) = json.loads(done.stdout)["problems"]
    assert (problem["file"], problem["line"], problem["column"], problem["path"]) == (
        "oidcwatch.yaml",
        5,
        7,
        "log.level",
    )


def test_without_a_file_the_way_to_one_is_told(run: Run) -> None:
    done = run("config", "check")

    assert done.returncode == 2
    assert "oidcwatch init https://" in done.stderr


def test_the_file_is_named_by_option_or_environment(write: Write, run: Run, tmp_path: Path) -> None:
    write(GOOD).rename(tmp_path / "other.yaml")

    by_option = run("config", "check", "-c", "other.yaml")
    by_environment = run("config", "check", OIDCWATCH_CONFIG="other.yaml")

    assert (by_option.returncode, by_environment.returncode) == (0, 0)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (USER_CLIENT.format(probes="[{type: login, every: 10s}]"), "acme/web/login: a login every 10s makes 8640 sessions"),
        (USER_CLIENT.format(probes="[refresh]"), "acme/web/refresh: without the scope offline_access"),
        ("    clients: [{name: cli, client_id: c, auth: {method: none}, probes: [client_credentials]}]\n",
         "acme/cli/client_credentials: this grant is for confidential clients only"),
        ("  - {name: lab, url: 'http://lab.example', policy: {allow_http: true}, probes: [jwks]}\n",
         "issuer lab: plain http beyond this machine"),
        ("  - {name: idle, url: 'https://idle.example'}\n", "issuer idle has no check that runs here"),
        ("slos: [{sli: login-success, objective: 99}]\n",
         "the objective for login-success needs the probe login: nothing is generated for it"),
        ("alerting: {min_regions: 3}\n", "1 region and alerting.min_regions 3: no objective can page"),
    ],
    ids=["busy-login", "refresh-scope", "public-client", "plain-http", "no-checks", "objective", "one-region"],
)  # fmt: skip
def test_what_is_probably_not_meant_is_a_warning(write: Write, run: Run, text: str, warning: str) -> None:
    write(GOOD + text)

    done = run("config", "check")

    assert done.returncode == 0
    assert f"warning: {warning}" in done.stderr


def test_what_show_prints_means_the_same_as_the_file(root: Path, write: Write, run: Run, tmp_path: Path) -> None:
    path = write((root / "examples/oidcwatch.yaml").read_text(encoding="utf-8"))
    before = load(path, {})

    done = run("config", "show")

    path.write_text(done.stdout, encoding="utf-8")
    assert load(path, {}) == before


def test_show_as_json_has_the_defaults_and_the_region_of_the_environment(write: Write, run: Run) -> None:
    write(GOOD)

    done = run("config", "show", "--json", OIDCWATCH_REGION="us-east")

    shown = json.loads(done.stdout)
    assert shown["region"] == {"name": "us-east"}
    assert shown["agent"]["listen"] == "127.0.0.1:9464"
    assert shown["issuers"][0]["probes"][0] == {"type": "discovery", "every": "30s", "timeout": "10s", "confirm": False}


def test_show_knows_references_only_and_no_secret(write: Write, run: Run, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("canary-in-the-file")
    write(
        GOOD + "    clients: [{name: web, client_id: w, auth: {secret: {env: WEB_SECRET}},"
        " user: {username: u, password: {file: pw}, totp: {exec: 'echo canary-in-the-command'}}}]\n"
    )

    done = run("config", "show", WEB_SECRET="canary-in-the-environment")

    client = yaml.safe_load(done.stdout)["issuers"][0]["clients"][0]
    assert client["auth"]["secret"] == {"env": "WEB_SECRET"}
    assert client["user"]["password"] == {"file": "pw"}
    assert "canary-in-the-file" not in done.stdout
    assert "canary-in-the-environment" not in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("config", "check"), ("config", "schema"), ("--version",)],
    ids=lambda arguments: " ".join(arguments),
)
def test_a_command_loads_only_what_it_needs(write: Write, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write(GOOD)
    program = (
        "import sys\n"
        "from oidcwatch.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr.replace("warning: ", "")[:3]) in ((0, ""), (0, "one"))


def test_help_loads_neither_models_nor_clients(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from oidcwatch.cli import make_app\n"
        "make_app()\n"
        "assert not [name for name in ('httpx', 'yaml', 'oidcwatch.config_model') if name in sys.modules]\n"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "command", [("init",), ("config", "check"), ("config", "schema"), ("config", "show")], ids=" ".join
)
def test_the_help_of_a_command_has_examples(run: Run, command: tuple[str, ...]) -> None:
    done = run(*command, "--help")

    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert f"oidcwatch {' '.join(command)}" in done.stdout


def test_every_command_for_users_is_in_the_help(run: Run) -> None:
    done = run("--help")

    missing = {command for command in COMMANDS if f"  {command} " not in done.stdout}
    assert missing == {"docs"}  # for the developers of this project


def test_the_version_is_told(run: Run) -> None:
    done = run("--version")

    assert done.stdout.startswith("oidcwatch 0.")


@pytest.mark.parametrize("arguments", [("no-such-command",), ("config", "check", "--no-such-option"), ("init",)])
def test_a_bad_call_exits_with_2_on_standard_error(run: Run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr != ""


def test_an_interrupt_exits_with_130_and_no_traceback(write: Write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "oidcwatch.yaml")  # reading it waits until somebody writes
    # A shell without job control starts its children with SIGINT ignored, and Python leaves it so.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    child = subprocess.Popen(
        [sys.executable, "-c", program + "from oidcwatch.cli import main; main()", "config", "check"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        writer = _open_when_read(tmp_path / "oidcwatch.yaml")

        errors = _interrupted(child)
        os.close(writer)
        assert (child.returncode, errors) == (130, "")
    finally:
        child.kill()
        child.communicate()


def _interrupted(child: subprocess.Popen[str]) -> str:
    """What it prints until it ends. Sent again: Python forgets a signal that comes just before a read begins to wait."""
    for _ in range(10):
        child.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.communicate(timeout=3)[1]
    raise AssertionError("an interrupt does not end it")


def _open_when_read(fifo: Path) -> int:
    """A descriptor to write to, as soon as somebody has the other end open."""
    for _ in range(600):
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # ENXIO: not yet
            time.sleep(0.05)
    raise AssertionError("nobody reads the file")
