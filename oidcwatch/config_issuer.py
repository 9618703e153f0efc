"""The shape of one issuer in the configuration file: its clients, users, login pages, resources and probes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from oidcwatch.config_base import Model, Secret, exactly_one
from oidcwatch.config_drill import DrillModel
from oidcwatch.config_values import (
    ClientProbeType,
    Duration,
    EnvName,
    Every,
    FreeText,
    Host,
    IssuerProbeType,
    IssuerUrl,
    Name,
    RedirectUri,
    ResourceUrl,
    Scope,
    Text,
    Timeout,
    VerifierName,
    refuse,
)
from probes.registry import PROBES
from probes.subjects import Policy

Preset = Literal["generic", "keycloak"]
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


_POLICY = Policy()


def _file_or_reference(value: Any) -> Any:
    return {"file": value} if isinstance(value, str) else value


def _long_form(value: Any) -> Any:
    return {"type": value} if isinstance(value, str) else value


class CaFile(Model):
    """Where the authorities to trust are."""

    file: Text | None = None
    """Path of a PEM file; a relative path starts at the configuration's folder."""
    env: EnvName | None = None
    """Name of the environment variable that holds the path."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        exactly_one(self, ("file", "env"))
        return self


class Tls(Model):
    """How to trust the issuer's certificate."""

    ca_file: Annotated[CaFile, BeforeValidator(_file_or_reference, json_schema_input_type=CaFile | str)] | None = None
    """PEM file of the authorities to trust instead of the system's: a path, or {env: NAME}."""


class PolicyModel(Model):
    """What this deployment promises, where the specifications leave a choice."""

    allow_http: bool = _POLICY.allow_http
    """Accept plain http with a warning: for loopback and test networks."""
    allow_alg_none: bool = _POLICY.allow_alg_none
    """Accept, with a warning, that the provider offers unsigned ID tokens; one that comes is refused all the same."""
    max_clock_offset: Duration = _POLICY.max_clock_offset
    """Largest accepted difference between the provider's clock and ours."""
    max_token_lifetime: Duration = _POLICY.max_token_lifetime
    """Longest accepted lifetime of an ID or access token."""
    max_response_seconds: Duration = _POLICY.max_response_seconds
    """Slowest accepted answer of discovery and JWKS, as a duration."""
    min_key_lead: Duration = _POLICY.min_key_lead
    """How long a new key must be published before anything is signed with it."""
    max_key_age: Duration = _POLICY.max_key_age
    """How long one key may sign."""
    standby_key: bool = _POLICY.standby_key
    """The next signature key is always published, beside the one that signs."""
    expect: list[Text] = Field(default_factory=list)
    """Members of the discovery document that must be present beyond the required ones."""


class Auth(Model):
    """Client authentication at the token endpoint (OIDC Core §9)."""

    method: Literal["client_secret_basic", "client_secret_post", "none"] = "client_secret_basic"
    """How the client authenticates; `none` for a public client."""
    secret: Secret | None = None
    """Reference to the client's secret."""


class UserModel(Model):
    """A synthetic user: an account that exists only for monitoring."""

    username: Text
    """What is typed as user name."""
    password: Secret
    """Reference to the password."""
    totp: Secret | None = None
    """Reference to the base32 seed of the user's authenticator (RFC 6238)."""


class LoginStepModel(Model):
    """One explicit action on the login page: fill, click or wait_for."""

    fill: Text | None = None
    """CSS selector of the field to fill with `value`."""
    value: Text | None = None
    """Text to fill in; {username}, {password} and {totp} stand for the user's."""
    click: Text | None = None
    """CSS selector of the element to click."""
    wait_for: Text | None = None
    """CSS selector of the element to wait for."""

    @model_validator(mode="after")
    def _one_action(self) -> Self:
        exactly_one(self, ("fill", "click", "wait_for"))
        if (self.fill is None) != (self.value is None):
            refuse('fill and value belong together: {fill: "#user", value: "{username}"}', in_full=True)
        return self


class Login(Model):
    """How to get through the login page."""

    preset: Preset = "generic"
    """Which login page it is; `generic` finds fields by their meaning."""
    steps: list[LoginStepModel] = Field(default_factory=list)
    """Explicit actions that replace the preset, for pages that no preset understands."""
    consent: Literal["accept", "refuse"] = "accept"
    """What to answer on a consent page."""


