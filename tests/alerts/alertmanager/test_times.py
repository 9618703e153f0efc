"""Office hours and maintenance as Alertmanager's time intervals, and single silences as commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from alerts.alertmanager_times import Span, intervals_of, maintained_issuers, silence_command, spans_of
from alerts.deployment import Alerting, Deployment, Maintenance
from exporters.slis import Matcher

START = datetime(2031, 5, 4, 22, 0, tzinfo=timezone(timedelta(hours=2)))
WEEK = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def _spans(days: str = "", start: str = "", end: str = "") -> tuple[Span, ...]:
    return spans_of(Maintenance("patching", days=days, start=start, end=end), "maintenance patching")


@pytest.mark.parametrize(
    ("days", "weekdays"),
    [
        ("", ()),
        ("monday", ("monday",)),
        ("monday:wednesday", ("monday", "tuesday", "wednesday")),
        ("Saturday, Sunday", ("sunday", "saturday")),
        ("friday:monday", ("sunday", "monday", "friday", "saturday")),
        ("sunday:saturday", WEEK),
    ],
)
def test_days_are_written_in_the_order_of_the_week(days: str, weekdays: tuple[str, ...]) -> None:
    (span,) = _spans(days)

    assert span == Span(weekdays, "", "", "UTC")


def test_hours_that_pass_midnight_end_on_the_next_day() -> None:
    evening, night = _spans("friday,saturday", "22:00", "04:00")

    assert evening == Span(("friday", "saturday"), "22:00", "24:00", "UTC")
    assert night == Span(("sunday", "saturday"), "00:00", "04:00", "UTC")


@pytest.mark.parametrize(
    ("start", "end", "span"),
    [
        ("02:00", "04:00", ("02:00", "04:00")),
        ("22:00", "", ("22:00", "24:00")),
        ("22:00", "00:00", ("22:00", "24:00")),
        ("", "06:00", ("00:00", "06:00")),
        ("00:00", "24:00", ("", "")),
    ],
)
def test_hours_of_one_day_are_one_span(start: str, end: str, span: tuple[str, str]) -> None:
    assert [(each.start, each.end) for each in _spans("sunday", start, end)] == [span]


@pytest.mark.parametrize(
    ("days", "start", "end", "told"),
    [
        ("mon", "", "", "maintenance patching: 'mon' is no weekday; write monday:friday"),
        ("monday:someday", "", "", "'someday' is no weekday"),
        ("", "8:00", "", "maintenance patching: '8:00' is no time of day; write 08:00"),
        ("", "08:00", "25:00", "'25:00' is no time of day"),
        ("", "08:00", "08:00", "it ends when it starts, at 08:00"),
        ("", "24:00", "04:00", "it starts at the day's end"),
    ],
)
def test_days_and_hours_that_there_are_not_are_refused(days: str, start: str, end: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        _spans(days, start, end)


def test_two_windows_of_one_name_are_refused(deployment: Deployment) -> None:
    twice = replace(deployment, alerting=Alerting(maintenance=(Maintenance("x"), Maintenance("x", ("acme",)))))

    with pytest.raises(ValueError, match="two windows have the name 'x'"):
        intervals_of(twice)


def test_an_issuer_is_silent_in_every_window_that_concerns_it(deployment: Deployment) -> None:
    windows = (
        Maintenance("all"),
        Maintenance("a", ("acme", "a.c|me")),
        Maintenance("b", ("acme", "a.c|me", "partner")),
        Maintenance("c", ("partner",)),
    )

    maintained = maintained_issuers(replace(deployment, alerting=Alerting(maintenance=windows)))

    assert maintained == (
        (Matcher("issuer", "=~", r"a\.c\|me|acme"), ("maintenance-all", "maintenance-a", "maintenance-b")),
        (Matcher("issuer", "=", "partner"), ("maintenance-all", "maintenance-b", "maintenance-c")),
        (Matcher("issuer", "!=", "*"), ("maintenance-all",)),
    )


def test_without_maintenance_nothing_is_muted(deployment: Deployment) -> None:
    assert maintained_issuers(replace(deployment, alerting=Alerting())) == ()


def test_a_silence_names_issuers_times_and_who_wants_it(deployment: Deployment) -> None:
    command = silence_command(
        deployment, ("partner", "acme"), START, START + timedelta(hours=1), author="o'neill", comment="new $(hardware)"
    )

    assert shlex.split(command) == [
        "amtool",
        "silence",
        "add",
        "--alertmanager.url=https://alertmanager.acme.example",
        "--start=2031-05-04T20:00:00+00:00",
        "--end=2031-05-04T21:00:00+00:00",
        "--author=o'neill",
        "--comment=new $(hardware)",
        'issuer=~"acme|partner"',
        'area!="security"',
    ]


def test_a_silence_of_all_issuers_keeps_the_watcher_audible(deployment: Deployment) -> None:
    command = silence_command(deployment, (), START, START + timedelta(hours=1), author="a", comment="c")

    assert shlex.split(command)[-2:] == ['issuer!="*"', 'area!="security"']


def test_a_silence_that_ends_before_it_starts_is_refused(deployment: Deployment) -> None:
    with pytest.raises(ValueError, match="which is not after 2031"):
        silence_command(deployment, (), START, START.astimezone(UTC), author="a", comment="c")
