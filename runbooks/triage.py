"""The triage tables: from the failing step to the possible reasons, from the reason to its owner and first test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from alerts.deployment import Deployment
from probes.model import Reason, Stage
from probes.reasons import REASONS, Owner
from probes.registry import PROBES
from runbooks.content import Table, code, plain, to
from runbooks.facts import team_of

_S = Stage
STEPS: Mapping[Stage, str] = MappingProxyType(
    {
        _S.DISCOVERY: "Nothing works without it: network, name, certificate, then the provider itself.",
        _S.JWKS: "The provider answers, its keys do not come or are wrong: caches, key management.",
        _S.AUTHORIZE: "The authorization endpoint refuses before any page: the client's registration.",
        _S.LOGIN_FORM: "The page or the synthetic user: look at the screenshot.",
        _S.OTP: "The second factor: clocks, the seed, a policy.",
        _S.CONSENT: "Consent or terms: a policy, or a new page.",
        _S.CALLBACK: "The way back to the client: `state`, `iss`, the error in the URL.",
        _S.TOKEN: "The code was issued and not exchanged: the token endpoint or the client's secret.",
        _S.ID_TOKEN: "The token came and does not validate: keys, clocks, claims.",
        _S.ACCESS_TOKEN: "The machine's token does not validate as its resource would: keys, audience.",
        _S.USERINFO: "The token is refused where it is shown first.",
        _S.REFRESH: "Sign-in works, staying signed in does not: sessions, reuse, restarts.",
        _S.INTROSPECT: "The introspection endpoint: the resource server's own client.",
        _S.REVOKE: "The revocation endpoint: the client, or the endpoint itself.",
        _S.LOGOUT: "Signing out: registered URIs, pages. Users are still signed in.",
        _S.EXCHANGE: "The token service: trust policy, subject, audience.",
        _S.RESOURCE: "The token is sound and the resource refuses it: caches of keys, audience, roles.",
        _S.GRANT: "Temporary access was not given in time: the approval.",
        _S.AUDIT: "An event did not arrive: export, parsing, filters.",
        _S.PROBE: "The probe itself: `oidcwatch doctor`. It says nothing about the provider.",
    }
)


def by_step(reasons: Sequence[Reason], kinds: Sequence[str]) -> Table:
    """The steps that these kinds of probes (none: all) can fail at for one of the reasons, in protocol order."""
    reached = {stage for kind in kinds or tuple(PROBES) if kind in PROBES for stage in PROBES[kind].stages}
    possible = {stage for reason in reasons for stage in REASONS[reason].stages}
    # A reason of a probe that does not exist yet has its own steps only.
    shown = (reached | {Stage.PROBE}) & possible or possible
    return Table(("Failing step", "Look at"), tuple((code(stage), STEPS[stage]) for stage in Stage if stage in shown))


def by_reason(reasons: Sequence[Reason], deployment: Deployment) -> Table:
    """The owner table, narrowed to the reasons."""
    rows = []
    for reason in reasons:
        row = REASONS[reason]
        rows.append((to(row.runbook, reason), row.meaning, _owner(row.owner, deployment), row.confirm))
    return Table(("Reason", "Meaning", "Owner", "First"), tuple(rows))


def by_owner(deployment: Deployment, reasons: Sequence[Reason]) -> Table:
    """Team and reasons of each owner among them."""
    rows = []
    for owner in Owner:
        own = [reason for reason in reasons if REASONS[reason].owner is owner]
        if own:
            rows.append((owner.value, _owner(owner, deployment), ", ".join(code(reason) for reason in own)))
    return Table(("For", "Call", "When the reason is"), tuple(rows))


def _owner(owner: Owner, deployment: Deployment) -> str:
    team = team_of(owner, deployment.alerting)
    if owner is Owner.IDENTITY_PROVIDER and team == owner.value:
        return "the issuer's owner"
    if owner is Owner.APPLICATION and team == owner.value:
        return "the client's owner"
    return plain(team)
