"""What is said of an agent that cannot be told that a drill is over."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from drills.journal import Entry, Journal, read_log
from oidcwatch.cli import make_app
from oidcwatch.drill_call import DrillCall, call_to_json
from oidcwatch.drill_plan import METADATA
from oidcwatch.drill_result import Ending
from probes.metadata import Metadata

NOBODY = "http://127.0.0.1:1"
CONFIGURATION = f"""
issuers:
  - name: staging
    url: https://login.acme.example
    verifiers: [jose]
    clients:
      - {{name: machine, client_id: machine, audience: orders, auth: {{secret: {{env: MACHINE_SECRET}}}}}}
    drill: {{client: machine, provider: {{type: manual}}, agents: ["{NOBODY}"]}}
"""


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of drills."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "oidcwatch.yaml").write_text(CONFIGURATION)
    return tmp_path / "oidcwatch-data" / "drills"


def told(kept: Path, *agents: str) -> str:
    """A drill that was cut short when these agents had taken it, and nothing was changed; gives its id."""
    journal = Journal.create(kept, "routine", datetime(2026, 3, 1, 9, 15, tzinfo=UTC))
    metadata = Metadata("https://login.acme.example", "", "", "", "", "", False, id_token_algs=("RS256",))
    config = str(kept.parents[1] / "oidcwatch.yaml")
    call = {**call_to_json(DrillCall("routine", issuer="staging", config=config)), METADATA: asdict(metadata)}
    journal.write(
        Entry.OPENED, scenario="routine", issuer="staging", url="https://login.acme.example", provider="manual",
        keeps=False, poll=1.0, longest=60.0, alerts_looked=False, agents=True, alertmanager=False, call=call,
    )  # fmt: skip
    journal.write(Entry.AGENTS_TOLD, agents=list(agents))
    journal.close()
    return journal.id


def test_abort_says_which_agent_it_could_not_tell(kept: Path) -> None:
    name = told(kept, f"agent {NOBODY}")

    done = CliRunner().invoke(make_app(), ["drill", "abort"], catch_exceptions=False)

    assert done.exit_code == Ending.NOT_RUN
    assert f"agents still count the drill's runs: agent {NOBODY}: " in done.stderr
    assert f"repeat: oidcwatch drill abort {name}" in done.stderr
    assert read_log(kept / name).agents_told


def test_an_agent_that_never_took_the_drill_need_not_be_told_of_its_end(kept: Path) -> None:
    name = told(kept, "agent http://elsewhere.example")

    done = CliRunner().invoke(make_app(), ["drill", "abort"], catch_exceptions=False)

    assert done.exit_code == Ending.PASSED, done.output
    assert not read_log(kept / name).unfinished
