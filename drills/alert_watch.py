"""Sees which alerts a drill made fire, and whether anybody was told of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC

from alerts.model import SEVERITY
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
        """Those that fire now, each name once, with the time at which it was first seen to fire.

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
        names = set()
        for alert in alerts:
            name = _label(alert, "alertname")
            if _label(alert, m.DRILL) == wanted and name not in names:
                names.add(name)
                yield self._first.get(name) or self._seen(name, alert)

    def _seen(self, name: str, alert: JsonObject) -> AlertSeen:
        annotations = alert.get("annotations")
        runbook = annotations.get("runbook_url", "") if isinstance(annotations, dict) else ""
        return AlertSeen(name, self.clock().astimezone(UTC), _label(alert, SEVERITY), False, str(runbook))

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


def summarise(expected: Collection[str], seen: Iterable[AlertSeen], *, agents: bool, alertmanager: bool) -> Alerts:
    """What fired, what did not and what nobody expected.

    With `agents` the sign of the drill itself is expected too. With an Alertmanager only what somebody was told of can
    be unexpected: what is inhibited is a consequence, and disturbs nobody.
    """
    wanted = {*expected, *((ALWAYS,) if agents else ())}
    by_name: Mapping[str, AlertSeen] = {each.name: each for each in seen}
    details = {alert.name for alert in ROTATION_ALERTS}  # name the broken rule of what another alert tells
    strange = (
        each
        for each in by_name.values()
        if each.name not in wanted and each.name not in details and (each.notified or not alertmanager)
    )
    return Alerts(
        looked=True,
        expected=tuple(sorted(wanted)),
        fired=tuple(sorted(by_name)),
        missing=tuple(sorted(wanted - by_name.keys())),
        unexpected=tuple(sorted(each.name for each in strange)),
        seen=tuple(sorted(by_name.values(), key=lambda each: (each.at, each.name))),
    )


def _about(alerts: Iterable[JsonObject], issuer: str) -> tuple[JsonObject, ...]:
    return tuple(
        alert for alert in alerts if alert.get("state") == "firing" and _label(alert, m.ISSUER) == issuer
    )  # fmt: skip


def _label(alert: JsonObject, name: str) -> str:
    labels = alert.get("labels")
    return str(labels.get(name, "")) if isinstance(labels, dict) else ""
