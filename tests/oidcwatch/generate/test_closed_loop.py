"""What does not fit together is told: each way of breaking the generated files is found by one sentence of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from alerts.links import ONCALL, page_name, panel_id
from alerts.model import Alert, Group, Recording
from oidcwatch.closed_loop import RULES, broken_links, panels_of
from oidcwatch.config import load_both
from oidcwatch.generation import ALERTMANAGER, ROUTE_TESTS, Material, deployment_of, generated, material_of
from probes.reasons import ROWS

EXAMPLES = ("keycloak", "node-oidc-provider", "oidcwatch")
SMALL = """
region: {name: north}
other_regions: [{name: south}]
issuers:
  - name: acme
    url: https://login.acme.example
    probes: [discovery, jwks]
"""
PROVIDER_DOWN, TLS = "OidcProviderDown", "OidcTlsInvalid"
ONCALL_PATH = f"dashboards/{ONCALL}.json"

Files = dict[str, str]


@dataclass(frozen=True)
class Broken:
    """One way to break a sound output, and what must be said of it."""

    said: str
    """A regular expression that every sentence about it must match, and there must be one."""
    files: Callable[[Files], None] = lambda _: None
    material: Callable[[Material], Material] = lambda material: material


def _removed(*paths: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        for path in paths:
            del files[path]

    return change


def _added(path: str, text: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[path] = text

    return change


def _replaced(path: str, old: str, new: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert old in files[path], f"{path} does not contain {old!r}"
        files[path] = files[path].replace(old, new)

    return change


def _forgotten(word: str) -> Callable[[Files], None]:
    """No runbook, and no name of one, has the word any more."""

    def change(files: Files) -> None:
        for path in [path for path in files if path.startswith("runbooks/")]:
            files[path.replace(word, "forgotten")] = files.pop(path).replace(word, "forgotten")

    return change


def _panel(alert: str, change: Callable[[dict[str, Any]], None]) -> Callable[[Files], None]:
    """Changes the alert's panel on the on-call dashboard."""

    def changed(files: Files) -> None:
        board = json.loads(files[ONCALL_PATH])
        (panel,) = (panel for panel in panels_of(board) if panel.get("id") == panel_id(alert))
        change(dict_of(panel))
        files[ONCALL_PATH] = json.dumps(board)

    def dict_of(panel: Any) -> dict[str, Any]:
        assert isinstance(panel, dict)
        return panel

    return changed


def _more_query(text: str) -> Callable[[dict[str, Any]], None]:
    return lambda panel: panel["targets"].append({"expr": text, "refId": "ZZ"})


def _alerts(change: Callable[[Alert], Alert]) -> Callable[[Material], Material]:
    """Changes the alert about the provider."""

    def changed(material: Material) -> Material:
        alerts = tuple(change(alert) if alert.name == PROVIDER_DOWN else alert for alert in material.alerts)
        return replace(material, alerts=alerts)

    return changed


def _more_rules(expression: str) -> Callable[[Material], Material]:
    def changed(material: Material) -> Material:
        group = Group("more", material.groups[0].interval, (Recording("acme:more:sum", expression),))
        return replace(material, groups=(*material.groups, group))

    return changed


def _twice(material: Material) -> Material:
    return replace(material, alerts=(*material.alerts, material.alerts[0]))


