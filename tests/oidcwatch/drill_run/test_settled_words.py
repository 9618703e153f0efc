"""A drill that has come to its end is not called cut short when a schedule tidies up after it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from drills.journal import Entry, Journal
from drills.stop import Stop
from oidcwatch.drill_call import DrillCall, Lab, call_to_json
from oidcwatch.drill_finish import settle_all
from oidcwatch.drill_live import Show
from oidcwatch.drill_session import Session
from probes.redact import Redactor

NOBODY = Show(lambda progress: None, lambda text: None)


@pytest.mark.parametrize(
    ("entries", "said"),
    [((Entry.RESTORED, Entry.ENDED), ": "), ((), " was cut short: ")],
    ids=["a key is left", "killed"],
)
def test_only_a_drill_that_has_not_ended_was_cut_short(tmp_path: Path, entries: tuple[Entry, ...], said: str) -> None:
    journal = Journal.create(tmp_path, "zero-lead", datetime.now(UTC))
    call = call_to_json(DrillCall("zero-lead", lab=Lab.SANDBOX))
    journal.write(Entry.OPENED, issuer="sandbox", url="https://login.acme.example", keeps=False, poll=1.0, call=call)
    journal.write(Entry.MOVING, number=1, action="rotate", life=60.0)
    for entry in entries:
        journal.write(entry)
    journal.close()
    session = Session(None, os.environ, tmp_path, Redactor(), Stop())

    told = list(settle_all(session, NOBODY))

    assert told == [f"{journal.id}{said}the provider is as it was before"]
