"""Alerts over the checks of key rotations: one for each urgency and area, told apart by the label `finding`.

Few rules serve the whole table, as one rule serves every issuer: the label keeps the findings apart, so that a second one
is told although the first still lasts, which a single alert without it would swallow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import groupby

from alerts import series as s
from alerts.causes_evidence import one_of
from alerts.causes_model import FIVE_MINUTES, HALF_AN_HOUR, longest_window, team
from alerts.causes_table import cause_of
from alerts.deployment import Deployment
from alerts.model import Alert, Area, Condition, Group, Level, Recording, Role, Team
from alerts.promql import duration
from alerts.rotation_table import ROTATION, RotationRow, Seen, Witness
from alerts.texts import AT_ISSUER
from alerts.windows import Severity
from exporters import metrics as m
from exporters.findings import LEVELS, PROBE, ROTATION_CHECKS
from exporters.slis import Matcher, Selector
from probes import model
from probes.model import Check, Reason, Stage
from probes.reasons import Owner

RULE = "rule"
"""The label of the series that hold what is wrong for each finding, in words."""

_FAILURE = LEVELS[model.Severity.FAILURE]
_BY = f"{m.ISSUER}, {m.FINDING.name}, {m.DRILL}"
_OWN = f"{m.ISSUER}='%[1]s',{m.FINDING.name}='%[2]s',{m.DRILL}='%[3]s'"
_LABELS = f"$labels.{m.ISSUER} $labels.{m.FINDING.name} $labels.{m.DRILL}"
_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class RotationAlert:
    """Which rows of the table an alert tells of, and from which level on; None where a row is none of its business."""

    name: str
    severity: Severity
    area: Area
    level_of: Callable[[RotationRow], int | None]
    impact: str
    about: str
    owner: Team | Owner = Team.ISSUER

    @property
    def rows(self) -> tuple[RotationRow, ...]:
        """Those that it tells of."""
        return tuple(row for row in ROTATION.values() if row.area is self.area and self.level_of(row) is not None)

    def needs_most(self, row: RotationRow) -> bool:
        """Whether most of the regions that look must see it; otherwise the word of one is enough."""
        return self.severity is Severity.PAGE and row.witness is Witness.MOST


def _failure_of_pages(row: RotationRow) -> int | None:
    return _FAILURE if row.pages else None


def _ticket(row: RotationRow) -> int | None:
    return LEVELS[row.ticket] if row.ticket else None


def _note(row: RotationRow) -> int | None:
    return None if row.ticket else LEVELS[model.Severity.INFO]


ROTATION_ALERTS: tuple[RotationAlert, ...] = (
    RotationAlert(
        "OidcKeyRotationBroken", Severity.PAGE, Area.KEYS, _failure_of_pages,
        "Services refuse valid tokens now, or as soon as they fetch the keys again.",
        "Keys come over a connection whose other end has been verified, so a region's own network cannot make them up. What "
        "rests on a token that was verified, and that other regions need not have seen, needs no second witness. Of a "
        "change of the set, a region that has judged nothing lately is not asked, and where only one looks its word is "
        "enough.",
    ),
    RotationAlert(
        "OidcKeyCompromised", Severity.PAGE, Area.SECURITY, _failure_of_pages,
        "Somebody else may sign tokens that services accept.",
        "What one region has fetched, others can fetch: it needs no second witness.",
        Owner.SECURITY,
    ),
    RotationAlert(
        "OidcKeyShared", Severity.TICKET, Area.SECURITY, _ticket,
        "None where every service compares `iss`. Others take tokens of the one issuer for the other's.",
        "Issuers whose key sets one host serves may be tenants of one provider, or a realm that was cloned with its keys. "
        "The setting `shares_keys_with` of either issuer says that it is meant, and ends the alert.",
        Owner.SECURITY,
    ),
    RotationAlert(
        "OidcKeyRotationFinding", Severity.TICKET, Area.KEYS, _ticket,
        "None yet for most. Some verifiers refuse tokens, or will at the next rotation.",
        "The word of any region is enough. What pages when most regions see it is a ticket when few do.",
    ),
    RotationAlert(
        "OidcKeySetCertificate", Severity.TICKET, Area.CERTIFICATE, _ticket,
        "None yet. When the certificate has ended, services cannot fetch keys.",
        "The certificate of the host that serves the keys, which need not be the issuer's. A change is told once by each "
        "region, so the window is long.",
    ),
    RotationAlert(
        "OidcKeyUnused", Severity.INFO, Area.KEYS, _note,
        "None. A key that nobody watches is worth stealing.",
        "Only where some probe sees tokens; without them every key would look unused.",
    ),
)  # fmt: skip


def rotation_groups(deployment: Deployment) -> Iterator[Group]:
    """What each finding is called, then the alerts; nothing where no key set is looked at."""
    if _looking(deployment):
        names = (
            Recording(s.ROTATION_RULE, "vector(1)", {m.FINDING.name: r.id, RULE: r.wrong}) for r in ROTATION.values()
        )
        yield Group("oidc-rotation", timedelta(minutes=1), (*names, *rotation_alerts(deployment)))


def rotation_alerts(deployment: Deployment) -> Iterator[Alert]:
    """One for each row of ROTATION_ALERTS."""
    for alert in ROTATION_ALERTS if _looking(deployment) else ():
        ids = {row.id for row in alert.rows}
        reasons = {check.reason for check in ROTATION_CHECKS.values() if check.id in ids}
        yield Alert(
            name=alert.name,
            severity=alert.severity,
            area=alert.area,
            role=Role.FINDING,
            level=Level.FINDING,
            any_of=tuple((condition,) for condition in _conditions(deployment, alert)),
            summary=f"{AT_ISSUER}: {{{{ $labels.{m.FINDING.name} }}}}: {_wrong()}, {_seen(deployment)}",
            impact=alert.impact,
            owner=team(deployment, alert.owner),
            reasons=tuple(reason for reason in Reason if reason in reasons),
            about=f"{alert.about} {_witnesses(alert)}It tells of {', '.join(sorted(ids))}; the label `{m.FINDING.name}` says which.",
            runs_on=(PROBE,),
        )


def alerts_of_finding(id: str) -> tuple[RotationAlert, ...]:
    """The alerts that tell of a check, the most urgent first."""
    return tuple(alert for alert in ROTATION_ALERTS if id in (row.id for row in alert.rows))


def findings_behind(reasons: Sequence[Reason]) -> tuple[str, ...]:
    """The checks of a rotation whose failures have one of these reasons at the key set, by id."""
    return tuple(check.id for check in ROTATION_CHECKS.values() if check.reason in reasons)


def broken_rules(deployment: Deployment, cause: str, reasons: Sequence[Reason]) -> str:
    """For the summary of a cause alert about keys: every broken rule of a rotation, with its id; empty for others."""
    ids = [id for id in findings_behind(reasons) if cause_of(ROTATION_CHECKS[id].reason, Stage.JWKS) == cause]
    if not ids or not _looking(deployment):
        return ""
    span = duration(deployment.paced(_window(deployment, Seen.ONCE)))
    found = f"{m.FINDING_LEVEL.name}{{{m.ISSUER}='%s',{m.DRILL}='%s',{m.FINDING.name}=~'{'|'.join(ids)}'}}"
    worst = f"max by ({m.FINDING.name}) (max_over_time({found}[{span}])) >= {_FAILURE}"
    named = f"({worst}) * on ({m.FINDING.name}) group_left ({RULE}) {s.ROTATION_RULE}"
    query = f'printf "{named}" $labels.{m.ISSUER} $labels.{m.DRILL} | query | sortByLabel "{m.FINDING.name}"'
    return f"{{{{ range {query} }}}}; {{{{ .Labels.{m.FINDING.name} }}}}: {{{{ .Labels.{RULE} }}}}{{{{ end }}}}"


def _conditions(deployment: Deployment, alert: RotationAlert) -> Iterator[Condition]:
    def kind(row: RotationRow) -> tuple[str, int, bool, bool]:
        return row.seen.value, alert.level_of(row) or 0, row.of_https, alert.needs_most(row)

    for (_, level, of_https, most), grouped in groupby(sorted(alert.rows, key=kind), key=kind):
        rows = tuple(grouped)
        window = _window(deployment, rows[0].seen)
        span = duration(deployment.paced(window))
        over_time, which = ("min", "Lowest") if rows[0].seen is Seen.EACH_TIME else ("max", "Highest")
        matchers = [one_of(m.FINDING.name, (row.id for row in rows)), *(_of_https(deployment) if of_https else ())]
        selector = str(Selector(m.FINDING_LEVEL, tuple(matchers)))
        each = f"{over_time}_over_time({selector}[{span}])"
        if most:
            # A region without a level now is blind, and what it said before it was is no vote against the others.
            share = f"avg by ({_BY}) ({each} >= bool {level} and ({selector} or {each} >= {level}))"
            yield Condition(f"Share of the regions that see a failure in {duration(window)}", share, ">", _HALF)
        else:
            yield Condition(f"{which} level in {duration(window)}", f"max by ({_BY}) ({each})", ">=", Decimal(level))


def _witnesses(alert: RotationAlert) -> str:
    """How many regions must see what, where that differs from row to row."""
    most = [row.id for row in alert.rows if alert.needs_most(row)]
    one = [row.id for row in alert.rows if not alert.needs_most(row)]
    if not most:
        return ""
    return f"One region is enough for {' and '.join(one)}; most of those that look must see {' and '.join(most)}. "


def _of_https(deployment: Deployment) -> Iterator[Matcher]:
    names = [issuer.name for issuer in deployment.issuers if not issuer.url.startswith("https:")]
    if names:
        yield Matcher(m.ISSUER, "!=" if len(names) == 1 else "!~", "|".join(names))


def _window(deployment: Deployment, seen: Seen) -> timedelta:
    return longest_window(deployment, _looking(deployment), HALF_AN_HOUR if seen is Seen.ONCE else FIVE_MINUTES)


def _looking(deployment: Deployment) -> tuple[Check, ...]:
    return tuple(check for check in deployment.checks if check.probe == PROBE)


def _wrong() -> str:
    """What is wrong, in the words of the table."""
    query = f"printf \"{s.ROTATION_RULE}{{{m.FINDING.name}='%s'}}\" $labels.{m.FINDING.name} | query"
    return f'{{{{ with {query} }}}}{{{{ . | first | label "{RULE}" }}}}{{{{ end }}}}'


def _seen(deployment: Deployment) -> str:
    """`seen from 2 of 3 regions`."""
    span = duration(deployment.paced(_window(deployment, Seen.ONCE)))
    found = f"{m.FINDING_LEVEL.name}{{{_OWN}}}"
    told = f"max_over_time({found}[{span}]) > 0"
    k, n = (
        f'{{{{ with printf "{promql}" {_LABELS} | query }}}}{{{{ . | first | value }}}}{{{{ else }}}}?{{{{ end }}}}'
        for promql in (f"count({told})", f"count({told} or {found})")
    )
    return f"seen from {k} of {n} regions"
