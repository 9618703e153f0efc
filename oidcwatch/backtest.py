"""What `oidcwatch slo backtest` says: the span of time that is asked for, and the alerts that it would have had."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.backtest import Alarm, Backtest
from alerts.deployment import Deployment, Slo
from alerts.windows import Severity
from oidcwatch.config_duration import parse_duration

_LONGEST = timedelta(days=400)


def moment(text: str, now: datetime) -> datetime:
    """A time as ISO 8601 has it (UTC when it names no offset), or how long ago: `7d`. Raises ValueError."""
    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def span(since: str, until: str, now: datetime) -> tuple[datetime, datetime]:
    """The span from `since` to `until` (empty: now). Raises ValueError that says what is wrong."""
    found = []
    for option, text in (("--from", since), ("--to", until or "0")):
        try:
            found.append(moment(text, now))
        except (ValueError, OverflowError):
            raise ValueError(
                f"{option}: {text!r} is neither a time like 2026-03-01T12:00Z nor one ago like 7d"
            ) from None
    begin, end = found
    if not timedelta(0) < end - begin <= _LONGEST:
        raise ValueError(f"from {begin.isoformat()} to {end.isoformat()} is not a span of up to {_LONGEST.days} days")
    return begin, end


def as_json(found: Backtest, deployment: Deployment) -> dict[str, Any]:
    """One object; keys are only ever added."""
    return {
        "from": found.since.isoformat(),
        "to": found.until.isoformat(),
        "pages": found.pages,
        "pages_per_30d": round(found.pages_per_30d, 2),
        "alerts": [_alert(alarm) for alarm in found.alarms],
        "replayed": [slo.name for slo in found.replayed],
        "not_replayed": [slo.name for slo in _left_out(found, deployment)],
    }


def _alert(alarm: Alarm) -> dict[str, Any]:
    episode, subject = alarm.episode, alarm.watched.subject
    return {
        "slo": alarm.slo.name,
        "tier": episode.tier.name,
        "severity": episode.tier.severity.value,
        "issuer": subject.issuer,
        "target": subject.target,
        "drill": alarm.watched.drill,
        "start": episode.start.isoformat(),
        "end": episode.end.isoformat(),
        "bad": episode.bad,
        "total": episode.total,
    }


def print_backtest(found: Backtest, deployment: Deployment, console: Console) -> None:
    """The alerts in order, and what that is in a month."""
    if found.alarms:
        table = Table(box=None, pad_edge=False)
        for title in ("start", "length", "severity", "objective", "tier", "whose", "bad of all"):
            table.add_column(title)
        for alarm in found.alarms:
            table.add_row(*_cells(alarm))
        console.print(table)
    days = (found.until - found.since) / timedelta(days=1)
    pages = f"{found.pages} page{'s' * (found.pages != 1)} in {days:.1f} days, {found.pages_per_30d:.1f} in 30 days"
    console.print(Text.assemble((pages, "bold"), f"; {len(found.alarms)} alerts altogether, drills included"))
    if not found.replayed:
        console.print("There is no history of that time.")
    elif left_out := _left_out(found, deployment):
        names = ", ".join(slo.name for slo in left_out)
        console.print(f"Without history, or counted in something else than runs (ask a Prometheus): {names}")


def _cells(alarm: Alarm) -> tuple[Text, ...]:
    episode = alarm.episode
    minutes = (episode.end - episode.start) // timedelta(minutes=1)
    drill = " (drill)" if alarm.watched.drill else ""
    return (
        Text(f"{episode.start:%Y-%m-%d %H:%M} UTC"),
        Text(f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"),
        Text(episode.tier.severity.value, "red" if episode.tier.severity is Severity.PAGE else "cyan"),
        Text(alarm.slo.name),
        Text(episode.tier.name),
        Text(f"{alarm.watched.subject}{drill}"),
        Text(f"{episode.bad} of {episode.total}"),
    )


def _left_out(found: Backtest, deployment: Deployment) -> tuple[Slo, ...]:
    return tuple(slo for slo in deployment.fed() if slo not in found.replayed)
