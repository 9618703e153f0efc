"""Proves that what is generated fits together: alert, page, panel and route lead to each other, and no name is dead."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import yaml

from alerts import model
from alerts.links import ONCALL, page_name, panel_id
from alerts.metric_names import metric_names
from alerts.model import Alert, Recording
from alerts.rotation import alerts_of_finding
from alerts.rules_file import annotations_of, expression
from exporters import findings
from exporters import metrics as m
from oidcwatch.generation import ALERTMANAGER, ROUTE_TESTS, Files, Material
from probes.reasons import ROWS
from runbooks.sections import SECTIONS

_SUFFIXES = ("", "_bucket", "_count", "_sum")
_BUILT_IN = frozenset({"ALERTS", "ALERTS_FOR_STATE", "up", "scrape_samples_scraped"})
_MOD_AUTH_OPENIDC = ("oidc_authn_", "oidc_authz_", "oidc_provider_", "oidc_request_", "oidc_require_", "oidc_session_")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEMPLATE_LABEL = re.compile(r"\$labels\.(\w+)")
_HREF = re.compile(r'href="([^"#][^"]*)"')
_VARIABLE = re.compile(r"\$\{?(\w+)")


@dataclass(frozen=True)
class _Scene:
    """What was generated, read back the way its users read it."""

    material: Material
    files: Files

    @cached_property
    def dashboards(self) -> Mapping[str, Mapping[str, Any]]:
        """By uid."""
        boards = (json.loads(text) for path, text in self.files.items() if _is_dashboard(path))
        return {board["uid"]: board for board in boards}

    def document(self, path: str) -> Mapping[str, Any]:
        """A YAML file."""
        return yaml.load(self.files.get(path, "{}"), Loader=_LOADER) or {}  # noqa: S506 - safe, with or without libyaml

    @cached_property
    def pages(self) -> frozenset[str]:
        """Paths below the runbooks' folder."""
        return frozenset(path.removeprefix("runbooks/") for path in self.files if path.startswith("runbooks/"))

    @cached_property
    def known_metrics(self) -> frozenset[str]:
        """Everything that agents export or rules record."""
        exported = {row.name + suffix for row in m.METRICS for suffix in _SUFFIXES}
        recorded = {
            rule.record for group in self.material.groups for rule in group.rules if isinstance(rule, Recording)
        }
        return frozenset(exported | recorded | _BUILT_IN)


_Rule = Callable[[_Scene], Iterator[str]]


def _is_dashboard(path: str) -> bool:
    return path.startswith("dashboards/") and path.endswith(".json")


