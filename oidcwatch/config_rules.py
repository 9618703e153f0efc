"""Rules that concern more than one value. They read the raw data, so that they speak even when a shape is wrong.

What has the wrong shape is skipped here: `config_schema` reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeGuard

from alerts.alertmanager_fields import REQUIRED, refusals
from alerts.burn import camel
from exporters.slis import BY_NAME
from oidcwatch.config_drill import drills_can_be_run
from oidcwatch.config_duration import format_duration
from oidcwatch.config_merge import Tree
from oidcwatch.config_problem import Loc, Problem, closest, found
from oidcwatch.config_scene import Node, Scene
from oidcwatch.config_verifiers import known_verifiers
from probes.reasons import Owner
from probes.registry import PROBES

_Found = Iterator[tuple[Loc, str]]
_Rule = Callable[[Scene], _Found]


def _type_of(probe: Node) -> str:
    return probe.text or probe.get("type").text


def _twice(scene: Scene, nodes: Iterable[Node], what: str) -> _Found:
    first: dict[str, Node] = {}
    for node in nodes:
        if node.text in first:
            yield node.loc, f"{what} {found(node.text)} is already used at {scene.tree.origin(first[node.text].loc)}"
        elif node.text:
            first[node.text] = node


def _unique_names(scene: Scene) -> _Found:
    issuers = scene.root.items("issuers")
    yield from _twice(scene, (issuer.get("name") for issuer in issuers), "the issuer name")
    for issuer in issuers:
        # Both become the label `target`.
        subjects = [*issuer.items("clients"), *issuer.items("resources")]
        yield from _twice(scene, (subject.get("name") for subject in subjects), "the name")
        for owner in (issuer, *issuer.items("clients")):
            probes = (Node(_type_of(probe), probe.loc) for probe in owner.items("probes"))
            yield from _twice(scene, probes, "the probe")
    slos = scene.root.items("slos")
    yield from _twice(scene, (slo.get("sli") for slo in slos if not slo.items("issuers")), "the SLI")
    yield from _twice(scene, (slo.get("name") for slo in slos), "the objective's name")
    maintenance = scene.root.get("alerting").items("maintenance")
    yield from _twice(scene, (window.get("name") for window in maintenance), "the name")
    yield from _twice(scene, (verifier.get("name") for verifier in scene.root.items("verifiers")), "the name")


def _objectives_have_names(scene: Scene) -> _Found:
    defaults, alerts = set(BY_NAME), {camel(name): name for name in BY_NAME}
    for slo in scene.root.items("slos"):
        sli, name, some = slo.get("sli").text, slo.get("name"), slo.items("issuers")
        other = alerts.setdefault(camel(name.text), name.text) if name.text else ""
        if other != name.text:
            yield name.loc, f"{found(name.text)} makes alerts of the same names as {found(other)}; choose another"
        if some and not name.text:
            message = f"an objective for some issuers needs a name of its own, such as {sli or 'login-success'}-gold"
            yield slo.loc, message
        if name.text in defaults and (some or name.text != sli):
            yield name.loc, f"{found(name.text)} is the name of a default objective; choose another"


def _known_issuers(scene: Scene) -> _Found:
    known = tuple(filter(None, (issuer.get("name").text for issuer in scene.root.items("issuers"))))
    first: dict[tuple[str, str], Node] = {}
    maintenance = scene.root.get("alerting").items("maintenance")
    for owner in (*scene.root.items("slos"), *maintenance):
        for issuer in owner.items("issuers"):
            if issuer.text and issuer.text not in known:
                near = closest(issuer.text, known)
                yield issuer.loc, f"{found(issuer.text)} is not an issuer of this file{near}; known: {', '.join(known)}"
            key = (owner.get("sli").text, issuer.text)
            if key[0] and key in first:
                place = scene.tree.origin(first[key].loc)
                yield issuer.loc, f"{found(issuer.text)} already has an objective for {key[0]} at {place}"
            first.setdefault(key, issuer)


def _keys_are_shared_with_others(scene: Scene) -> _Found:
    issuers = scene.root.items("issuers")
    names = [issuer.get("name").text for issuer in issuers]
    for issuer in issuers:
        own = issuer.get("name").text
        others = tuple(name for name in names if name not in ("", own))
        for named in issuer.items("shares_keys_with"):
            if named.text and named.text not in others:
                near = closest(named.text, others)
                fault = "is this issuer itself" if named.text == own else f"is not an issuer of this file{near}"
                yield named.loc, f"{found(named.text)} {fault}; the others: {', '.join(others) or 'none'}"


def _unique_regions(scene: Scene) -> _Found:
    own = scene.own_region
    egress = [item.get("region") for item in scene.root.items("egress")]
    for region in egress:
        if region.text == own:
            yield region.loc, f"{found(own)} is the agent's own region; egress is for other regions"
    yield from _twice(scene, (region for region in egress if region.text != own), "the region")
    others = [item.get("name") for item in scene.root.items("other_regions")]
    yield from _twice(scene, [scene.root.get("region").get("name"), *others], "the region")


def _known_regions(scene: Scene) -> _Found:
    known = scene.regions

    def unknown(name: str) -> str:
        return f"{found(name)} is not a region of this configuration{closest(name, known)}; known: {', '.join(known)}"

    for probe in scene.probes():
        for region in probe.items("regions"):
            if region.text and region.text not in known:
                yield region.loc, unknown(region.text)
    for issuer in scene.root.items("issuers"):
        for client in issuer.items("clients"):
            by_region = client.get("users_by_region")
            for name in by_region.value if isinstance(by_region.value, dict) else ():
                if name not in known:
                    yield (*by_region.loc, name), unknown(name)


def _issuer_is_https(scene: Scene) -> _Found:
    for issuer in scene.root.items("issuers"):
        url = issuer.get("url")
        if url.text.startswith("http://") and issuer.get("policy").get("allow_http").value is not True:
            message = f"must be https, found {found(url.text)}; for a test network write policy: {{allow_http: true}}"
            yield url.loc, message


def _resources_have_a_client(scene: Scene) -> _Found:
    for issuer in scene.root.items("issuers"):
        clients = [client.get("name").text for client in issuer.items("clients")]
        for resource in issuer.items("resources"):
            client = resource.get("client")
            if client.text and client.text not in clients:
                near = closest(client.text, clients)
                known = ", ".join(filter(None, clients)) or "none"
                yield client.loc, f"{found(client.text)} is not a client of this issuer{near}; known: {known}"


def _timeouts_fit(scene: Scene) -> _Found:
    for probe in scene.probes():
        kind = _type_of(probe)
        timeout, every = probe.get("timeout").seconds, probe.get("every").seconds
        if every is None and kind in PROBES and probe.get("every").value is None:
            every = PROBES[kind].interval
        if timeout is not None and every is not None and timeout > every:
            longest, given = format_duration(every), format_duration(timeout)
            yield probe.get("timeout").loc, f"must not be longer than every ({longest}), or runs overlap; found {given}"


def _clients_can_do_their_probes(scene: Scene) -> _Found:
    for issuer in scene.root.items("issuers"):
        for client in issuer.items("clients"):
            probes = client.items("probes")
            kinds = {_type_of(probe) for probe in probes} & PROBES.keys()
            if kinds:
                yield from _authentication(client, sorted(kinds))
            for probe in probes:
                if _type_of(probe) in PROBES and PROBES[_type_of(probe)].user:
                    yield from _login(scene, client, probe)


def _authentication(client: Node, kinds: list[str]) -> _Found:
    auth = client.get("auth")
    method = auth.get("method").text or "client_secret_basic"
    has_secret = auth.get("secret").value is not None
    if method.startswith("client_secret_") and not has_secret:
        yield auth.loc, f"{method} needs a secret for {', '.join(kinds)}; for a public client write method: none"
    if method == "none" and has_secret:
        yield auth.get("secret").loc, "is never sent with method: none; remove it or choose client_secret_basic"


def _login(scene: Scene, client: Node, probe: Node) -> _Found:
    kind = _type_of(probe)
    if client.get("redirect_uri").value is None:
        yield probe.loc, f"{kind} needs redirect_uri on the client: any registered one, nothing has to listen there"
    users = client.get("users_by_region").value
    if client.get("user").value is None:
        wanted = [region.text for region in probe.items("regions")] or _here(scene)
        without = [region for region in wanted if not isinstance(users, dict) or region not in users]
        if not users:
            yield probe.loc, f"{kind} needs user on the client: an account that exists for monitoring only"
        elif without:
            yield probe.loc, f"{kind} has no user in {', '.join(without)}; add user, or users_by_region for each region"
    scopes = client.get("scopes")
    if isinstance(scopes.value, list) and "openid" not in scopes.value:
        yield scopes.loc, f"must contain openid for {kind} (OIDC Core §3.1.2.1)"


def _here(scene: Scene) -> list[str]:
    """The regions that this agent runs in."""
    return [scene.own_region, *(item.get("region").text for item in scene.root.items("egress"))]


def _login_steps_keep_secrets_out(scene: Scene) -> _Found:
    for issuer in scene.root.items("issuers"):
        for client in issuer.items("clients"):
            for step in client.get("login").items("steps"):
                selector, value = step.get("fill").text.lower(), step.get("value")
                if "passw" in selector and value.text and "{password}" not in value.text:
                    yield value.loc, "must be {password} in a password field: no secret is written into the file"


def _known_teams(scene: Scene) -> _Found:
    alerting = scene.root.get("alerting")
    named = {owner.loc[-1]: owner.text for owner in alerting.values("owners")}
    issuers = scene.root.items("issuers")
    subjects = [*issuers, *(client for issuer in issuers for client in issuer.items("clients"))]
    # A kind of owner that is given no team is called by its own word.
    words = [named.get(owner.value, owner.value) for owner in Owner]
    known = tuple(dict.fromkeys(filter(None, [*(subject.get("owner").text for subject in subjects), *words])))
    for team in alerting.values("teams"):
        name = str(team.loc[-1])
        if name not in known:
            yield team.loc, f"{found(name)} owns nothing in this file{closest(name, known)}; known: {', '.join(known)}"


def _receivers_are_complete(scene: Scene) -> _Found:
    alerting = scene.root.get("alerting")
    for routes in (alerting.get("receivers"), *alerting.values("teams")):
        for route in routes.value if isinstance(routes.value, dict) else ():
            for entry in routes.items(route):
                for path, message in refusals(entry.value) if _is_receiver(entry.value) else ():
                    yield (*entry.loc, *path), message


def _is_receiver(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict) and all(
        kind in REQUIRED and isinstance(fields, dict) for kind, fields in value.items()
    )


def _hours_end_after_they_start(scene: Scene) -> _Found:
    alerting = scene.root.get("alerting")
    for hours in (alerting.get("office_hours"), *alerting.items("maintenance")):
        start, end = hours.get("start"), hours.get("end")
        if start.text == "24:00":
            yield start.loc, "must be before the day's end; write 00:00 and the next day"
        elif start.text and start.text == end.text:
            yield end.loc, f"must not be the start, {found(start.text)}; the whole day is 00:00 to 24:00"


RULES: tuple[_Rule, ...] = (
    _unique_names,
    _unique_regions,
    _known_regions,
    _objectives_have_names,
    _known_issuers,
    _keys_are_shared_with_others,
    _issuer_is_https,
    _resources_have_a_client,
    _timeouts_fit,
    _clients_can_do_their_probes,
    _login_steps_keep_secrets_out,
    _known_teams,
    _receivers_are_complete,
    _hours_end_after_they_start,
    known_verifiers,
    drills_can_be_run,
)


def check_rules(tree: Tree, region: str) -> list[Problem]:
    """Everything that breaks a rule. `region` is what the environment names as the agent's own, or empty."""
    scene = Scene(Node(tree.data), tree, region)
    return [tree.problem(loc, message) for rule in RULES for loc, message in rule(scene)]
