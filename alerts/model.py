"""The values that rules are made of: conditions, alerts, recording rules and groups. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from alerts.promql import number
from alerts.windows import Severity
from exporters import metrics as m
from probes.model import Reason

ANY = "*"
"""Value of `target` and `region` where an alert is about all of them: a label that is missing on both sides counts as
equal for Alertmanager's inhibition, so every alert carries every label that is compared."""
NONE = "none"
"""Value of `slo`, `tier` and `finding` for alerts that have no such thing."""

SEVERITY, OWNER, TIER, AREA, ROLE, SLO = "severity", "owner", "tier", "area", "role", "slo"
LABELS = (m.ISSUER, m.TARGET, m.REGION, m.DRILL, m.FINDING.name, SLO, TIER, SEVERITY, OWNER, AREA, ROLE)
"""Every alert has exactly these labels (and `alertname`)."""


class Area(StrEnum):
    """Where the root cause lies: alerts of one issuer and one area are one incident, and one notification."""

    PROVIDER = "provider"
    TOKEN = "token"
    KEYS = "keys"
    LOGIN = "login"
    REFRESH = "refresh"
    CLIENT = "client"
    RESOURCE = "resource"
    CLOCK = "clock"
    CERTIFICATE = "certificate"
    SECURITY = "security"
    PROBE = "probe"
    DRILL = "drill"


class Role(StrEnum):
    """What an alert tells: users suffer, why, one region only, a broken rule, or that the watcher itself is broken."""

    SYMPTOM = "symptom"
    CAUSE = "cause"
    REGION = "region"
    FINDING = "finding"  # which rule of a key rotation is broken, whatever follows from it
    BUDGET = "budget"
    WATCHER = "watcher"


class Level(StrEnum):
    """Which labels of the series tell one alert from another of the same name, beside `drill`."""

    ISSUER = "issuer"
    TARGET = "issuer_target"
    REGION = "issuer_target_region"
    FINDING = "issuer_finding"
    AGENT = "agent"  # about the watcher: issuer, target and region are ANY


class Team(StrEnum):
    """Whose label `owner` is looked up when the rule is evaluated."""

    ISSUER = "issuer"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thresholded series: the panel of the alert draws exactly this. `series` is PromQL without a comparison."""

    title: str
    series: str
    op: Literal[">", ">=", "<", "<=", "=="]
    threshold: Decimal

    def __str__(self) -> str:
        series = f"({self.series})" if "\n" in self.series or " " in self.series else self.series
        return f"{series} {self.op} {number(self.threshold)}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule. It fires when all conditions of one of the clauses hold, for `lasting`.

    Texts are Prometheus templates that may use `$labels`. Series of the conditions have the labels of `level` and
    `drill`, and the first condition's value is the alert's.
    """

    name: str
    severity: Severity
    area: Area
    role: Role
    level: Level
    any_of: tuple[tuple[Condition, ...], ...]
    summary: str
    """One sentence: what is wrong and, as k of n, on what evidence."""
    impact: str
    """What users see."""
    owner: Team | str = Team.ISSUER
    """Whom it is for: looked up, or a fixed team."""
    slo: str = NONE
    tier: str = NONE
    reasons: tuple[Reason, ...] = ()
    """The failure reasons that lead here, for cause alerts."""
    lasting: timedelta = timedelta(0)
    keep_firing: timedelta = timedelta(0)
    about: str = ""
    """Sentences for the runbook: what exactly is compared, and why so."""
    drills: bool = True
    """Whether it is evaluated for drill runs as well; budgets are not."""
    runs_on: tuple[str, ...] = ()
    """Kinds of probe that feed it; empty means all."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions of all clauses, in order."""
        return tuple(condition for clause in self.any_of for condition in clause)

    @property
    def condition_text(self) -> str:
        """PromQL of the clauses, without labels of the owner."""
        clauses = ["\nand\n".join(map(str, clause)) for clause in self.any_of]
        return clauses[0] if len(clauses) == 1 else "\nor\n".join(f"(\n{clause}\n)" for clause in clauses)


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording rule; `labels` are added to its series."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated together, in order, every `interval`."""

    name: str
    interval: timedelta
    rules: tuple[Recording | Alert, ...]
