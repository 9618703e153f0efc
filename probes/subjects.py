"""What a person configured: issuers, clients, users, regions. Frozen values without I/O; no secret is ever held here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret lives: an environment variable, a file, or the standard output of a command.

    The value is read when it is needed and never stored, so this may be printed (probes.secrets reads it).
    """

    source: Literal["env", "file", "exec"]
    location: str


@dataclass(frozen=True, slots=True)
class Region:
    """Where a run looks from. With `proxy` (http:// or socks5://) one agent stands in for another place."""

    name: str
    geohash: str = ""
    country: str = ""
    proxy: str | None = None


class AuthMethod(StrEnum):
    """Client authentication at the token endpoint (OIDC Core §9)."""

    BASIC = "client_secret_basic"
    POST = "client_secret_post"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class User:
    """A synthetic user. One for each region: a user seen on three continents trips risk engines."""

    username: str
    password: SecretRef
    totp: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class LoginStep:
    """One explicit action on the login page, for pages that no preset understands.

    `fill` takes `value` as text with {username}, {password}, {totp}; `click` and `wait_for` take a selector only.
    """

    action: Literal["fill", "click", "wait_for"]
    selector: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class LoginForm:
    """How to get through the login page: the name of a preset, or explicit steps which replace it."""

    preset: str = "generic"
    steps: tuple[LoginStep, ...] = ()
    consent: Literal["accept", "refuse"] = "accept"


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client that the probes act as."""

    name: str
    client_id: str
    auth_method: AuthMethod = AuthMethod.BASIC
    secret: SecretRef | None = None
    scopes: tuple[str, ...] = ("openid",)
    redirect_uri: str = ""
    post_logout_redirect_uri: str = ""
    user: User | None = None
    users_by_region: Mapping[str, User] = field(default_factory=lambda: MappingProxyType({}))
    login: LoginForm = LoginForm()
    id_token_alg: str = "RS256"
    audience: str = ""
    """Wanted in `aud` of JWT access tokens; sent as `resource` (RFC 8707) when `send_resource` is set."""
    send_resource: bool = False
    required_claims: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    owner: str = ""
    """Who is called when its registration or its secret is at fault."""

    def user_for(self, region: str) -> User | None:
        """The synthetic user of that region, or the client's one user."""
        return self.users_by_region.get(region, self.user)


@dataclass(frozen=True, slots=True)
class Policy:
    """What this deployment promises, where the specifications leave a choice. Durations in seconds."""

    allow_http: bool = False
    """Plain http is a finding of severity warning instead of a failure: for loopback and test networks."""
    allow_alg_none: bool = False
    """`none` among the offered ID token algorithms is a warning: Discovery §3 lets a provider offer it for flows that
    give no ID token from the authorization endpoint. A token signed so is refused all the same."""
    max_clock_offset: float = 2.0
    max_token_lifetime: float = 86_400.0
    max_response_seconds: float = 5.0
    """The shortest deadline among common consumers of discovery and JWKS (AWS STS, jose)."""
    min_key_lead: float = 0.0
    max_key_age: float = 400 * 86_400.0
    standby_key: bool = False
    """The next signature key is published at all times, long before it signs."""
    expect: tuple[str, ...] = ()
    """Discovery members that must be present beyond the required ones."""


@dataclass(frozen=True, slots=True)
class VerifierFacts:
    """What a program that checks this issuer's tokens makes of its key set. Durations in seconds."""

    name: str
    waits_for_max_age: bool = False
    """It takes up no new key before the max-age of the set that it holds has passed (RFC 9111 §5.2.2.1)."""
    least: float = 0.0
    """A shorter max-age counts as this."""
    most: float | None = math.inf
    """A longer max-age counts as this; None: it has a limit that nobody knows."""
    without: float | None = None
    """How long it keeps a set without a max-age; None: nobody knows."""
    early: float = 0.0
    """It fetches that much before the time is over."""
    fetch_timeout: float | None = None
    """A key set that takes longer is none to it; None: nobody knows, or it waits for ever."""

    def wait(self, max_age: int | None) -> float | None:
        """The longest time from a key's publication to its acceptance, in seconds; None when max-age says nothing."""
        age = self.without if max_age is None else max(float(max_age), self.least)
        if not self.waits_for_max_age or age is None or self.most is None:
            return None
        return max(min(age, self.most) - self.early, 0.0)


@dataclass(frozen=True, slots=True)
class Issuer:
    """One OpenID provider. `url` is compared literally with `iss` and with the discovery document."""

    name: str
    url: str
    owner: str = ""
    verifiers: tuple[str, ...] = ()
    """Names of rows of the verifier table."""
    verifier_facts: tuple[VerifierFacts, ...] = ()
    """What checks need of those rows."""
    clients: tuple[Client, ...] = ()
    ca_file: Path | None = None
    allowed_hosts: frozenset[str] = frozenset()
    """Hosts beyond the issuer's own that endpoints may be on and that the browser may reach."""
    policy: Policy = Policy()
    shares_keys_with: frozenset[str] = frozenset()
    """Names of the issuers that may publish the same keys, whichever of the two says so."""
