"""How drills drive an issuer: the shape in the configuration file, its rules, and the targets that come of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from drills.target import AbortRule, Command, KeycloakAdmin, Manual, Provider, SandboxControl, Target
from oidcwatch.config_base import Model, Secret, SecretReference
from oidcwatch.config_problem import Loc, closest, found
from oidcwatch.config_scene import Node, Scene
from oidcwatch.config_values import ActionName, BaseUrl, EnvName, Every, Name, Text, refuse
from probes.subjects import Issuer, SecretRef

_T = TypeVar("_T")

_Found = Iterator[tuple[Loc, str]]

_COMMAND_SECONDS = 60.0
_PERSON_SECONDS = 1_800.0


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys that a kind of provider has beside `type`."""

    needed: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


_KINDS: Mapping[str, _Keys] = MappingProxyType(
    {
        "sandbox": _Keys(("control",), ("fault_control",)),
        "keycloak": _Keys(("url", "realm", "client_id", "secret"), ("fault_control",)),
        "command": _Keys(("command", "can"), ("environment", "timeout")),
        "manual": _Keys((), ("timeout",)),
    }
)


def _share(value: Any) -> Decimal:
    match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s?%", value) if isinstance(value, str) else None
    share = Decimal(match[1]) / 100 if match else Decimal(2)
    if share > 1:
        refuse("must be a share from 0% to 100%, such as 25%")
    return share


Share = Annotated[
    Decimal,
    BeforeValidator(_share),
    PlainSerializer(lambda share: f"{(share * 100).normalize():f}%", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,3}(\.\d+)?\s?%$", "examples": ["25%"]}),
]


class DrillProviderModel(Model):
    """How the provider is driven. Each type has keys of its own."""

    type: Literal["sandbox", "keycloak", "command", "manual"]
    """Who does what a drill does: a control API, Keycloak's admin REST API, a command of yours, or a person."""
    control: BaseUrl | None = None
    """sandbox: its control API (`control` in what `python -m sandbox` prints)."""
    fault_control: BaseUrl | None = None
    """sandbox, keycloak: control port of our fault proxy in front of it; without one only keys and clocks can be driven."""
    url: BaseUrl | None = None
    """keycloak: where the admin REST API is, without /admin."""
    realm: Text | None = None
    """keycloak: the realm."""
    client_id: Text | None = None
    """keycloak: client in that realm whose service account has the role manage-realm of realm-management."""
    secret: Secret | None = None
    """keycloak: reference to that client's secret."""
    command: Annotated[list[Text], Field(min_length=1)] | None = None
    """command: program and arguments, run without a shell; the action is added, its parameters come on standard input.
    A relative path of the program starts at the configuration's folder. Arguments are no place for secrets: every user
    of the machine can read them."""
    environment: dict[EnvName, Secret] | None = None
    """command: environment variables that it gets, each with the reference to the secret that is its value; read each
    time that the command is started."""
    can: list[ActionName] | None = None
    """command: the actions that it knows; it must know snapshot, restore and clean too."""
    timeout: Every | None = None
    """command, manual: longest time that one action may take; 1m for a command, 30m for a person when absent."""


class AbortRuleModel(Model):
    """What ends a drill before its time."""

    query: Text
    """PromQL of one or more values."""
    above: float
    """The drill is rolled back when one of them is above this."""
    text: Text
    """What that means, for the report."""


class DrillModel(Model):
    """What a drill may do to this issuer, and when it must stop."""

    client: Name
    """Client of this issuer whose client credentials tokens are measured; it needs a secret and an audience."""
    provider: DrillProviderModel
    """How the provider is driven."""
    agents: list[BaseUrl] = Field(default_factory=list)
    """Agents that are told of a drill, so that their runs during it spend no budget: `http://127.0.0.1:9464`."""
    prometheus_url: BaseUrl = ""
    """Where alerts and budgets are read; that of alerting when absent."""
    alertmanager_url: BaseUrl = ""
    """Where notifications are read; that of alerting when absent."""
    abort_when: list[AbortRuleModel] = Field(default_factory=list)
    """What ends a drill and rolls it back."""
    least_budget: Annotated[Share, Field(json_schema_extra={"default": "25%"})] = Decimal("0.25")
    """Share of each error budget that must be left for a drill to start."""