def panels_of(board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every panel of a dashboard, those of collapsed rows included."""
    for panel in board.get("panels", ()):
        yield panel
        yield from panel.get("panels", ())


def _alerts_have_pages(scene: _Scene) -> Iterator[str]:
    for alert in scene.material.alerts:
        for page in (page_name(alert.name), f"{alert.name}.md"):
            if page not in scene.pages:
                yield f"alert {alert.name} has no page runbooks/{page}"
        url = urlsplit(annotations_of(alert, scene.material.deployment)["runbook_url"])
        if PurePosixPath(url.path).name != page_name(alert.name):
            yield f"alert {alert.name}: runbook_url leads to {url.path}"


def _pages_have_alerts(scene: _Scene) -> Iterator[str]:
    names = {alert.name for alert in scene.material.alerts}
    for page in sorted(scene.pages):
        path = PurePosixPath(page)
        if path.suffix == ".md" and len(path.parts) == 1 and path.stem.startswith("Oidc") and path.stem not in names:
            yield f"page runbooks/{page} is of no alert"


def _pages_have_sections(scene: _Scene) -> Iterator[str]:
    for alert in scene.material.alerts:
        page = page_name(alert.name)
        text = scene.files.get(f"runbooks/{page}")
        for anchor, title, _ in SECTIONS:
            if text is not None and f'id="{anchor}"' not in text:
                yield f"page runbooks/{page} has no section {title!r}"


def _reasons_have_pages(scene: _Scene) -> Iterator[str]:
    texts = "\n".join(text for path, text in scene.files.items() if path.startswith("runbooks/"))
    for row in ROWS:
        if row.runbook not in texts:
            yield f"reason {row.reason}: nothing in the runbooks is named {row.runbook}"


def _links_inside_resolve(scene: _Scene) -> Iterator[str]:
    for page in sorted(scene.pages):
        if not page.endswith(".html"):
            continue
        for link in sorted(set(_HREF.findall(scene.files[f"runbooks/{page}"]))):
            if urlsplit(link).scheme or link.startswith(("/", "mailto:", "data:")):
                continue
            target = str(PurePosixPath(page).parent / urlsplit(link).path)
            if target not in scene.pages:
                yield f"page runbooks/{page} links to {link}, which is not generated"


def _findings_lead_to_pages(scene: _Scene) -> Iterator[str]:
    """Each check of a rotation has an alert whose page tells of it, where key sets are looked at."""
    names = {alert.name for alert in scene.material.alerts}
    if not any(check.probe == findings.PROBE for check in scene.material.deployment.checks):
        return
    for id in findings.ROTATION_CHECKS:
        told = [alert.name for alert in alerts_of_finding(id) if alert.name in names]
        if not told:
            yield f"finding {id} leads to no alert"
        for name in told:
            if id not in scene.files.get(f"runbooks/{page_name(name)}", ""):
                yield f"finding {id}: page runbooks/{page_name(name)} of its alert does not tell of it"


def _alerts_have_panels(scene: _Scene) -> Iterator[str]:
    panels = {panel.get("id"): panel for panel in panels_of(scene.dashboards.get(ONCALL, {}))}
    for alert in scene.material.alerts:
        panel = panels.get(panel_id(alert.name))
        if panel is None:
            yield f"alert {alert.name} has no panel {panel_id(alert.name)} on {ONCALL}"
            continue
        shown = {name for target in panel.get("targets", ()) for name in metric_names(target.get("expr", ""))}
        for condition in alert.conditions:
            for name in sorted(metric_names(condition.series) - shown):
                yield f"alert {alert.name}: its panel does not show {name}"


def _panels_lead_to_pages(scene: _Scene) -> Iterator[str]:
    panels = {panel.get("id"): panel for panel in panels_of(scene.dashboards.get(ONCALL, {}))}
    for alert in scene.material.alerts:
        panel = panels.get(panel_id(alert.name), {})
        links = " ".join(str(link.get("url", "")) for link in panel.get("links", ()))
        if panel and page_name(alert.name) not in f"{panel.get('description', '')} {links}":
            yield f"alert {alert.name}: its panel does not lead to {page_name(alert.name)}"


def _alerts_have_routes(scene: _Scene) -> Iterator[str]:
    receivers = {receiver["name"] for receiver in scene.document(ALERTMANAGER).get("receivers", ())}
    routes: dict[str, set[str]] = {}
    for test in scene.document(ROUTE_TESTS).get("tests", ()):
        routes.setdefault(test["labels"]["alertname"], set()).add(test["receiver"])
    for alert in scene.material.alerts:
        if alert.name not in routes:
            yield f"alert {alert.name} has no route in {ROUTE_TESTS}"
        for receiver in sorted(routes.get(alert.name, set()) - receivers):
            yield f"alert {alert.name} is routed to {receiver}, which {ALERTMANAGER} does not have"


def _panel_ids_are_unique(scene: _Scene) -> Iterator[str]:
    for uid, board in scene.dashboards.items():
        seen: dict[int, str] = {}
        for panel in panels_of(board):
            number, title = panel.get("id", 0), str(panel.get("title", ""))
            if number in seen:
                yield f"dashboard {uid}: panels {seen[number]!r} and {title!r} share the id {number}"
            seen[number] = title


def _rules_read_known_series(scene: _Scene) -> Iterator[str]:
    for group in scene.material.groups:
        for rule in group.rules:
            text = expression(rule) if isinstance(rule, Alert) else rule.expr
            name = rule.name if isinstance(rule, Alert) else rule.record
            for unknown in sorted(metric_names(text) - scene.known_metrics):
                yield f"rule {name} reads {unknown}, which nobody exports or records"


def _panels_read_known_series(scene: _Scene) -> Iterator[str]:
    ours = re.compile(r"oidc_|oidcwatch_|.*:oidc")
    for uid, board in scene.dashboards.items():
        for panel in panels_of(board):
            for target in panel.get("targets", ()):
                # Names that are not ours are those of providers and gateways, in rows that may stay empty.
                names = {name for name in metric_names(target.get("expr", "")) if ours.match(name)}
                for unknown in sorted(names - scene.known_metrics):
                    if not _of_real_users(unknown):
                        yield f"dashboard {uid}, panel {panel.get('title')!r} reads {unknown}, which nobody writes"


def _of_real_users(name: str) -> bool:
    """Series of mod_auth_openidc start with oidc_ too."""
    return name.startswith(_MOD_AUTH_OPENIDC)


def _panels_use_declared_variables(scene: _Scene) -> Iterator[str]:
    for uid, board in scene.dashboards.items():
        declared = {variable["name"] for variable in board.get("templating", {}).get("list", ())}
        for panel in panels_of(board):
            used = {name for target in panel.get("targets", ()) for name in _VARIABLE.findall(target.get("expr", ""))}
            for name in sorted(used - declared):
                if not name.startswith("__"):
                    yield f"dashboard {uid}, panel {panel.get('title')!r} uses ${name}, which is not declared"


def _texts_use_labels_that_exist(scene: _Scene) -> Iterator[str]:
    for alert in scene.material.alerts:
        texts = annotations_of(alert, scene.material.deployment)
        used = {label for text in texts.values() for label in _TEMPLATE_LABEL.findall(text)}
        for label in sorted(used - set(model.LABELS)):
            yield f"alert {alert.name}: its texts use $labels.{label}, which no alert has"


def _alerts_say_what_is_needed(scene: _Scene) -> Iterator[str]:
    for alert in scene.material.alerts:
        for name, text in annotations_of(alert, scene.material.deployment).items():
            if not text:
                yield f"alert {alert.name} has no {name}"


def _names_are_unique(scene: _Scene) -> Iterator[str]:
    seen: set[str] = set()
    for alert in scene.material.alerts:
        if alert.name in seen:
            yield f"two alerts are named {alert.name}"
        seen.add(alert.name)


RULES: tuple[_Rule, ...] = (
    _names_are_unique,
    _alerts_say_what_is_needed,
    _texts_use_labels_that_exist,
    _alerts_have_pages,
    _pages_have_alerts,
    _pages_have_sections,
    _reasons_have_pages,
    _findings_lead_to_pages,
    _links_inside_resolve,
    _alerts_have_routes,
    _alerts_have_panels,
    _panels_lead_to_pages,
    _panel_ids_are_unique,
    _rules_read_known_series,
    _panels_read_known_series,
    _panels_use_declared_variables,
)


def broken_links(material: Material, files: Files) -> tuple[str, ...]:
    """One sentence for everything that does not fit; `files` are those of all kinds."""
    scene = _Scene(material, files)
    return tuple(problem for rule in RULES for problem in rule(scene))
