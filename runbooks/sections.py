"""The sections of an alert's page, in order: what it says, whether it is real, whose it is and what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from shlex import quote as shell
from types import MappingProxyType
from urllib.parse import quote

from alerts.links import ONCALL, panel_id, silence_url
from alerts.model import Level, Role
from alerts.promql import duration, number
from alerts.rules_file import expression
from alerts.watching import WATCHDOG
from alerts.windows import Severity
from probes.reasons import REASONS
from probes.registry import PROBES
from runbooks import facts
from runbooks.bodies import body_of
from runbooks.bodies.reasons import REMEDIES
from runbooks.broken_rules import broken_rules
from runbooks.checks import LATELY, ProbeOnce, RunbookCheck, by_hand, failures, still_firing
from runbooks.content import Block, Command, Heading, Paragraph, Points, Section, Table, code, link, plain, to
from runbooks.facts import Subject
from runbooks.precedence import TOLD_ONCE
from runbooks.rehearsals import drills_of
from runbooks.triage import by_owner, by_reason, by_step

_URGENCY: Mapping[Severity, str] = MappingProxyType(
    {
        Severity.PAGE: "now: somebody was woken for it",
        Severity.TICKET: "within the working day",
        Severity.INFO: "to know; nothing has to be done",
    }
)
_PATIENCE: Mapping[Severity, str] = MappingProxyType(
    {Severity.PAGE: "15 minutes", Severity.TICKET: "two working days", Severity.INFO: "a week"}
)
_TOLD_ONCE = timedelta(minutes=30)  # the window of alerts about changes, which fail one run each
DEPLOYMENT = "deployment"
"""Name of the page with all issuers, clients and teams."""


def checks_of(subject: Subject) -> tuple[RunbookCheck, ...]:
    """The page's executable checks: whether the alert still fires, what failed lately, and what its body asks."""
    alert = subject.alert
    window = _TOLD_ONCE if TOLD_ONCE.intersection(alert.reasons) else LATELY
    own = (_narrowed(check, alert.runs_on) for check in body_of(alert).checks)
    # The dead man's alert is the one that must fire.
    firing = () if alert.name == WATCHDOG else (still_firing(alert.name),)
    return (*firing, failures(window), *own)


def _narrowed(check: RunbookCheck, kinds: tuple[str, ...]) -> RunbookCheck:
    """Probes of the kinds that feed the alert, and those of the issuer itself: the root may lie there."""
    if not isinstance(check.what, ProbeOnce) or not kinds:
        return check
    wide = (kind.name for kind in PROBES.values() if kind.of == "issuer")
    return replace(check, what=ProbeOnce(tuple(dict.fromkeys((*wide, *kinds)))))


def sections_of(subject: Subject) -> tuple[Section, ...]:
    """Every section, none of them empty."""
    return tuple(Section(name, title, tuple(write(subject))) for name, title, write in SECTIONS)


def _tldr(subject: Subject) -> Iterator[Block]:
    alert = subject.alert
    yield Paragraph(body_of(alert).first, strong=True)
    urgency = _URGENCY[alert.severity]
    left = facts.exhaustion(subject.slo, alert.tier) if subject.slo else ""
    if left:
        urgency += f"; at this pace the whole error budget is gone in {left}"
    rows = (
        ("Impact", plain(alert.impact)),
        ("Urgency", urgency),
        ("Whose", plain(facts.owner_text(alert))),
        ("Check it all", code(f"oidcwatch runbook run {alert.name} --issuer NAME")),
    )
    yield Table(("", ""), rows)


def _meaning(subject: Subject) -> Iterator[Block]:
    alert = subject.alert
    yield Paragraph(f"It says: “{plain(facts.summary_of(alert))}”.")
    if alert.about:
        yield Paragraph(plain(alert.about))
    yield from (Paragraph(text) for text in body_of(alert).background)
    for number_, clause in enumerate(alert.any_of, 1):
        together = "It fires when all of this holds:" if number_ == 1 else "Or when all of this holds:"
        yield Paragraph(together)
        rows = tuple((plain(each.title), f"{each.op} {number(each.threshold)}") for each in clause)
        yield Table(("Measured", "Threshold"), rows)
    yield Paragraph(f"The exact expression{_graph(subject)}{_lasting(subject)}:")
    yield Command(expression(alert), "promql")


def _lasting(subject: Subject) -> str:
    alert, paced = subject.alert, subject.deployment.paced
    parts = (
        f", which must hold for {duration(paced(alert.lasting))}" if alert.lasting else "",
        f"; the alert goes on for {duration(paced(alert.keep_firing))} after it" if alert.keep_firing else "",
    )
    return "".join(parts)


def _graph(subject: Subject) -> str:
    base = subject.deployment.alerting.prometheus_url
    if not base:
        return ""
    return " (" + link(f"{base}/graph?g0.expr={quote(expression(subject.alert), safe='')}", "its graph") + ")"


