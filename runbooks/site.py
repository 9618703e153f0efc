"""The whole site: a page for every alert and every reason, as HTML and Markdown, with an index and the checks as data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from alerts.catalogue import groups_of
from alerts.deployment import Deployment
from alerts.links import ONCALL, page_name, panel_id
from alerts.model import NONE
from alerts.windows import Severity
from probes.model import Reason
from probes.reasons import REASONS
from runbooks.bodies import body_of
from runbooks.checks import described
from runbooks.content import Page
from runbooks.facts import Subject, owner_text, reasons_of, subjects_of, summary_of
from runbooks.reason_pages import alerts_by_reason, deployment_page, precedence_page, reason_page
from runbooks.render import Renderer
from runbooks.sections import checks_of, sections_of

CHECKS = "checks.json"
_TITLES: Sequence[tuple[str, Severity]] = (
    ("Alerts that page", Severity.PAGE),
    ("Alerts that open a ticket", Severity.TICKET),
    ("Alerts to know", Severity.INFO),
)


def pages_of(deployment: Deployment) -> Mapping[str, str]:
    """Every file of the site with its content, by its name in the site's folder. Depends on the deployment only."""
    subjects = tuple(subjects_of(deployment, groups_of(deployment)))
    render = Renderer()
    groups = tuple(_groups(deployment, subjects))
    files = {"index.html": render.index_html(groups), "index.md": render.index_markdown(groups)}
    for _, pages in groups:
        for page in pages:
            files[page_name(page.name)] = render.html(page)
            files[f"{page.name}.md"] = render.markdown(page)
    files[CHECKS] = _checks(subjects)
    return files


def alert_page(subject: Subject) -> Page:
    """The page of one alert."""
    alert = subject.alert
    facts = (
        ("alert", alert.name),
        ("severity", alert.severity.value),
        ("area", alert.area.value),
        ("role", alert.role.value),
        ("slo", alert.slo),
        ("tier", alert.tier),
        ("owner", owner_text(alert)),
        ("dashboard", ONCALL),
        ("panel", str(panel_id(alert.name))),
        ("rules", subject.group),
        ("checks", ", ".join(check.name for check in checks_of(subject))),
    )
    words = " ".join((alert.area, alert.slo, alert.impact, body_of(alert).first, *reasons_of(alert)))
    return Page(alert.name, alert.name, summary_of(alert), facts, sections_of(subject), words)


def _groups(deployment: Deployment, subjects: Sequence[Subject]) -> Iterator[tuple[str, tuple[Page, ...]]]:
    for title, severity in _TITLES:
        pages = tuple(alert_page(subject) for subject in subjects if subject.alert.severity is severity)
        if pages:
            yield title, pages
    leads_to = alerts_by_reason(list(_leading(subjects)))
    yield "Failure reasons", tuple(reason_page(reason, deployment, leads_to[reason]) for reason in REASONS)
    yield "About this deployment", (deployment_page(deployment), precedence_page())


def _leading(subjects: Sequence[Subject]) -> Iterator[tuple[str, Sequence[Reason]]]:
    """The alerts that reasons lead to: those that name them, and of each objective the most urgent one."""
    seen = {NONE}
    for subject in subjects:
        alert = subject.alert
        if alert.reasons or alert.slo not in seen:
            yield alert.name, reasons_of(alert)
        seen.add(alert.slo)


def _checks(subjects: Sequence[Subject]) -> str:
    alerts = {
        subject.alert.name: {
            "page": page_name(subject.alert.name),
            "checks": [described(check) for check in checks_of(subject)],
        }
        for subject in subjects
    }
    return json.dumps({"alerts": alerts}, indent=2, ensure_ascii=False) + "\n"
