"""Which provider a drill drives, whose tokens it measures, and when it gives up: what the configuration says of drills."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from probes.subjects import Client, Issuer, SecretRef


@dataclass(frozen=True, slots=True)
class SandboxControl:
    """The embedded provider, by its control APIs."""

    control: str
    fault_control: str = ""
    """The fault proxy's control port; without one what fails is the provider itself, and less can be done."""


@dataclass(frozen=True, slots=True)
class KeycloakAdmin:
    """A realm of Keycloak, by its admin REST API."""

    url: str
    """Base of the server, as https://login.acme.example."""
    realm: str
    client_id: str
    """Of a service account with the role manage-realm of realm-management."""
    secret: SecretRef
    fault_control: str = ""
    """Control port of a fault proxy of ours in front of it; without one only keys can be driven."""


@dataclass(frozen=True, slots=True)
class Command:
    """Any provider, by a command of the user's."""

    command: tuple[str, ...]
    """Gets the action as its last argument and its parameters as JSON on standard input."""
    can: tuple[str, ...]
    """The actions that it knows."""
    timeout: float
    """Seconds."""
    environment: tuple[tuple[str, SecretRef], ...] = ()
    """Variables that it gets, each with where its value is read whenever the command is started."""


@dataclass(frozen=True, slots=True)
class Manual:
    """A person does it: told what to do, and waited for until it is seen from outside."""

    timeout: float
    """Seconds."""


Provider = SandboxControl | KeycloakAdmin | Command | Manual


@dataclass(frozen=True, slots=True)
class AbortRule:
    """A drill ends, and is rolled back, when a value of this PromQL query is above the threshold."""

    query: str
    above: float
    text: str
    """What it means, for the report: as "1 % of real requests are refused"."""


@dataclass(frozen=True, slots=True)
class Target:
    """Everything that the configuration says for drills on one issuer."""

    issuer: Issuer
    client: Client
    """Whose client credentials tokens are measured (RFC 6749 §4.4)."""
    provider: Provider
    agents: tuple[str, ...] = ()
    """Base URLs of agents that are told of the drill, so that their runs spend no budget."""
    prometheus: str = ""
    """Base URL; empty: nobody looks at alerts and budgets."""
    alertmanager: str = ""
    aborts: tuple[AbortRule, ...] = ()
    least_budget: Decimal = Decimal("0.25")
    """Share of each error budget that must be left for a drill to start."""
