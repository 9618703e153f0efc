"""What a run of a page's checks comes to: Markdown to paste into the incident, and the same for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alerts.deployment import Alerting
from alerts.links import page_name, runbook_url
from alerts.model import Alert
from probes.reasons import REASONS, Owner
from probes.subjects import Client, Issuer
from runbooks.bodies import body_of
from runbooks.bodies.reasons import REMEDIES
from runbooks.diagnosis import Certainty, Verdict
from runbooks.facts import panel_url, team_of
from runbooks.running import Outcome, details_of

Redact = Callable[[str], str]
NO_CAUSE = "no cause found: recovered?"
_LONGEST = 160  # characters of what a check saw: the rest is in the JSON and on the agent's page


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that is told. `finished` is aware UTC; `target` is a client's name or empty."""

    alert: Alert
    issuer: Issuer
    target: str
    alerting: Alerting
    verdict: Verdict
    outcomes: tuple[Outcome, ...]
    finished: datetime
    seconds: float
    with_prometheus: bool = True

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(outcome.ok for outcome in self.outcomes)

    @property
    def clients(self) -> tuple[Client, ...]:
        """Those whose runs failed; the target, when one was asked for."""
        failed = {outcome.subject.split("/")[1] for outcome in self.outcomes if outcome.is_run and not outcome.ok}
        names = {self.target} if self.target else failed
        return tuple(client for client in self.issuer.clients if client.name in names)

    @property
    def team(self) -> str:
        """Who is called; empty without a cause. Several clients can have several owners."""
        owner = self.verdict.owner
        if owner is None:
            return ""
        concerned = self.clients if owner is Owner.APPLICATION else ()
        teams = [team_of(owner, self.alerting, self.issuer, client) for client in concerned or (None,)]
        return ", ".join(dict.fromkeys(teams))

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What to do, the first thing first. Texts have the markup of `runbooks.content`."""
        if self.verdict.cause is not None:
            remedy = REMEDIES[self.verdict.cause]
            return remedy.do, f"Verify: {remedy.verify}", f"Confirm: {REASONS[remedy.reason].confirm}"
        if self.ok:
            return ("Nothing fails now: watch the alert until it is resolved, then look for what changed.",)
        return (body_of(self.alert).first,)

    @property
    def pages(self) -> tuple[str, ...]:
        """Where to read on: the alert's page, and the cause's."""
        names = [runbook_url(self.alerting, self.alert.name)]
        if self.verdict.cause is not None:
            page = page_name(REASONS[self.verdict.cause].runbook)
            names.append("/".join(filter(None, (self.alerting.runbooks_url, page))))
        return tuple(names)


def markdown(summary: Summary, redact: Redact) -> str:
    """The summary as Markdown. Nothing that came from outside is markup in it, and no secret is left."""
    return "\n".join(_lines(summary, redact)) + "\n"


def _lines(summary: Summary, redact: Redact) -> Iterator[str]:
    alert, verdict = summary.alert, summary.verdict
    where = f"{summary.target} at {summary.issuer.name}" if summary.target else summary.issuer.name
    yield f"## {alert.name}: {where}"
    yield ""
    if verdict.cause is None:
        yield f"**Cause:** {NO_CAUSE if summary.ok else 'no cause found'}"
    else:
        step = f" at step `{verdict.stage}`" if verdict.stage else ""
        yield f"**Cause:** `{verdict.cause}`{step}: {REASONS[verdict.cause].meaning}"
        yield f"**Owner:** {_text(summary.team)}" + (f" ({verdict.owner})" if summary.team != verdict.owner else "")
        yield f"**Where:** {_where(verdict)}"
        yield f"**Certainty:** {verdict.certainty}"
    yield f"**Next:** {summary.next_steps[0]}"
    yield from (f"- {step}" for step in summary.next_steps[1:])
    yield ""
    yield "| check | from | expected | seen | |"
    yield "| --- | --- | --- | --- | --- |"
    for outcome in summary.outcomes:
        seen = _cell(redact(outcome.seen))
        verdict_ = "pass" if outcome.ok else "**FAIL**"
        yield f"| {_cell(outcome.subject)} | {outcome.region or '-'} | {outcome.expected} | {seen} | {verdict_} |"
    yield ""
    # Without an address of the site the page is a command away.
    pages = summary.pages if summary.alerting.runbooks_url else (f"`oidcwatch runbook show {alert.name}`",)
    panel = panel_url(summary.alerting, alert)
    yield f"Runbook: {' · '.join((*pages, *([panel] if panel else [])))}"
    failed = sum(not outcome.ok for outcome in summary.outcomes)
    without = "" if summary.with_prometheus else "; without a Prometheus, so nothing is known of the last minutes"
    when = summary.finished.astimezone(UTC)
    yield (
        f"_{len(summary.outcomes)} checks, {failed} failed, {when:%Y-%m-%d %H:%M:%S} UTC, "
        f"{summary.seconds:.1f} s{without}._"
    )


def _where(verdict: Verdict) -> str:
    regions = ", ".join(filter(None, verdict.regions)) or "not told"
    return f"{regions} ({len(verdict.regions)} of {len(verdict.looked)} regions that looked)"


def _text(text: str) -> str:
    """One line without what Markdown, a terminal or a chat would take for its own."""
    clean = "".join(each if each.isprintable() else " " for each in text)
    return "".join(f"\\{each}" if each in "\\`|*<[]" else each for each in clean)


def _cell(text: str) -> str:
    return _text(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")


def document(summary: Summary, redact: Redact) -> dict[str, Any]:
    """The summary for machines: keys are only ever added."""
    verdict = summary.verdict
    return {
        "alert": summary.alert.name,
        "issuer": summary.issuer.name,
        "target": summary.target or None,
        "ok": summary.ok,
        "cause": verdict.cause.value if verdict.cause else None,
        "stage": verdict.stage.value if verdict.stage else None,
        "owner": verdict.owner.value if verdict.owner else None,
        "team": summary.team or None,
        "regions": list(verdict.regions),
        "regions_looked": list(verdict.looked),
        "certainty": verdict.certainty.value if verdict.certainty is not Certainty.NONE else None,
        "checks": [{**each, "seen": redact(str(each["seen"]))} for each in _details(summary.outcomes)],
        "next": list(summary.next_steps),
        "runbook": summary.pages[0],
        "pages": list(summary.pages),
        "dashboard": panel_url(summary.alerting, summary.alert) or None,
        "finished": summary.finished.astimezone(UTC).isoformat(timespec="seconds"),
        "seconds": round(summary.seconds, 3),
    }


def _details(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    return (details_of(outcome) for outcome in outcomes)
