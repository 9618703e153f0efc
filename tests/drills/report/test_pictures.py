"""The pictures: labels that do not cover one another, axes that can be read, curves that show what was said."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import timedelta
from itertools import combinations

import pytest

from drills.record import Event, EventKind, Point, Record, Times
from drills.report.axis import axis
from drills.report.curves import curves, runs, window
from drills.report.fleet import fleet, in_words, predicted_shares, shares
from drills.report.sparkline import sparkline
from drills.report.svg import cut, width_of
from drills.report.timeline import NARROW, WIDE, timeline
from drills.scenario import Generation, Measure


def _parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own picture


def _boxes(picture: ET.Element, *classes: str) -> list[tuple[str, float, float, float, float]]:
    """Text with left, top, right and bottom, as far as the estimate of its width goes."""
    found = []
    for text in picture.iter("text"):
        if text.get("class", "").split()[0] not in classes:
            continue
        words, x, y = text.text or "", float(text.get("x", "")), float(text.get("y", ""))
        width = width_of(words, 12.0)
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[text.get("text-anchor", "start")]
        found.append((words, left, y - 10, left + width, y + 3))
    return found


def _covering(boxes: Sequence[tuple[str, float, float, float, float]]) -> list[tuple[str, str]]:
    return [
        (a[0], b[0]) for a, b in combinations(boxes, 2) if a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4]
    ]


def _crowded(rich: Record, seconds: float) -> Record:
    """Sixty verifiers that flap, and alerts and sightings without end, in so many seconds."""
    start = rich.started
    events = tuple(
        Event(
            start + timedelta(seconds=seconds * number / 240), kind, f"subject-{number % 60} does {'a thing ' * length}"
        )
        for number in range(240)
        for kind, length in ((list(EventKind)[1:][number % 5], 1 + number % 9),)
    )
    many = tuple(dataclasses.replace(rich.verifiers[n % 12], name=f"verifier-{n}") for n in range(60))
    ended = start + timedelta(seconds=seconds)
    return dataclasses.replace(rich, events=events, verifiers=many, ended=ended, clock_started=start)


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("seconds", [5.0, 90.0, 7200.0])
def test_labels_of_the_timeline_do_not_cover_one_another_and_stay_inside(
    rich: Record, width: float, seconds: float
) -> None:
    picture = _parsed(timeline(_crowded(rich, seconds), width))

    labels = _boxes(picture, "label", "lane")

    assert _covering(labels) == []
    assert [words for words, left, _, right, _ in labels if left < -1 or right > width + 1] == []


def test_what_finds_no_room_on_the_timeline_is_counted(rich: Record) -> None:
    picture = _parsed(timeline(_crowded(rich, 60.0), WIDE))

    words = [text.text or "" for text in picture.iter("text")]

    assert any(re.fullmatch(r"\d+ more in the list below", each) for each in words)


def test_verifiers_that_do_the_same_at_the_same_time_share_a_label(rich: Record) -> None:
    words = [text.text for text in _parsed(timeline(rich)).iter("text")]

    assert "+0.5 s · pyjwt and 6 more: refuses the new token" in words


@pytest.mark.parametrize("seconds", [0.0, 0.2, 5.0, 62.0, 900.0, 7200.0, 3e7])
@pytest.mark.parametrize("width", [250.0, 800.0])
def test_an_axis_names_round_seconds_that_do_not_cover_one_another(seconds: float, width: float) -> None:
    scale = axis(-1.0, seconds, 0.0, width)

    names = [_parsed(name) for name in scale.names(10.0)]

    assert 2 <= len(names) <= width / 60
    assert len({name.text for name in names}) == len(names)
    root = ET.Element("svg")
    root.extend(names)
    assert _covering(_boxes(root, "tick")) == []


def test_what_lies_outside_of_an_axis_is_drawn_at_its_edge() -> None:
    scale = axis(0.0, 10.0, 100.0, 200.0)

    assert (scale.x(-5), scale.x(5), scale.x(50)) == (100.0, 150.0, 200.0)


def test_a_curve_is_cut_into_stretches_of_the_same_answer() -> None:
    points = [Point(float(second), Generation.NEW, second >= 3) for second in range(6)]

    assert list(runs(points, poll=0.5)) == [(0.0, 3.0, False), (3.0, 5.5, True)]


def test_accepting_is_drawn_higher_than_refusing(rich: Record) -> None:
    bands = [box for box in _parsed(curves(rich)).iter("rect") if box.get("class") in ("accepts", "refuses")]

    heights = {class_: {float(box.get("height", "")) for box in bands if box.get("class") == class_} for class_ in
               ("accepts", "refuses")}  # fmt: skip

    assert min(heights["accepts"]) >= 2 * max(heights["refuses"])


def test_a_row_shows_the_predicted_and_the_observed_time_and_the_bound_where_they_lie(rich: Record) -> None:
    (openid,) = (verifier for verifier in rich.verifiers if verifier.name == "openid-client")
    picture = _parsed(curves(dataclasses.replace(rich, verifiers=(openid,))))

    said = [mark.findtext("title") for mark in picture.iter("polygon")]
    bounds = [line for line in picture.iter("line") if line.get("class") == "bound"]

    assert said == ["predicted 43.2 s", "observed 43.9 s"]
    assert len(bounds) == 1


@pytest.mark.parametrize("measure", [*Measure, None])
@pytest.mark.parametrize("number", [1, 12, 60])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_texts_of_the_curves_stay_inside_for_any_number_of_verifiers(
    rich: Record, measure: Measure | None, number: int, width: float
) -> None:
    long = tuple(
        dataclasses.replace(rich.verifiers[n % 12], name=f"a-verifier-with-quite-a-long-name-{n}", version="v" * 60)
        for n in range(number)
    )

    picture = _parsed(curves(dataclasses.replace(rich, measure=measure, verifiers=long), width))

    boxes = _boxes(picture, "name", "numbers")
    assert len(boxes) == 2 * number
    assert _covering(boxes) == []
    assert [words for words, left, _, right, _ in boxes if left < 0 or right > width + 2] == []


def test_nobody_asked_means_no_picture(stillborn: Record) -> None:
    assert curves(stillborn) == fleet(stillborn) == ""


def test_the_calm_before_the_clock_takes_little_of_the_picture_and_trouble_before_it_is_shown(rich: Record) -> None:
    (first, *_) = rich.verifiers
    calm = dataclasses.replace(first, curve=(Point(-900.0, Generation.OLD, True), Point(60.0, Generation.OLD, True)))
    trouble = dataclasses.replace(first, curve=(*calm.curve, Point(-300.0, Generation.OLD, False)))

    shown = [window(dataclasses.replace(rich, verifiers=(each,)))[0] for each in (calm, trouble)]

    assert shown == [pytest.approx(-12.2), -301.0]


def test_the_share_of_the_fleet_is_that_of_those_who_were_asked(rich: Record) -> None:
    steps = shares(rich, Generation.NEW)

    before = [share for seconds, share in steps if seconds < 65]
    assert [before[0], before[-1], steps[-1][1]] == pytest.approx([5 / 12, 11 / 12, 1.0])
    assert in_words(rich) == (
        "The new token was accepted by 92% of the verifiers when the fault ended, and by 42% at the least. "
        "The old token was accepted by 100% of the verifiers when the fault ended."
    )


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Measure.ACCEPT, [(0.0, 1 / 3), (4.0, 2 / 3)]),
        (Measure.REJECT, [(0.0, 2 / 3), (4.0, 1 / 3)]),
        (Measure.OUTAGE, [(0.0, 2 / 3), (4.0, 1 / 3)]),
    ],
)
def test_the_predicted_share_follows_from_the_predicted_times(
    rich: Record, measure: Measure, expected: list[tuple[float, float]]
) -> None:
    verifiers = tuple(
        dataclasses.replace(rich.verifiers[0], predicted=Times(time, time, time)) for time in (0.0, 4.0, None)
    )

    shown = predicted_shares(dataclasses.replace(rich, measure=measure, verifiers=verifiers))

    assert [*map(list, shown)] == [pytest.approx(list(step)) for step in expected]


def test_a_trend_needs_two_drills_and_shows_a_gap_where_nothing_was_measured() -> None:
    picture = _parsed(sparkline("detect", [4.0, 3.0, None, 2.0, 1.0]))

    assert sparkline("detect", [None, 3.0]) == ""
    assert len(list(picture.iter("polyline"))) == 2
    assert [dot.findtext("title") for dot in picture.iter("circle")] == ["4 s", "3 s", "2 s", "1 s"]
    assert picture.get("aria-label") == "detect over 5 drills: from 4 s to 1 s, at most 4 s"


def test_a_text_is_cut_to_a_width() -> None:
    assert cut("rotation", 200.0) == "rotation"
    assert cut("a new key signs at once", 60.0).endswith("…")
    assert width_of(cut("a new key signs at once", 60.0)) <= 60.0
