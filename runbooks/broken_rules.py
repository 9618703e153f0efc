"""What a page says of each rule of a key rotation that its alert can tell of: what it means, how to see it, what to do."""

from __future__ import annotations

from collections.abc import Iterator

from alerts.causes_table import cause_of
from alerts.model import Alert, Role
from alerts.rotation import ROTATION_ALERTS, findings_behind
from alerts.rotation_table import ROTATION
from exporters.findings import PROBE, ROTATION_CHECKS, TOLD_ONCE
from probes.checks import rotation
from probes.model import Stage
from runbooks.content import Block, Command, Heading, Paragraph, code, plain

_FROM_HISTORY = TOLD_ONCE | {check.id for check in rotation.ROTATION}


def rules_of(alert: Alert) -> tuple[str, ...]:
    """The checks, by id, that lead to this alert; none for an alert that is not about keys."""
    if alert.role is Role.FINDING:
        return tuple(row.id for told in ROTATION_ALERTS if told.name == alert.name for row in told.rows)
    return tuple(
        id for id in findings_behind(alert.reasons) if cause_of(ROTATION_CHECKS[id].reason, Stage.JWKS) == alert.name
    )


def broken_rules(alert: Alert) -> Iterator[Block]:
    """A part for each rule."""
    ids = rules_of(alert)
    if ids:
        yield Paragraph("The rule that is broken is named in the alert. What each means, and what to do:")
    for id in ids:
        row, check = ROTATION[id], ROTATION_CHECKS[id]
        yield Heading(f"{id}: {row.wrong}")
        yield Paragraph(f"Must hold: {plain(check.title)} ({plain(check.citation)}). {plain(row.why)}")
        yield Paragraph(row.do)
        yield Command(_confirm(id), expect=f"lines that name {id}, or the key and when it came and went")
        if row.drill:
            yield Paragraph(f"To rehearse it: {code(f'oidcwatch drill run {row.drill} --sandbox')}")


def _confirm(id: str) -> str:
    once = f'oidcwatch probe "$NAME/*/{PROBE}"'
    return f'oidcwatch keys history "$NAME"\n{once}' if id in _FROM_HISTORY else once
