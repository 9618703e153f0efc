"""Office hours and maintenance as Alertmanager's time intervals, and as silences where they happen once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alerts.deployment import Deployment, Maintenance, OfficeHours
from alerts.model import ANY, AREA, Area
from exporters import metrics as m
from exporters.slis import Matcher

OFFICE_HOURS = "office-hours"
WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
"""In Alertmanager's order, in which a range must not run backwards."""

_MIDNIGHT, _DAY_END = "00:00", "24:00"
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d|24:00")


@dataclass(frozen=True, slots=True)
class Span:
    """Hours of some days. Empty `weekdays` means every day, empty `start` and `end` the whole of it."""

    weekdays: tuple[str, ...]
    start: str
    end: str
    location: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A named time interval: the union of its spans."""

    name: str
    spans: tuple[Span, ...]


def maintenance_name(window: Maintenance) -> str:
    """The name of the window's time interval."""
    return f"maintenance-{window.name}"


def intervals_of(deployment: Deployment) -> tuple[Interval, ...]:
    """Office hours and every maintenance window.

    Raises ValueError for a day or a time that Alertmanager does not know, and for two windows of one name.
    """
    windows = deployment.alerting.maintenance
    names = [maintenance_name(window) for window in windows]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"maintenance: two windows have the name {min(twice).removeprefix('maintenance-')!r}")
    office = Interval(OFFICE_HOURS, spans_of(deployment.alerting.office_hours, "office_hours"))
    planned = (Interval(maintenance_name(window), spans_of(window, f"maintenance {window.name}")) for window in windows)
    return (office, *planned)


def spans_of(hours: OfficeHours | Maintenance, where: str) -> tuple[Span, ...]:
    """The hours as Alertmanager takes them: those that pass midnight are two spans, the second on the next day."""
    days = _weekdays(hours.days, where)
    start, end = hours.start or _MIDNIGHT, hours.end or _DAY_END
    for time in (start, end):
        if not _TIME.fullmatch(time):
            raise ValueError(f"{where}: {time!r} is no time of day; write 08:00, or 24:00 for the end of the day")
    if (start, end) == (_MIDNIGHT, _DAY_END):
        return (Span(days, "", "", hours.location),)
    if start == _DAY_END:
        raise ValueError(f"{where}: it starts at the day's end; write 00:00 and the next day")
    if start < end:
        return (Span(days, start, end, hours.location),)
    if start == end:
        raise ValueError(f"{where}: it ends when it starts, at {start}; leave both out for the whole day")
    evening = Span(days, start, _DAY_END, hours.location)
    if end == _MIDNIGHT:
        return (evening,)
    return evening, Span(_next_days(days), _MIDNIGHT, end, hours.location)


def _weekdays(text: str, where: str) -> tuple[str, ...]:
    """`monday:friday` or `saturday, sunday`, in the order of the week; a range may pass the week's end."""
    chosen: set[int] = set()
    for part in filter(None, (part.strip().lower() for part in text.split(","))):
        first, _, last = part.partition(":")
        for day in (first, last or first):
            if day not in WEEKDAYS:
                raise ValueError(f"{where}: {day!r} is no weekday; write monday:friday or saturday,sunday")
        start, length = WEEKDAYS.index(first), (WEEKDAYS.index(last or first) - WEEKDAYS.index(first)) % 7
        chosen |= {(start + day) % 7 for day in range(length + 1)}
    return tuple(day for number, day in enumerate(WEEKDAYS) if number in chosen)


def _next_days(days: tuple[str, ...]) -> tuple[str, ...]:
    following = {WEEKDAYS[(WEEKDAYS.index(day) + 1) % 7] for day in days}
    return tuple(day for day in WEEKDAYS if day in following)


def interval_document(interval: Interval) -> dict[str, Any]:
    """As an entry of `time_intervals`."""
    return {"name": interval.name, "time_intervals": [_span_document(span) for span in interval.spans]}


def _span_document(span: Span) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if span.weekdays:
        document["weekdays"] = list(span.weekdays)
    if span.start:
        document["times"] = [{"start_time": span.start, "end_time": span.end}]
    return {**document, "location": span.location}


def maintained_issuers(deployment: Deployment) -> tuple[tuple[Matcher, tuple[str, ...]], ...]:
    """For each set of issuers with the same windows: who they are, and the names of their time intervals.

    Alertmanager takes the first child route that matches, so an issuer with two windows needs one route with both.
    Alerts about the watcher itself have no issuer, and no maintenance.
    """
    windows = deployment.alerting.maintenance
    for_all = tuple(maintenance_name(window) for window in windows if not window.issuers)
    named = sorted({issuer for window in windows for issuer in window.issuers})
    alike: dict[tuple[str, ...], list[str]] = {}
    for issuer in named:
        own = (window for window in windows if not window.issuers or issuer in window.issuers)
        alike.setdefault(tuple(map(maintenance_name, own)), []).append(issuer)
    some = tuple((_one_of(issuers), names) for names, issuers in alike.items())
    return (*some, (Matcher(m.ISSUER, "!=", ANY), for_all)) if for_all else some


def _one_of(issuers: Sequence[str]) -> Matcher:
    if len(issuers) == 1:
        return Matcher(m.ISSUER, "=", issuers[0])
    return Matcher(m.ISSUER, "=~", "|".join(map(_literal, issuers)))


def _literal(text: str) -> str:
    """The text as a regular expression of RE2. Unlike re.escape it leaves hyphens alone: people read these."""
    return re.sub(r"[\\.+*?()|\[\]{}^$]", r"\\\g<0>", text)


def silence_command(
    deployment: Deployment, issuers: Iterable[str], start: datetime, end: datetime, *, author: str, comment: str
) -> str:
    """The command that silences issuers (none: all) once, from `start` to `end`, both aware.

    Like maintenance windows, it leaves security and the watcher's own alerts alone. Raises ValueError when the end is
    not after the start.
    """
    if end <= start:
        raise ValueError(f"the silence ends at {end.isoformat()}, which is not after {start.isoformat()}")
    named = sorted(issuers)
    arguments = [
        *("amtool", "silence", "add"),
        *(f"--alertmanager.url={url}" for url in filter(None, (deployment.alerting.alertmanager_url,))),
        *(f"--start={_rfc3339(start)}", f"--end={_rfc3339(end)}", f"--author={author}", f"--comment={comment}"),
        *_silenced(named),
    ]
    return shlex.join(arguments)


def _silenced(issuers: Sequence[str]) -> Iterator[str]:
    yield str(_one_of(issuers) if issuers else Matcher(m.ISSUER, "!=", ANY))
    yield str(Matcher(AREA, "!=", Area.SECURITY))


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
