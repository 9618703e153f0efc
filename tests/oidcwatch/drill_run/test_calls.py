"""What `oidcwatch drill` says without running anything: the table, wrong calls, questions, earlier drills."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from drills.record import Record, Verdict
from drills.scenarios import SCENARIOS
from oidcwatch.cli import make_app

Keep = Callable[[Path, Record], None]

CONFIGURATION = """
issuers:
  - name: staging
    url: https://login.acme.example
    verifiers: [jose]
    clients:
      - {name: machine, client_id: machine, audience: orders, auth: {secret: {env: MACHINE_SECRET}}}
    drill: {client: machine, provider: {type: manual}}
  - {name: production, url: https://login.acme.example/prod}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("MACHINE_SECRET", "a-secret-of-the-machine")
    (tmp_path / "oidcwatch.yaml").write_text(CONFIGURATION)
    return tmp_path


def drill(*arguments: str) -> Result:
    return CliRunner().invoke(make_app(), ["drill", *arguments], catch_exceptions=False)


def test_every_drill_is_listed_with_what_users_would_notice() -> None:
    done = drill("list")

    lines = done.stdout.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(SCENARIOS)
    assert lines[0].split()[-1] == "nothing"


def test_the_list_as_json_names_moves_and_needs() -> None:
    rows = {row["name"]: row for row in json.loads(drill("list", "--json").stdout)}

    assert rows["zero-lead"]["needs"] == ["rotate"]
    assert rows["zero-lead"]["moves"] == [{"action": "rotate", "params": {}, "hold": "observed", "starts": "accept"}]
    assert rows["incident-azure-2021"]["incident"] == "I1"


def test_one_drill_is_shown_with_its_moves_and_when_it_passes() -> None:
    shown = drill("show", "routine").stdout

    assert "move 1          announce; wait until every verifier can know the key (the safe lead)" in shown
    assert "passes when     no verifier refuses any token at any time" in shown
    assert "afterwards      the provider stays rotated" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "zerolead"), "'zerolead' is not a drill (did you mean 'zero-lead'?); see oidcwatch drill list"),
        (("run", "zerolead", "--sandbox"), "'zerolead' is not a drill (did you mean 'zero-lead'?)"),
        (("run", "zero-lead"), "where? give one of --issuer NAME (of the configuration), --sandbox, --keycloak"),
        (("run", "zero-lead", "--sandbox", "--issuer", "staging"), "where? give one of"),
        (("run", "zero-lead", "--issuer", "stagin"), "there is no issuer 'stagin' in this configuration; there are: "),
        (("run", "zero-lead", "--issuer", "production"), "production has no section `drill`"),
        (("run", "zero-lead", "--sandbox", "--verifier", "pyjwtt"), "'pyjwtt' is not a verifier of the table"),
        (("run", "zero-lead", "--sandbox", "--verifier", "jose", "--emulate", "pyjwt"), "--emulate: 'pyjwt' takes no"),
        (("run", "zero-lead", "--sandbox", "--stand-in", "pyjwt"), "--stand-in: 'pyjwt' is no NAME=NAME"),
        (("run", "zero-lead", "--sandbox", "--stand-in", "pyjwt=istio"), "--stand-in: there is no canary 'istio'"),
        (("run", "zero-lead", "--sandbox", "--poll", "0s"), "--poll: '0s' is too short; at least 100ms"),
        (("run", "zero-lead", "--sandbox", "--ttl", "soon"), "--ttl: 'soon' is no duration"),
        (("run", "zero-lead", "--sandbox", "--every", "5s"), "--every: '5s' is no interval; write week, day, hour"),
        (("run", "zero-lead", "--sandbox", "--page", "nowhere"), "--page: 'nowhere' is no HOST:PORT"),
        (("run", "zero-lead", "--sandbox", "--prometheus", "ftp://x"), "--prometheus: expected a URL like"),
        (("run", "zero-lead", "--sandbox", "--alertmanager", "http://x"), "--alertmanager: needs --prometheus"),
        (("abort", "no-such-drill"), "there is no drill 'no-such-drill' in "),
        (("report",), "there is no report of any drill yet"),
        (("report", "no-such-drill"), "there is no report of 'no-such-drill'"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused_with_what_is_allowed(arguments: tuple[str, ...], says: str) -> None:
    done = drill(*arguments)

    assert done.exit_code == 2
    assert done.stderr.startswith(f"oidcwatch: {says}")
    assert done.stdout == ""


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    done = drill("run", "zero-lead", "--sandbox", "--prometheus", "http://me:hunter22@prometheus.example")

    assert done.exit_code == 2
    assert "must hold no user or password" in done.stderr
    assert "hunter22" not in done.output


def test_without_a_terminal_an_issuer_is_not_changed_unless_somebody_said_yes(folder: Path) -> None:
    done = drill("run", "early-removal", "--issuer", "staging")

    assert done.exit_code == 2
    assert "This drill changes staging (https://login.acme.example)." in done.stderr
    assert "users would notice: Users and services whose tokens are older" in done.stderr
    assert done.stderr.endswith("there is no terminal; --yes goes on without a question\n")
    assert not (folder / "oidcwatch-data").exists()


@pytest.mark.parametrize("command", ["resume", "abort"])
def test_nothing_is_done_where_no_drill_was_cut_short(command: str) -> None:
    done = drill(command)

    assert (done.exit_code, done.stdout) == (0, "no drill was cut short\n")


def test_the_newest_report_is_printed_from_what_the_drill_left(
    folder: Path, record: Callable[..., Record], keep: Keep
) -> None:
    keep(folder / "oidcwatch-data" / "drills", record())
    keep(folder / "state" / "oidcwatch" / "drills", record(7, Verdict.FAIL, "pyjwt never accepted it."))

    done = drill("report")

    assert done.exit_code == 0
    assert "pyjwt     2.10.1   real  2 s                 2.4 s" in done.stdout
    assert "Failed: pyjwt never accepted it.\n" in done.stdout


@pytest.mark.parametrize(
    ("form", "begins"), [("md", "#"), ("html", "<!doctype html>"), ("json", "{"), ("text", "verifier")]
)
def test_a_report_is_printed_in_each_form(
    folder: Path, record: Callable[..., Record], keep: Keep, form: str, begins: str
) -> None:
    keep(folder / "state" / "oidcwatch" / "drills", record())

    done = drill("report", "20260301T091500Z-zero-lead-4f2a", "--format", form)

    assert done.exit_code == 0
    assert done.stdout.lower().startswith(begins)


def test_the_json_of_a_report_has_the_shape_that_other_tools_rely_on(
    folder: Path, record: Callable[..., Record], keep: Keep
) -> None:
    keep(folder / "state" / "oidcwatch" / "drills", record())

    told = json.loads(drill("report", "--json").stdout)

    assert (told["scenario"], told["verdict"]) == ("zero-lead", "pass")
    assert told["verifiers"][0]["predicted"] == {"accept": 2.0, "reject": None, "outage": None}
    assert {"expected", "fired", "missing", "unexpected"} <= told["alerts"].keys()


def test_the_history_compares_each_drill_with_the_one_before(
    folder: Path, record: Callable[..., Record], keep: Keep
) -> None:
    root = folder / "state" / "oidcwatch" / "drills"
    keep(root, record())
    keep(root, record(7, Verdict.FAIL))

    rows = json.loads(drill("report", "--history", "--json").stdout)
    shown = drill("report", "--history").stdout.splitlines()

    assert [(row["verdict"], row["change"]) for row in rows] == [("pass", None), ("fail", "worse")]
    assert shown[2].rstrip().endswith("worse: passed before, failed now")


@pytest.mark.usefixtures("folder")
def test_where_no_drill_was_run_the_history_says_so() -> None:
    done = drill("report", "--history")

    assert (done.exit_code, done.stdout) == (0, "there are no drills yet; oidcwatch drill run begins one\n")
    assert drill("report", "--history", "--json").stdout == "[]\n"


def test_a_report_that_cannot_be_read_is_named_and_hides_no_other(
    folder: Path, record: Callable[..., Record], keep: Keep
) -> None:
    root = folder / "state" / "oidcwatch" / "drills"
    keep(root, record())
    (root / "20260302T091500Z-routine-0000").mkdir()
    (root / "20260302T091500Z-routine-0000" / "report.json").write_text("{}")

    done = drill("report", "--json")

    assert json.loads(done.stdout)["scenario"] == "zero-lead"
    assert "20260302T091500Z-routine-0000/report.json is no report of a drill" in done.stderr