def _impact(subject: Subject) -> Iterator[Block]:
    alert, deployment, slo = subject.alert, subject.deployment, subject.slo
    yield Paragraph(plain(alert.impact))
    kinds = [PROBES[kind].title for kind in alert.runs_on if kind in PROBES]
    flows = ", ".join(kinds) or "all kinds of probes"
    yield Points((f"Flows: {flows}.", f"Regions that look: {plain(_regions(subject))}."))
    if slo:
        yield Paragraph(
            f"Objective {code(slo.name)}: {number(slo.objective)} % over {duration(slo.window)}. A minute in which "
            f"everything fails costs {_cost(slo.budget, slo.window)} % of its error budget."
        )
    issuers = facts.concerned(subject)
    if facts.is_few(issuers) and issuers:
        rows = tuple((code(each.name), code(each.url), plain(facts.clients_of(each))) for each in issuers)
        yield Table(("Issuer", "URL", "Clients"), rows)
    else:
        yield Paragraph(
            f"{len(issuers)} issuers: see {to(DEPLOYMENT, 'the deployment')} ({len(deployment.checks)} checks)."
        )


def _regions(subject: Subject) -> str:
    return ", ".join(region.name for region in subject.deployment.regions) or "none"


def _cost(budget: Decimal, window: timedelta) -> str:
    minutes = Decimal(window // timedelta(minutes=1))
    cost = 100 / (minutes * budget) if budget else Decimal(100)
    return f"{min(cost, Decimal(100)):.2g}"


def _confirm(subject: Subject) -> Iterator[Block]:
    alert, alerting = subject.alert, subject.deployment.alerting
    yield Paragraph("All checks at once, with a summary to paste into the incident. They change nothing:")
    region = " --region REGION" if alert.level is Level.REGION else ""
    yield Command(
        f"oidcwatch runbook run {alert.name} --issuer NAME{region}",
        expect="one named cause with its owner, or “no cause found”",
    )
    panel = facts.panel_url(alerting, alert)
    what = f"panel {panel_id(alert.name)} of the dashboard {ONCALL}"
    yield Paragraph(f"The thresholded series: {link(panel, what) if panel else what}.")
    yield Paragraph("By hand, set these once:")
    yield Command(_variables(subject))
    for check in checks_of(subject):
        yield Paragraph(f"{code(check.name)} ({check.kind}):")
        yield Command(by_hand(check), expect=check.expect)
    yield Heading("Is it the probe?")
    yield Points(body_of(alert).ours)


def _variables(subject: Subject) -> str:
    prometheus = subject.deployment.alerting.prometheus_url or "http://PROMETHEUS:9090"
    issuer = next(iter(facts.concerned(subject)), None)
    name, url = (issuer.name, issuer.url.rstrip("/")) if issuer else ("NAME", "https://ISSUER")
    # `##*/` and the rest cut host and port out of the URL, so that the line is right for any issuer.
    return (
        f"NAME={name} ISSUER={shell(url)} PROMETHEUS={shell(prometheus)}\n"
        'HOST=${ISSUER#*://}; HOST=${HOST%%/*}; PORT=${HOST#*:}; HOST=${HOST%%:*}; [ "$PORT" = "$HOST" ] && PORT=443'
    )


def _triage(subject: Subject) -> Iterator[Block]:
    reasons = facts.reasons_of(subject.alert)
    yield Paragraph("1. Find the failing step and the reason: the page of the agent, the debug dashboard, or")
    yield Command(
        'oidcwatch probe "$NAME/*/*"', expect="for each check `ok`, or the step, the reason, the owner and what to do"
    )
    yield Paragraph("2. The step says how far a run got:")
    yield by_step(reasons, subject.alert.runs_on)
    yield Paragraph("3. The reason says what is wrong and who can mend it. When several are seen, the first one in "
                    f"{to('precedence', 'the order of causes')} explains the others:")  # fmt: skip
    yield by_reason(reasons, subject.deployment)
    yield from broken_rules(subject.alert)


def _mitigate(subject: Subject) -> Iterator[Block]:
    yield Paragraph("Safe and reversible first. When a reason is known, its own page (above) goes before this list.")
    for place, step in enumerate(body_of(subject.alert).mitigations, 1):
        yield Heading(f"{place}. {step.do}")
        yield Command(step.command, expect=step.expect)
        yield Points((f"Verify: {step.verify}", f"Roll back: {step.rollback}", f"Risk: {step.risk}"))


def _escalate(subject: Subject) -> Iterator[Block]:
    alert, deployment = subject.alert, subject.deployment
    yield Paragraph(
        f"Call the owner at once when the cause is theirs. If it is not found or not better after "
        f"{_PATIENCE[alert.severity]}, or if users of a second issuer are affected, call the next one."
    )
    yield Paragraph("Paste what `oidcwatch runbook run` printed: it names step, reason, regions and evidence.")
    yield teams(subject)
    issuers = facts.concerned(subject)
    if facts.is_few(issuers) and any(issuer.owner for issuer in issuers):
        rows = tuple((code(each.name), plain(each.owner or "-")) for each in issuers)
        yield Table(("Issuer", "Its owner"), rows)
    else:
        yield Paragraph(f"Owners of issuers and clients: {to(DEPLOYMENT, 'the deployment')}.")
    if deployment.alerting.alertmanager_url:
        yield Paragraph(f"Who has been told: {link(deployment.alerting.alertmanager_url, 'Alertmanager')}.")


def teams(subject: Subject) -> Table:
    """The teams behind the owners of this alert's reasons."""
    reasons = facts.reasons_of(subject.alert)
    return by_owner(subject.deployment, reasons)


def _changes(subject: Subject) -> Iterator[Block]:
    yield Paragraph("What changed shortly before the first failure? Ask for:")
    yield Points(body_of(subject.alert).changes)
    yield Paragraph("What the probes saw change: keys (`oidc_jwks_last_change_timestamp_seconds`), the certificate "
                    "(`oidc_tls_certificate_expiry_timestamp_seconds`), and findings of the discovery check.")  # fmt: skip


def _false_positives(subject: Subject) -> Iterator[Block]:
    alert, alerting = subject.alert, subject.deployment.alerting
    yield Points(body_of(alert).false_positives)
    yield Paragraph("Silence it while you work, for one issuer and half an hour; budgets go on counting:")
    url = alerting.alertmanager_url or "http://ALERTMANAGER:9093"
    matcher = "" if alert.level is Level.AGENT else ' issuer="$NAME"'
    yield Command(
        f'amtool silence add --alertmanager.url={shell(url)} --duration=30m --author="$USER" '
        f"--comment='INCIDENT' alertname={alert.name}{matcher}",
        expect="the id of the silence; `amtool silence expire ID` ends it",
    )
    form = silence_url(alerting, alert.name)
    if form:
        yield Paragraph(f"Or {link(form, 'the form in Alertmanager')}.")


def _exit(subject: Subject) -> Iterator[Block]:
    alert = subject.alert
    quiet = "an hour" if alert.severity is Severity.PAGE else "a day"
    yield Points(
        (
            f"The alert is resolved and has been quiet for {quiet}.",
            f"{code(f'oidcwatch runbook run {alert.name} --issuer NAME')} ends with exit code 0.",
            "Every silence for it has been ended, and every temporary measure is undone or has a ticket.",
        )
    )


def _after(subject: Subject) -> Iterator[Block]:
    yield Points(
        (
            "Save the summary, the run's evidence from the agent's page and the times of start, page, cause and end.",
            "Write a post-mortem if more than a fifth of the error budget was spent, or if this page did not help.",
            "Mend this page: a wrong or missing step is a defect like any other.",
        )
    )


def _references(subject: Subject) -> Iterator[Block]:
    alert, deployment = subject.alert, subject.deployment
    reasons = [reason for reason in facts.reasons_of(alert) if REMEDIES[reason].fault]
    own = [
        f"Rule {code(alert.name)} of the group {code(subject.group)} in the generated rules.",
        f"Panel {panel_id(alert.name)} of the dashboard {code(ONCALL)}.",
        f"{to(DEPLOYMENT, 'The deployment')} and {to('index', 'all pages')}.",
    ]
    if reasons and alert.role is not Role.WATCHER:
        pages = ", ".join(to(REASONS[reason].runbook, reason) for reason in reasons[:8])
        own.append(
            f"To practise, break the embedded provider of `oidcwatch demo` as the pages of these reasons say: {pages}."
        )
    if drills := drills_of(alert):
        commands = ", ".join(code(f"oidcwatch drill run {name} --sandbox") for name in drills)
        own.append(
            f"Drills that rehearse it, with a prediction and a report: {commands}. Is one of ours open on this issuer, or "
            f"was it cut short? {code('oidcwatch drill abort')} brings the provider back."
        )
    yield Points((*own, *(link(url, title) for title, url in body_of(alert).references)))
    if deployment.speed > 1:
        yield Paragraph(f"This is a rehearsal: all times are {deployment.speed} times shorter than in production.")


Writer = Callable[[Subject], Iterator[Block]]
SECTIONS: tuple[tuple[str, str, Writer], ...] = (
    ("tldr", "In 30 seconds", _tldr),
    ("meaning", "Meaning", _meaning),
    ("impact", "Impact", _impact),
    ("confirm", "Confirm that it is real", _confirm),
    ("triage", "Triage", _triage),
    ("mitigate", "Mitigate", _mitigate),
    ("escalate", "Escalate", _escalate),
    ("changes", "Recent changes", _changes),
    ("false-positives", "Known false positives, and silence", _false_positives),
    ("exit", "Exit criteria", _exit),
    ("after", "Afterwards", _after),
    ("references", "References", _references),
)
"""Anchor, title and writer of each."""
