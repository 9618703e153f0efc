"""Pages beside those of the alerts: one for each failure reason, the order of causes, and the deployment's facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from alerts.deployment import Deployment
from alerts.promql import duration, number
from probes.model import Reason, Stage
from probes.reasons import REASONS, Owner, ReasonRow, SliClass
from probes.registry import PROBES
from runbooks.bodies.reasons import REMEDIES
from runbooks.content import Block, Command, Page, Paragraph, Points, Section, Table, code, plain, to
from runbooks.facts import clients_of, team_of
from runbooks.precedence import PLACE, RANKS
from runbooks.triage import STEPS

PRECEDENCE = "precedence"
_CLASSES: Mapping[SliClass, str] = {
    SliClass.BAD: "It counts as a failed run and spends the error budget.",
    SliClass.EXCLUDED: "Such a run is no evidence about the provider: it spends no error budget.",
    SliClass.SECURITY: "It spends no error budget: it is told to security.",
}


def reason_page(reason: Reason, deployment: Deployment, alerts: Sequence[str]) -> Page:
    """The page of one reason; `alerts` are the names of those that it leads to."""
    row = REASONS[reason]
    sections = (
        Section("meaning", "Meaning", tuple(_meaning(row))),
        Section("confirm", "Confirm", tuple(_confirm(row))),
        Section("mitigate", "Mitigate", tuple(_mitigate(row))),
        Section("owner", "Owner", tuple(_owner(row, deployment))),
        Section("leads-to", "Where it shows", tuple(_leads_to(row, alerts))),
    )
    facts = (("reason", reason.value), ("owner", row.owner.value), ("class", row.sli.value))
    return Page(row.runbook, f"{reason}", row.meaning, facts, sections, f"{reason} {row.cause} {row.runbook}")


def _meaning(row: ReasonRow) -> Iterator[Block]:
    yield Paragraph(row.meaning, strong=True)
    yield Paragraph(f"Likely: {row.cause}")
    told = " Security is told as well." if row.security and row.sli is not SliClass.SECURITY else ""
    yield Paragraph(_CLASSES[row.sli] + told)


def _confirm(row: ReasonRow) -> Iterator[Block]:
    yield Paragraph(row.confirm)
    kinds = [kind.name for kind in PROBES.values() if row.reason in kind.reasons]
    command = " ".join(("oidcwatch probe", *(f'"$NAME/*/{kind}"' for kind in kinds)))
    if kinds:
        yield Command(command, expect=f"`{row.reason}` and the step, as long as it is wrong")
    else:
        yield Paragraph("No kind of probe gives it yet.")
    fault = REMEDIES[row.reason].fault
    if fault:
        yield Paragraph(
            "To practise: start the embedded provider, and switch the fault on at the address that it says."
        )
        yield Command(
            f"oidcwatch demo\ncurl -H 'Content-Type: application/json' -d '{{\"name\": \"{fault}\"}}' CONTROL/faults"
        )


def _mitigate(row: ReasonRow) -> Iterator[Block]:
    remedy = REMEDIES[row.reason]
    yield Paragraph(remedy.do, strong=True)
    yield Points((f"Verify: {remedy.verify}",))


def _owner(row: ReasonRow, deployment: Deployment) -> Iterator[Block]:
    own = {Owner.IDENTITY_PROVIDER: "the issuer's owner", Owner.APPLICATION: "the client's owner"}
    team = team_of(row.owner, deployment.alerting)
    call = own.get(row.owner, team) if team == row.owner.value else team
    yield Paragraph(
        f"{row.owner.value.capitalize()}: call {plain(call)}. {to('deployment', 'Owners of this deployment')}."
    )


def _leads_to(row: ReasonRow, alerts: Sequence[str]) -> Iterator[Block]:
    yield Table(("Step", "Look at"), tuple((code(stage), STEPS[stage]) for stage in Stage if stage in row.stages))
    yield Paragraph("Alerts: " + (", ".join(to(name) for name in alerts) or "none in this deployment") + ".")
    place = f"{PLACE[row.reason] + 1} of {len(PLACE)}"
    yield Paragraph(f"Place in {to(PRECEDENCE, 'the order of causes')}: {place}; what stands later follows from it.")


def precedence_page() -> Page:
    """How one cause is named when several reasons are seen."""
    rows = tuple(
        (str(place), ", ".join(to(REASONS[reason].runbook, reason) for reason in rank.reasons), rank.why)
        for place, rank in enumerate(RANKS, 1)
    )
    blocks = (
        Paragraph(
            "When several reasons are seen at once, the first of this table is the root; the others follow from it."
        ),
        Table(("", "Reasons", "Why it explains what stands below"), rows),
        Points(
            (
                "What fails now goes before what was recorded in the last minutes, and that before measured values.",
                "What most regions see goes before what a minority sees.",
                "An alert about runs that spend no budget is explained by its own reasons, when they are seen.",
                "`kid_unknown` in some regions only is `jwks_inconsistent`; `timeout` in some regions only is the network's.",
            )
        ),
    )
    section = Section("order", "The order of causes", blocks)
    return Page(PRECEDENCE, "The order of causes", "Which of several reasons is the root.", (), (section,))


def deployment_page(deployment: Deployment) -> Page:
    """All issuers, clients, teams, regions and objectives in compact tables."""
    alerting = deployment.alerting
    issuers = tuple(
        (code(each.name), code(each.url), plain(each.owner or "-"), plain(clients_of(each)))
        for each in deployment.issuers
    )
    teams = tuple((owner.value, plain(team_of(owner, alerting))) for owner in Owner)
    owned = tuple(
        (code(issuer.name), code(client.name), plain(client.owner))
        for issuer in deployment.issuers
        for client in issuer.clients
        if client.owner
    )
    objectives = tuple(
        (code(slo.name), f"{number(slo.objective)} %", duration(slo.window), slo.sli.good) for slo in deployment.fed()
    )
    regions = tuple((code(each.name), plain(each.country or "-"), "a proxy" if each.proxy else "an agent") for each in
                    deployment.regions)  # fmt: skip
    sections = (
        Section("teams", "Teams", (Table(("For", "Call"), teams),)),
        Section("issuers", "Issuers", (Table(("Issuer", "URL", "Owner", "Clients"), issuers),)),
        *((Section("clients", "Clients with an owner of their own", (Table(("Issuer", "Client", "Owner"), owned),)),)
          if owned else ()),
        Section("regions", "Regions", (Table(("Region", "Country", "Looks through"), regions),)),
        Section("objectives", "Objectives", (Table(("Objective", "Good", "Window", "Good means"), objectives),)),
    )  # fmt: skip
    return Page("deployment", "The deployment", "Issuers, clients, teams, regions and objectives.", (), sections)


def alerts_by_reason(alerts: Sequence[tuple[str, Sequence[Reason]]]) -> Mapping[Reason, list[str]]:
    """Names of the alerts that each reason leads to."""
    found: dict[Reason, list[str]] = {reason: [] for reason in Reason}
    for name, reasons in alerts:
        for reason in reasons:
            found[reason].append(name)
    return found
