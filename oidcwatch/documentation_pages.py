"""The reference pages of what is measured: probes, protocol checks, failure reasons, indicators, metrics."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from exporters.metrics import (
    BASE_LABELS,
    DURATIONS,
    METRICS,
    PROBE_METRICS,
    WATCHER_METRICS,
    Initial,
    Metric,
    metrics_of,
)
from exporters.slis import SLIS, Selector, Sli, slis_of
from oidcwatch.config_duration import format_duration
from oidcwatch.documentation_markdown import anchor, anchor_of, code, codes, link, table
from probes.checks import access_token, callback, discovery, id_token, jwks, rotation, signature, token, userinfo
from probes.checks.base import ProtocolCheck
from probes.model import Stage
from probes.reasons import ROWS, ReasonRow, SliClass
from probes.registry import PROBES, ProbeKind

# The tables of checks by what they look at. A table that is missing here is named by tests/test_complete.py.
CHECKS: tuple[tuple[str, tuple[ProtocolCheck[Any], ...]], ...] = (
    ("Discovery document", (*discovery.ANSWER, *discovery.DOCUMENT)),
    ("Key set", (*jwks.ANSWER, *jwks.KEYS)),
    ("Key rotation, from the key ledger", rotation.ROTATION),
    ("Authorization response", callback.CALLBACK),
    ("Token response", (*token.SUCCESS, *token.ERRORS)),
    ("ID token", (*signature.ID_TOKEN, *id_token.CLAIMS)),
    ("Access token, when it is a JWT", (*signature.ACCESS_TOKEN, *access_token.CLAIMS)),
    ("UserInfo response", (*userinfo.ANSWER, *userinfo.CLAIMS)),
)

_COUNTS: Mapping[SliClass, str] = MappingProxyType(
    {
        SliClass.BAD: "a failure: spends the budget",
        SliClass.EXCLUDED: "excluded: no evidence about the provider",
        SliClass.SECURITY: "a security event: told to security, spends no budget",
    }
)

_BEFORE: Mapping[Initial, str] = MappingProxyType(
    {
        Initial.ZERO: "0",
        Initial.NOW: "time of configuration",
        Initial.ABSENT: "absent",
        Initial.SETTING: "from the configuration",
    }
)


def all_checks() -> tuple[ProtocolCheck[Any], ...]:
    """Every check once, in the order of the page."""
    return tuple({check.id: check for _, checks in CHECKS for check in checks}.values())


def probes_page() -> Iterator[str]:
    """One entry for each kind of probe: what it does, what it needs, what it can say."""
    yield from (
        "A kind of probe is the `type` of an entry under `probes` in the configuration, and the value of the label",
        "`probe`. Steps that a provider does not have (a consent page, a UserInfo endpoint) are left out of a run.",
        "",
    )
    for kind in PROBES.values():
        yield from (anchor(kind.name), "", f"## {kind.name}", "", _sentence_of(kind), "")
        yield from table(("", ""), _facts(kind))


def checks_page() -> Iterator[str]:
    """Every check with the place in a specification that demands it."""
    yield from (
        "What a check finds is a finding. A finding of severity `failure` ends the run with the reason beside it; the",
        "others are shown with the result. A check may give a lesser severity to a lesser case of the same thing.",
        "",
    )
    met: set[str] = set()
    for title, checks in CHECKS:
        rows = [_check_row(check) for check in dict.fromkeys(checks) if check.id not in met]
        met |= {check.id for check in checks}
        yield from (f"## {title}", "")
        yield from table(("id", "severity", "what must hold", "reason", "citation"), rows)


def reasons_page() -> Iterator[str]:
    """Every reason: an overview, then each with what it means and what to do."""
    yield from (
        "A run that fails has one reason of this closed set, and the step at which it failed. Both are labels or text",
        "everywhere: metrics, log, status page, `oidcwatch probe`. The set is the value range of the label `reason`.",
        "",
    )
    rows = ((_reason_link(row.reason), row.owner, _COUNTS[row.sli].split(":")[0], code(row.runbook)) for row in ROWS)
    yield from table(("reason", "owner", "counts as", "runbook"), rows)
    for row in ROWS:
        yield from (anchor(row.reason), "", f"## {row.reason}", "", row.meaning, "")
        yield from table(("", ""), _reason_facts(row))


def slis_page() -> Iterator[str]:
    """Every indicator: what is good, which series it reads, its default objective."""
    yield from (
        'Runs that are `excluded` and runs during drills (`drill="true"`) are in none of these. An objective of the',
        "configuration (`slos`) replaces the default one.",
        "",
    )
    for sli in SLIS:
        yield from (anchor(sli.name), "", f"## {sli.name}", "", f"{sli.title}. {sli.good}", "")
        yield from table(("", ""), _sli_facts(sli))


def metrics_page() -> Iterator[str]:
    """Every metric with its labels, and every label with its values."""
    yield from (
        "No label holds a URL, a key id, a user or a message. Counters and histograms of a check are there with 0 from",
        "its configuration on, for every value of their labels; all its series are removed with it.",
        "",
        "## Probes",
        "",
        f"Labels of all of these, before their own: {codes(BASE_LABELS)}.",
        "",
    )
    header = ("metric", "type", "labels", "meaning")
    rows = ((*_metric_row(row), _BEFORE[row.initial]) for row in PROBE_METRICS)
    yield from table((*header, "before the first run"), rows)
    yield from ("## The watcher itself", "")
    yield from table(header, map(_metric_row, WATCHER_METRICS))
    used = {(label.name, label.about) for row in METRICS for label in row.labels}
    yield from ("## Labels", "")
    yield from table(("label", "values"), ((code(name), about) for name, about in sorted(used)))
    yield f"Bounds of the run and step histograms, in seconds: {', '.join(f'{bound:g}' for bound in DURATIONS)}."


def _sentence_of(kind: ProbeKind) -> str:
    """What the module of that probe says of itself: a kind of probe is one file of the same name."""
    return (importlib.import_module(f"probes.{kind.name}").__doc__ or "").strip()


def _facts(kind: ProbeKind) -> Iterator[tuple[str, str]]:
    yield "configured under", "an issuer" if kind.of == "issuer" else "a client of an issuer"
    needs = [text for text, wanted in (("a browser", kind.browser), ("a synthetic user", kind.user)) if wanted]
    yield "needs", " and ".join(needs) or "nothing else"
    yield "every, timeout", f"{format_duration(kind.interval)}, {format_duration(kind.timeout)} unless configured"
    yield "steps", codes(_in_order(kind.stages))
    if kind.grants:
        yield "grants", codes(kind.grants)
    yield "feeds", _links("slis", (sli.name for sli in slis_of(kind)))
    yield "metrics", _links("metrics", (metric.name for metric in metrics_of(kind)))
    yield "reasons", _links("reasons", kind.reasons)


def _check_row(check: ProtocolCheck[Any]) -> tuple[str, ...]:
    reason = link(code(check.reason), f"reasons.md#{anchor_of(check.reason)}")
    return anchor(check.id) + code(check.id), check.severity, check.title, reason, check.citation


def _reason_facts(row: ReasonRow) -> Iterator[tuple[str, str]]:
    yield "likely cause", row.cause
    yield "what to do", row.confirm
    yield "owner", row.owner
    told = ", and told to security" if row.security and row.sli is not SliClass.SECURITY else ""
    yield "counts as", _COUNTS[row.sli] + told
    yield "steps", codes(_in_order(row.stages)) if row.stages != frozenset(Stage) else "any"
    kinds = [kind.name for kind in PROBES.values() if row.reason in kind.reasons]
    yield "probes", _links("probes", kinds) or "none yet"
    yield "runbook", code(row.runbook)


def _reason_link(reason: str) -> str:
    return link(code(reason), f"#{anchor_of(reason)}")


def _sli_facts(sli: Sli) -> Iterator[tuple[str, str]]:
    yield "objective", f"{sli.objective} % of {format_duration(sli.window.total_seconds())}"
    yield "from", _links("probes", (kind for kind in PROBES if kind in sli.probes))
    yield "kind", type(sli.measure).__name__.lower()
    for part in fields(sli.measure):
        yield part.name.replace("_", " "), _measured(getattr(sli.measure, part.name))


def _measured(value: object) -> str:
    if isinstance(value, timedelta):
        return format_duration(value.total_seconds())
    return code(value) if isinstance(value, Selector) else str(value)


def _metric_row(row: Metric) -> tuple[str, ...]:
    labels = codes(label.name for label in row.labels)
    return anchor(row.name) + code(row.name), row.type, labels, row.help


def _in_order(stages: frozenset[Stage]) -> list[Stage]:
    return [stage for stage in Stage if stage in stages]


def _links(page: str, names: Iterable[str]) -> str:
    return ", ".join(link(code(name), f"{page}.md#{anchor_of(name)}") for name in names)
