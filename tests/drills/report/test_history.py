"""The history: every stored drill, in the order of time, beside the one before."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drills.history import Change, before, decisive, records, trend
from drills.record import Record, Times, Verdict
from drills.report.writing import write_report
from drills.scenario import Measure


def _next(record: Record, **changes: Any) -> Record:
    return dataclasses.replace(record, id=f"{record.id}-next", started=record.started + timedelta(days=7), **changes)


def test_stored_drills_are_read_newest_last_and_a_broken_one_is_named(
    rich: Record, earlier: tuple[Record, ...], tmp_path: Path
) -> None:
    for record in (rich, *earlier):
        write_report(record, tmp_path / record.id)
    for name, text in (("a-broken", "{"), ("b-other", '{"id": 1}'), ("c-deep", "[" * 100_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(text)
    (tmp_path / "d-open").mkdir()
    told: list[str] = []

    read = records(tmp_path, told.append)

    assert [record.id for record in read] == ["before-21", "before-14", "before-7", rich.id]
    assert [[name in line for name in ("a-broken", "b-other", "c-deep")] for line in told] == [
        [True, False, False], [False, True, False], [False, False, True],
    ]  # fmt: skip


def test_a_folder_that_is_not_there_holds_no_drills(tmp_path: Path) -> None:
    assert records(tmp_path / "nothing") == ()


def test_a_row_says_what_was_measured(rich: Record) -> None:
    (row,) = trend([rich])

    assert (row.verdict, row.decisive, row.detect, row.page, row.recover) == (Verdict.FAIL, 43.9, 3.1, 38.5, 0.4)
    assert (row.as_predicted, row.verifiers, row.share, row.change) == (12, 12, 1.0, None)


@pytest.mark.parametrize(
    ("changes", "change", "why"),
    [
        ({}, Change.SAME, ""),
        ({"verdict": Verdict.PASS, "recover_seconds": 90.0}, Change.BETTER, "failed before, passed now"),
        ({"recover_seconds": 9.0}, Change.WORSE, "recovery 0.4 s before, 9.0 s now"),
        ({"recover_seconds": 2.3}, Change.SAME, ""),
        ({"detect_seconds": 0.5}, Change.BETTER, "detection 3.1 s before, 0.5 s now"),
        ({"page_seconds": 300.0}, Change.WORSE, "page 38.5 s before, 300.0 s now"),
        ({"page_seconds": None, "detect_seconds": None}, Change.SAME, ""),
        ({"verdict": Verdict.ABORTED}, None, ""),
    ],
)
def test_a_drill_is_compared_with_the_one_before(
    rich: Record, changes: dict[str, Any], change: Change | None, why: str
) -> None:
    later = _next(rich, **changes)

    newest = trend([later, rich])[-1]

    assert (newest.change, newest.why) == (change, why)


def test_fewer_verifiers_as_predicted_is_worse(rich: Record) -> None:
    first, *rest = rich.verifiers

    newest = trend([rich, _next(rich, verifiers=(dataclasses.replace(first, ok=False), *rest))])[-1]

    assert (newest.change, newest.why) == (Change.WORSE, "as predicted 100% before, 92% now")


@pytest.mark.parametrize(("measure", "change"), [(Measure.REJECT, Change.WORSE), (Measure.OUTAGE, Change.BETTER)])
def test_a_longer_time_is_worse_but_for_how_long_keys_last_in_an_outage(
    rich: Record, measure: Measure, change: Change
) -> None:
    def lasting(seconds: float) -> Record:
        verifier = dataclasses.replace(rich.verifiers[0], observed=Times(reject=seconds, outage=seconds))
        return dataclasses.replace(rich, measure=measure, verifiers=(verifier,))

    assert trend([lasting(20.0), _next(lasting(40.0))])[-1].change is change


@pytest.mark.parametrize(
    ("measure", "change", "why"),
    [
        (Measure.ACCEPT, Change.WORSE, "never came 0% before, 50% now"),
        (Measure.REJECT, Change.WORSE, "never came 0% before, 50% now"),
        (Measure.OUTAGE, Change.BETTER, "the deciding time 20.0 s before, 300.0 s now"),
    ],
)
def test_never_is_the_worst_of_times_but_for_how_long_keys_last_in_an_outage(
    rich: Record, measure: Measure, change: Change, why: str
) -> None:
    def drilled(*times: float | None) -> Record:
        verifiers = tuple(dataclasses.replace(rich.verifiers[0], observed=Times(*[time] * 3)) for time in times)
        return dataclasses.replace(rich, measure=measure, verifiers=verifiers)

    worse = trend([drilled(300.0, 20.0), _next(drilled(300.0, None))])[-1]
    back = trend([drilled(300.0, None), _next(drilled(300.0, 20.0))])[-1]

    assert (worse.change, worse.why) == (change, why)
    assert back.change is (Change.BETTER if change is Change.WORSE else Change.WORSE)


def test_an_outage_that_nobody_noticed_any_more_is_better_and_one_that_somebody_did_is_worse(rich: Record) -> None:
    def lasting(seconds: float | None) -> Record:
        verifier = dataclasses.replace(rich.verifiers[0], observed=Times(outage=seconds))
        return dataclasses.replace(rich, measure=Measure.OUTAGE, verifiers=(verifier,))

    changes = [
        trend([lasting(old), _next(lasting(new))])[-1] for old, new in ((20.0, None), (None, 20.0), (None, None))
    ]

    assert [(each.change, each.why) for each in changes] == [
        (Change.BETTER, "the deciding time 20.0 s before, never now"),
        (Change.WORSE, "the deciding time never before, 20.0 s now"),
        (Change.SAME, ""),
    ]


def test_a_verifier_that_does_not_recover_any_more_is_worse(rich: Record) -> None:
    first, *rest = rich.verifiers

    out = dataclasses.replace(first, out=True)

    newest = trend([rich, _next(rich, recover_seconds=None, verifiers=(out, *rest))])[-1]

    assert (newest.change, newest.why) == (Change.WORSE, "not recovered 0% before, 8% now")


def test_the_deciding_time_is_the_slowest_and_in_an_outage_the_soonest(rich: Record) -> None:
    verifiers = tuple(
        dataclasses.replace(rich.verifiers[0], observed=Times(time, time, time)) for time in (3.0, 8.0, None)
    )

    times = [decisive(dataclasses.replace(rich, measure=each, verifiers=verifiers)) for each in (*Measure, None)]

    assert times == [8.0, 8.0, 3.0, None]


def test_an_aborted_drill_is_no_measure_for_the_next(rich: Record) -> None:
    aborted = _next(rich, verdict=Verdict.ABORTED, recover_seconds=None)

    rows = trend([rich, aborted, _next(aborted, verdict=Verdict.FAIL, recover_seconds=50.0)])

    assert [row.why for row in rows] == ["", "", "recovery 0.4 s before, 50.0 s now"]


def test_other_scenarios_and_issuers_and_later_drills_are_not_before(rich: Record) -> None:
    week = timedelta(days=7)
    kin = dataclasses.replace(rich, id="kin", started=rich.started - week)
    others = (
        dataclasses.replace(kin, id="scenario", scenario="routine"),
        dataclasses.replace(kin, id="issuer", issuer="other"),
        _next(rich),
        rich,
    )

    assert before(rich, (*others, kin)) == (kin,)
    assert [row.change for row in trend((kin, *others[:2]))] == [None, None, None]