def drills_can_be_run(scene: Scene) -> _Found:
    """The rules of `issuers[].drill` that concern more than one value."""
    for issuer in scene.root.items("issuers"):
        drill = issuer.get("drill")
        if isinstance(drill.value, dict):
            yield from _client(issuer, drill)
            yield from _provider(issuer, drill.get("provider"))
            yield from _aborts(scene, drill)


def _client(issuer: Node, drill: Node) -> _Found:
    wanted = drill.get("client")
    clients = {client.get("name").text: client for client in issuer.items("clients")}
    client = clients.get(wanted.text)
    if client is None:
        if wanted.text:
            known = ", ".join(filter(None, clients)) or "none"
            near = closest(wanted.text, clients)
            yield wanted.loc, f"{found(wanted.text)} is not a client of this issuer{near}; known: {known}"
    elif client.get("auth").get("method").text == "none" or client.get("auth").get("secret").value is None:
        yield wanted.loc, f"{found(wanted.text)} has no secret, and cannot get tokens by itself (RFC 6749 §4.4)"
    elif client.get("audience").value is None:
        yield wanted.loc, f"{found(wanted.text)} has no audience; verifiers must know what to expect in `aud`"


def _provider(issuer: Node, provider: Node) -> _Found:
    kind = provider.get("type").text
    if kind not in _KINDS or not isinstance(provider.value, dict):
        return
    keys = _KINDS[kind]
    missing = [key for key in keys.needed if provider.get(key).value is None]
    if missing:
        yield provider.loc, f"{kind} needs {', '.join(missing)}"
    for key in DrillProviderModel.model_fields:
        if key in provider.value and key not in ("type", *keys.needed, *keys.more):
            allowed = ", ".join(("type", *keys.needed, *keys.more))
            yield provider.get(key).loc, f"is not a key of a provider of type {kind}; allowed there: {allowed}"
    if provider.get("url").text.startswith("http:") and issuer.get("policy").get("allow_http").value is not True:
        yield provider.get("url").loc, "must be https, or set policy.allow_http: a secret is sent there"


def _aborts(scene: Scene, drill: Node) -> _Found:
    rules = drill.items("abort_when")
    if rules and not drill.get("prometheus_url").text and not scene.root.get("alerting").get("prometheus_url").text:
        yield rules[0].loc, "needs prometheus_url, here or in alerting: that is who answers the query"


@dataclass(frozen=True, slots=True)
class Around:
    """What a drill's target takes from the rest of the file."""

    prometheus: str
    alertmanager: str
    secret: Callable[[SecretReference], SecretRef]
    program: Callable[[str], str]
    """The path of a program: a relative one starts at the configuration's folder."""


def target_of(model: DrillModel, issuer: Issuer, around: Around) -> Target:
    """The target of drills on that issuer. The model has passed every check."""
    return Target(
        issuer=issuer,
        client=next(client for client in issuer.clients if client.name == model.client),
        provider=_provider_of(model.provider, around),
        agents=tuple(model.agents),
        prometheus=model.prometheus_url or around.prometheus,
        alertmanager=model.alertmanager_url or around.alertmanager,
        aborts=tuple(AbortRule(rule.query, rule.above, rule.text) for rule in model.abort_when),
        least_budget=model.least_budget,
    )


def _provider_of(model: DrillProviderModel, around: Around) -> Provider:
    faults = model.fault_control or ""
    match model.type:
        case "sandbox":
            return SandboxControl(_given(model.control), faults)
        case "keycloak":
            secret = around.secret(_given(model.secret))
            return KeycloakAdmin(_given(model.url), _given(model.realm), _given(model.client_id), secret, faults)
        case "command":
            program, *arguments = _given(model.command)
            return Command(
                (around.program(program), *arguments),
                tuple(_given(model.can)),
                model.timeout or _COMMAND_SECONDS,
                tuple((name, around.secret(secret)) for name, secret in (model.environment or {}).items()),
            )
        case "manual":
            return Manual(model.timeout or _PERSON_SECONDS)


def _given(value: _T | None) -> _T:
    """A key that the rules have seen."""
    assert value is not None  # noqa: S101 - drills_can_be_run refuses a file without it
    return value
