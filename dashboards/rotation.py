"""Panels about key rotations: lead, overlap and age of keys, and the rules that are broken, for any choice of runs."""

from __future__ import annotations

from decimal import Decimal

from alerts import series as s
from alerts.rotation import RULE
from dashboards.grafana import Tile
from dashboards.scope import Scope
from dashboards.style import BAD, COUNT, INFO, SECONDS, WARN, Look, Query, graph
from dashboards.tables import Column, table
from exporters import metrics as m
from exporters.findings import LEVELS
from probes.model import Severity

_LEVEL = Look(
    "none",
    words={
        str(LEVELS[Severity.INFO]): ("info", INFO),
        str(LEVELS[Severity.WARNING]): ("warning", WARN),
        str(LEVELS[Severity.FAILURE]): ("failure", BAD),
    },
    steps=((None, INFO), (Decimal(LEVELS[Severity.WARNING]), WARN), (Decimal(LEVELS[Severity.FAILURE]), BAD)),
)
_SOUND = "no rule of a rotation is known to be broken"
_NO_ROTATION = "no rotation was seen"


def rotation_panels(first: int, scope: Scope) -> tuple[Tile, ...]:
    """Five panels whose ids count up from `first`."""
    return (
        broken_rules(first, scope),
        rule_levels(first + 1, scope),
        lead(first + 2, scope),
        overlap(first + 3, scope),
        key_age(first + 4, scope),
    )


def broken_rules(id: int, scope: Scope) -> Tile:
    """Now, in words."""
    worst = f"max by ({m.ISSUER}, {m.FINDING.name}) ({scope.of(m.FINDING_LEVEL)}) > 0"
    named = f"({worst}) * on ({m.FINDING.name}) group_left ({RULE}) {s.ROTATION_RULE}"
    labels = {m.ISSUER: "Issuer", m.FINDING.name: "Finding", RULE: "What is wrong"}
    about = (
        "Findings about keys and their rotation, as of the last run that could judge; the worst region counts. The "
        "runbook of the alert says what each means."
    )
    return table(id, "Broken rules of key rotation", about, labels, (Column("Level", named, _LEVEL),), no_value=_SOUND)


def rule_levels(id: int, scope: Scope) -> Tile:
    """Over time."""
    worst = f"max by ({m.ISSUER}, {m.FINDING.name}) ({scope.of(m.FINDING_LEVEL)}) > 0"
    about = (
        "Level of each finding about keys: 1 info, 2 warning, 3 failure; no line where it holds, or nobody can know."
    )
    look = Look(COUNT, 0, high=LEVELS[Severity.FAILURE], no_value=_SOUND)
    return graph(id, "Findings about keys", about, [Query(worst, "{{issuer}}: {{finding}}")], look, width=12)


def lead(id: int, scope: Scope) -> Tile:
    """Before a key signs."""
    query = Query(f"min by ({m.ISSUER}) ({scope.of(m.JWKS_LEAD)})", "{{issuer}}")
    about = (
        "Time from the publication of the newest signing key in every region to its first token. Less than caches keep a "
        "set, and verifiers refuse new tokens."
    )
    return graph(id, "Lead of the last rotation", about, [query], Look(SECONDS, 0, no_value=_NO_ROTATION))


def overlap(id: int, scope: Scope) -> Tile:
    """After a key has signed."""
    query = Query(f"min by ({m.ISSUER}) ({scope.of(m.JWKS_OVERLAP)})", "{{issuer}}")
    about = (
        "Time from the last token of the key that was last removed to the last sight of it. Less than a token lives, and "
        "valid tokens are refused."
    )
    return graph(id, "Overlap of the last rotation", about, [query], Look(SECONDS, 0, no_value=_NO_ROTATION))


def key_age(id: int, scope: Scope) -> Tile:
    """Of the keys that sign."""
    query = Query(f"max by ({m.ISSUER}) ({scope.of(m.JWKS_KEY_AGE)})", "{{issuer}}")
    about = "Time since the oldest key that signs was first seen; it is at least that old."
    return graph(id, "Age of the signing key", about, [query], Look(SECONDS, 0, no_value="no token was seen"))
