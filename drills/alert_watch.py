"""Sees which alerts a drill made fire, and whether anybody was told of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC

from alerts.model import AREA, ROLE, SEVERITY, Area, Role
from alerts.rotation import ROTATION_ALERTS
from alerts.windows import Severity
from drills.monitoring import Monitoring
from drills.record import Alerts, AlertSeen
from exporters import metrics as m
from exporters.slis import Matcher
from probes.documents import JsonObject
from probes.probe import Clock, utc_now
from runbooks.prometheus import PrometheusError

ALWAYS = "OidcDrillRunning"
"""Fires in every drill of which agents were told."""


@dataclass(slots=True)
class AlertLook:
    """The alerts about one issuer. Belongs to one thread.

    With `told`, agents label the drill's runs, and only alerts that carry the label are the drill's.
    """

    monitoring: Monitoring
    issuer: str
    told: bool
    note: Callable[[str], None]
    """Gets a sentence when Prometheus or Alertmanager stops answering, and when they answer again."""
    clock: Clock = utc_now
    _first: dict[str, AlertSeen] = field(default_factory=dict)
    _silent: set[str] = field(default_factory=set)

    def now(self) -> tuple[AlertSeen, ...]:
        """Those that fire now, each name once, with the time at which it was first seen to fire since it last did not.

        Nothing when Prometheus does not answer; `note` is told.
        """
        firing = tuple(self._firing())
        if firing and self.monitoring.alertmanager:
            notified = self._notified()
            firing = tuple(replace(each, notified=each.notified or each.name in notified) for each in firing)
        for each in firing:
            self._first[each.name] = each
        return firing

    def _firing(self) -> Iterator[AlertSeen]:
        wanted = "true" if self.told else "false"
        try:
            alerts = _about(self.monitoring.alerts(), self.issuer)
        except PrometheusError as error:
            self._answers("Prometheus", str(error))
            return
        self._answers("Prometheus", "")
        ours: dict[str, JsonObject] = {}
        for alert in alerts:
            if _label(alert, m.DRILL) == wanted:
                ours.setdefault(_label(alert, "alertname"), alert)
        self._first = {name: seen for name, seen in self._first.items() if name in ours}
        for name, alert in ours.items():
            yield self._first.get(name) or self._seen(name, alert)

    def _seen(self, name: str, alert: JsonObject) -> AlertSeen:
        annotations = alert.get("annotations")
        runbook = annotations.get("runbook_url", "") if isinstance(annotations, dict) else ""
        return AlertSeen(
            name, self.clock().astimezone(UTC), _label(alert, SEVERITY), False, str(runbook),
            role=_label(alert, ROLE), area=_label(alert, AREA),
        )  # fmt: skip

    def _notified(self) -> frozenset[str]:
        wanted = "true" if self.told else "false"
        try:
            told = self.monitoring.notified(m.ISSUER, self.issuer)
        except PrometheusError as error:
            self._answers("Alertmanager", str(error))
            return frozenset()
        self._answers("Alertmanager", "")
        return frozenset(str(labels.get("alertname", "")) for labels in told if labels.get(m.DRILL) == wanted)

    def _answers(self, who: str, error: str) -> None:
        """Tells changes only: an outage of an hour is one note, and its end another."""
        if error and who not in self._silent:
            self._silent.add(who)
            self.note(f"{who} does not answer: {error}")
        elif not error and who in self._silent:
            self._silent.discard(who)
            self.note(f"{who} answers again")


def pages_for_real_runs(monitoring: Monitoring, issuer: str) -> tuple[str, ...]:
    """Names of the alerts that page for the issuer's runs outside of drills. Raises PrometheusError."""
    matchers = (
        Matcher("alertstate", "=", "firing"),
        Matcher(m.ISSUER, "=", issuer),
        Matcher(m.DRILL, "=", "false"),
        Matcher(SEVERITY, "=", Severity.PAGE),
    )
    samples = monitoring.query(f"ALERTS{{{','.join(map(str, matchers))}}}")
    return tuple(sorted({sample.labels.get("alertname", "") for sample in samples}))


_FELT = frozenset({Role.SYMPTOM, Role.REGION, Role.BUDGET})
"""What users feel of a cause: burn rates, slices, regions, budgets."""


def summarise(
    expected: Collection[str],
    seen: Iterable[AlertSeen],
    *,
    before: Collection[str] = frozenset(),
    agents: bool,
    alertmanager: bool,
) -> Alerts:
    """What fired since the first move, what did not, what follows from it and what nobody expected.

    Of what fired `before` the first move nobody can say whether the drill would have made it fire: it is not judged.
    With `agents` the sign of the drill itself is expected too. With an Alertmanager only what somebody was told of can
    be unexpected: what is inhibited is a consequence, and disturbs nobody.
    """
    wanted = {*expected, *((ALWAYS,) if agents else ())}
    by_name: Mapping[str, AlertSeen] = {each.name: each for each in seen}
    unjudged = (wanted & set(before)) - by_name.keys()
    areas = {each.area for each in by_name.values() if each.name in expected and each.role == Role.CAUSE}
    others = [each for each in by_name.values() if each.name not in wanted]
    quiet = {
        each.name
        for each in others
        if _tells_the_same(each, areas) or (expected and each.role in _FELT) or (alertmanager and not each.notified)
    }
    return Alerts(
        looked=True,
        expected=tuple(sorted(wanted)),
        fired=tuple(sorted(by_name)),
        missing=tuple(sorted(wanted - by_name.keys() - unjudged)),
        unexpected=tuple(sorted(each.name for each in others if each.name not in quiet)),
        consequences=tuple(sorted(quiet)),
        not_judged=tuple(sorted(unjudged)),
        seen=tuple(sorted(by_name.values(), key=lambda each: (each.at, each.name))),
    )


def _tells_the_same(each: AlertSeen, areas: Collection[str]) -> bool:
    """Whether it names the broken rule of what another alert tells, or wakes nobody and is of an expected cause's area."""
    if each.name in {alert.name for alert in ROTATION_ALERTS}:
        return True
    lesser = each.role == Role.CAUSE and each.severity != Severity.PAGE
    return lesser and each.area in areas and each.area != Area.SECURITY


def _about(alerts: Iterable[JsonObject], issuer: str) -> tuple[JsonObject, ...]:
    return tuple(
        alert for alert in alerts if alert.get("state") == "firing" and _label(alert, m.ISSUER) == issuer
    )  # fmt: skip


def _label(alert: JsonObject, name: str) -> str:
    labels = alert.get("labels")
    return str(labels.get(name, "")) if isinstance(labels, dict) else ""