BREAKAGES = {
    "_names_are_unique": Broken("two alerts are named", material=_twice),
    "_alerts_say_what_is_needed": Broken(
        f"alert {PROVIDER_DOWN} has no impact", material=_alerts(lambda alert: replace(alert, impact=""))
    ),
    "_texts_use_labels_that_exist": Broken(
        r"\$labels.kid, which no alert has", material=_alerts(lambda alert: replace(alert, impact="{{ $labels.kid }}"))
    ),
    "_alerts_have_pages": Broken(
        f"alert {PROVIDER_DOWN} has no page runbooks/{PROVIDER_DOWN}.md",
        files=_removed(f"runbooks/{PROVIDER_DOWN}.md"),
    ),
    "_pages_have_alerts": Broken(
        "page runbooks/OidcNothing.md is of no alert", files=_added("runbooks/OidcNothing.md", "# Nothing\n")
    ),
    "_pages_have_sections": Broken(
        f"page runbooks/{PROVIDER_DOWN}.html has no section 'Mitigate'",
        files=_replaced(f"runbooks/{PROVIDER_DOWN}.html", 'id="mitigate"', 'id="elsewhere"'),
    ),
    "_reasons_have_pages": Broken(
        f"reason {ROWS[0].reason}: nothing in the runbooks is named {ROWS[0].runbook}",
        files=_forgotten(ROWS[0].runbook),
    ),
    "_findings_lead_to_pages": Broken(
        "finding ROT-05: page runbooks/OidcKeyRotationBroken.html of its alert does not tell of it",
        files=_replaced("runbooks/OidcKeyRotationBroken.html", "ROT-05", "ROT-XX"),
    ),
    "_links_inside_resolve": Broken(
        "page runbooks/index.html links to nowhere.html, which is not generated",
        files=_replaced("runbooks/index.html", f'href="{page_name(PROVIDER_DOWN)}"', 'href="nowhere.html"'),
    ),
    "_alerts_have_routes": Broken(
        f"alert {PROVIDER_DOWN} has no route in {ROUTE_TESTS}",
        files=_replaced(ROUTE_TESTS, f"alertname: {PROVIDER_DOWN}\n", "alertname: OidcOther\n"),
    ),
    "_alerts_have_panels": Broken(
        f"alert {PROVIDER_DOWN} has no panel {panel_id(PROVIDER_DOWN)} on {ONCALL}",
        files=_panel(PROVIDER_DOWN, lambda panel: panel.update(id=7_000_001)),
    ),
    "_panels_lead_to_pages": Broken(
        f"alert {PROVIDER_DOWN}: its panel does not lead to {PROVIDER_DOWN}.html",
        files=_panel(PROVIDER_DOWN, lambda panel: panel.update(description="", links=[])),
    ),
    "_panel_ids_are_unique": Broken(
        f"share the id {panel_id(TLS)}|alert {PROVIDER_DOWN} has no panel",
        files=_panel(PROVIDER_DOWN, lambda panel: panel.update(id=panel_id(TLS))),
    ),
    "_rules_read_known_series": Broken(
        "rule acme:more:sum reads oidc_nothing_total, which nobody exports or records",
        material=_more_rules("sum(rate(oidc_nothing_total[5m]))"),
    ),
    "_panels_read_known_series": Broken(
        "reads oidc_nothing_total, which nobody writes",
        files=_panel(PROVIDER_DOWN, _more_query("oidc_nothing_total")),
    ),
    "_panels_use_declared_variables": Broken(
        r"uses \$nowhere, which is not declared",
        files=_panel(PROVIDER_DOWN, _more_query('oidc_probe_success{region="$nowhere"}')),
    ),
}


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Of one issuer that two regions look at."""
    path = tmp_path_factory.mktemp("small") / "oidcwatch.yaml"
    path.write_text(SMALL)
    return material_of(deployment_of(load_both(path, {}, connects=False)))


@pytest.fixture(scope="module")
def sound(material: Material) -> Files:
    """All that is generated for it."""
    return generated(material)


def test_every_rule_has_a_breakage_that_it_finds() -> None:
    assert set(BREAKAGES) == {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_break_is_told_and_nothing_else(name: str, material: Material, sound: Files) -> None:
    broken, files = BREAKAGES[name], dict(sound)
    broken.files(files)

    problems = broken_links(broken.material(material), files)

    assert any(re.search(broken.said, problem) for problem in problems), problems
    assert name in _ALSO or all(re.search(broken.said, problem) for problem in problems), problems


_ALSO = {"_alerts_have_pages", "_reasons_have_pages"}
"""What leads to a page that has gone is told as well."""


def test_a_route_to_nobody_is_told(material: Material, sound: Files) -> None:
    files = {**sound, ALERTMANAGER: sound[ALERTMANAGER].replace("- name: nobody", "- name: somebody")}

    problems = broken_links(material, files)

    assert f"alert {PROVIDER_DOWN} is routed to nobody, which {ALERTMANAGER} does not have" in problems


def test_a_panel_that_shows_another_series_than_its_alert_is_told(material: Material, sound: Files) -> None:
    files = dict(sound)
    _panel(PROVIDER_DOWN, lambda panel: panel.update(targets=[]))(files)

    problems = broken_links(material, files)

    assert any(f"alert {PROVIDER_DOWN}: its panel does not show" in problem for problem in problems)


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_is_broken_in_what_is_generated_for_an_example(name: str, root: Path) -> None:
    material = material_of(deployment_of(load_both(root / "examples" / f"{name}.yaml", {}, connects=False)))

    assert broken_links(material, generated(material)) == ()