class _ProbeEntry(Model):
    type: str
    every: Every = Field(default_factory=lambda data: PROBES[data["type"]].interval)
    """Time between the starts of two runs; 1s or more."""
    timeout: Timeout = Field(default_factory=lambda data: min(PROBES[data["type"]].timeout, data["every"]))
    """Longest time that one run may take; no longer than `every`."""
    regions: list[Name] = Field(default_factory=list)
    """Regions that it runs in; every region of the agent when absent."""
    confirm: bool = False
    """After a failure run once more at once and let the second result count."""


class IssuerProbe(_ProbeEntry):
    """One kind of check of the issuer itself."""

    type: IssuerProbeType
    """What is checked."""


class ClientProbe(_ProbeEntry):
    """One kind of check that acts as this client."""

    type: ClientProbeType
    """What is checked."""


class ClientModel(Model):
    """A registered client that the probes act as."""

    name: Name
    """Name in labels and commands; unique in the issuer."""
    client_id: Text
    """Identifier at the provider."""
    owner: FreeText = ""
    """Who is called when its registration or secret is at fault; when absent the `application` of alerting.owners, or
    the issuer's owner."""
    auth: Auth = Auth()
    """How the client authenticates at the token endpoint."""
    scopes: list[Scope] = Field(default_factory=lambda: ["openid"])
    """Scopes to ask for; client_credentials leaves out openid and offline_access, which need a user."""
    redirect_uri: RedirectUri | None = None
    """Registered redirect URI; the browser intercepts it, nothing has to listen there."""
    post_logout_redirect_uri: RedirectUri | None = None
    """Registered URI to return to after logout."""
    user: UserModel | None = None
    """The synthetic user of this client."""
    users_by_region: dict[str, UserModel] = Field(default_factory=dict)
    """Other synthetic users by region: one user seen on three continents trips risk engines."""
    login: Login = Login()
    """What its login page looks like."""
    audience: Text | None = None
    """Value wanted in `aud` of JWT access tokens."""
    send_resource: bool = False
    """Send the audience as `resource` (RFC 8707)."""
    id_token_alg: Algorithm = "RS256"
    """Algorithm that ID tokens of this client must be signed with."""
    required_claims: list[Text] = Field(default_factory=list)
    """Claims that the ID token must have beyond the required ones."""
    acr_values: list[Text] = Field(default_factory=list)
    """Authentication context classes to ask for, the preferred one first."""
    max_age: Duration | None = None
    """Oldest accepted authentication (`max_age` of the authorization request)."""
    probes: list[
        Annotated[ClientProbe, BeforeValidator(_long_form, json_schema_input_type=ClientProbe | ClientProbeType)]
    ] = Field(default_factory=list)
    """What to run as this client: {type: login, every: 60s} or the type alone."""


class ResourceModel(Model):
    """A protected resource of this issuer."""

    name: Name
    """Name in labels and commands; unique in the issuer, clients included."""
    url: ResourceUrl
    """Address to call with an access token."""
    audience: Text | None = None
    """Audience that the resource wants in the token."""
    client: Name
    """Name of the client of this issuer whose token is sent."""


class IssuerModel(Model):
    """One OpenID provider."""

    name: Name
    """Name in labels and commands; unique."""
    url: IssuerUrl
    """Issuer identifier exactly as the provider writes it in `iss`; https unless policy.allow_http."""
    owner: FreeText = ""
    """Who is called when it breaks."""
    verifiers: list[VerifierName] = Field(default_factory=list)
    """What verifies its tokens; drives predictions about key rotation."""
    tls: Tls = Tls()
    """How to trust its certificate."""
    allowed_hosts: list[Host] = Field(default_factory=list)
    """Hosts beyond the issuer's own that endpoints may be on and that the browser may reach."""
    shares_keys_with: list[Name] = Field(default_factory=list)
    """Other issuers of this file that publish the same keys on purpose, as all tenants of Entra ID do, or one provider
    under its own and under a custom domain; it is enough that one of the two names the other. ROT-20 is only a note then."""
    policy: PolicyModel = PolicyModel()
    """What this deployment promises."""
    clients: list[ClientModel] = Field(default_factory=list)
    """Clients that the probes act as."""
    resources: list[ResourceModel] = Field(default_factory=list)
    """Protected resources."""
    drill: DrillModel | None = None
    """How `oidcwatch drill` drives it; drills are refused when absent."""
    probes: list[
        Annotated[IssuerProbe, BeforeValidator(_long_form, json_schema_input_type=IssuerProbe | IssuerProbeType)]
    ] = Field(default_factory=list)
    """What to run on the issuer itself: {type: discovery, every: 30s} or the type alone."""
