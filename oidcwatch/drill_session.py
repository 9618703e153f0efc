"""Runs a drill for a command: provider, plan, engine, report; and says in words and by an exit code how it ended."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from drills.driver import DriverFailed
from drills.engine import run_drill
from drills.history import before, records
from drills.journal import DrillOpen, Entry, read_log
from drills.plan import NotReady, Plan
from drills.record import Checked, Record, to_json
from drills.recovery import NotRestored
from drills.report.clean import clean
from drills.report.writing import write_report
from drills.stop import Stop
from oidcwatch.drill_call import CallError, DrillCall, scenario_named
from oidcwatch.drill_live import Board, Show
from oidcwatch.drill_places import Place, issuer_place, lab_place
from oidcwatch.drill_plan import Talk, planned
from oidcwatch.drill_result import CODES, Ending
from oidcwatch.settings import Settings
from probes.classify import classify
from probes.redact import Redactor
from sandbox.launch import SandboxError
from sandbox.peers.peer import PeerFailed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How it went. Without a record the drill was not begun, or could not be brought to its end."""

    code: Ending
    record: Record | None = None
    report: Path | None = None
    problem: str = ""
    checks: tuple[Checked, ...] = ()
    """Of a preflight that forbade it."""


@dataclass(frozen=True, slots=True)
class Session:
    """Everything that a drill of a command needs beside the call. May run several, one after the other."""

    settings: Settings | None
    """None for labs."""
    environ: Mapping[str, str] = field(repr=False)
    root: Path
    """Where drills are kept."""
    redact: Redactor = field(repr=False)
    stop: Stop
    board: Board = field(default_factory=Board)

    def run(self, call: DrillCall, show: Show) -> Ended:
        """One drill. Raises CallError for a call that names what is not there."""
        try:
            with self._place(call, show) as place, planned(call, place, self.root, self.talk(show), self.stop) as plan:
                return self._run(plan, show)
        except CallError:
            raise
        except NotReady as error:
            return Ended(Ending.NOT_RUN, problem="the preflight forbids it; nothing was changed", checks=error.checks)
        except NotRestored as error:
            return Ended(Ending.NOT_RESTORED, problem=self.redact(str(error)))
        except (SandboxError, PeerFailed, DriverFailed, DrillOpen) as error:
            return Ended(Ending.NOT_RUN, problem=self.redact(str(error)))
        except Exception as error:
            log.debug("the drill could not be run", exc_info=True)
            return Ended(Ending.NOT_RUN, problem=self.redact(classify(error).told))

    def talk(self, show: Show) -> Talk:
        """How the parts of a drill speak to people."""
        return Talk(lambda text: show.say(f">>> {text}"), show.say, self.redact)

    def _run(self, plan: Plan, show: Show) -> Ended:
        if self.stop.is_set():  # while the provider was started
            problem = "it was stopped before anything was changed"
            plan.journal.write(Entry.ENDED, ending=problem)
            plan.journal.close()
            return Ended(Ending.ABORTED, problem=problem)
        return self.finished(self._drilled(plan, show))

    def _drilled(self, plan: Plan, show: Show) -> Record:
        """Raises NotRestored for whatever ended the drill while the provider was other than before."""
        try:
            return run_drill(plan, show.tell, self.stop)
        except (NotReady, NotRestored):
            raise
        except Exception as error:
            if not read_log(plan.journal.folder).touched:
                raise
            raise NotRestored(
                f"the provider may not be as it was before: {classify(error).told}; bring it back: "
                f"oidcwatch drill abort {plan.journal.id}"
            ) from error

    def finished(self, record: Record) -> Ended:
        """Writes the report."""
        report = write_report(record, self.root / record.id, before(record, records(self.root)))
        return Ended(CODES[record.verdict], record, report)

    @contextlib.contextmanager
    def _place(self, call: DrillCall, show: Show) -> Iterator[Place]:
        if call.lab is None and self.settings is not None:
            yield issuer_place(call, self.settings, self.environ)
        elif call.lab is not None:
            show.say(f"starting {call.lab}")
            with lab_place(call.lab, self.environ, scenario_named(call.scenario)) as place:
                yield place


def json_of(ended: Ended) -> dict[str, object]:
    """The record as `drill run --json` prints it; of a drill that has none, why."""
    if ended.record is not None:
        return to_json(clean(ended.record))
    checks = [{"name": check.name, "ok": check.ok, "text": check.text} for check in ended.checks]
    return {"verdict": None, "problem": ended.problem, "preflight": checks, "at": datetime.now(UTC).isoformat()}
