"""The kinds of probes: one row each. A new probe is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from probes.http import Http
from probes.memory import Memory
from probes.model import Quantity, Reason, Stage
from probes.probe import Clock, Probe
from probes.reasons import reasons_of
from probes.redact import Redactor
from probes.secrets import Secrets
from probes.subjects import Region

if TYPE_CHECKING:  # an agent without browser checks never loads Playwright
    from probes.browser import BrowserPool


@dataclass(frozen=True, slots=True)
class Resources:
    """What a probe may use, for one issuer's trust and one region's way out."""

    http: Http
    secrets: Secrets
    memory: Memory
    region: Region
    redact: Redactor
    clock: Clock
    browsers: Callable[[], BrowserPool]


@dataclass(frozen=True, slots=True)
class ProbeKind:
    """What a kind of probe can do and say: enough to create every metric series before its first run."""

    name: str
    title: str
    of: Literal["issuer", "client"]
    """Whether it checks the issuer itself or acts as one of its clients."""
    stages: frozenset[Stage]
    quantities: frozenset[Quantity]
    build: Callable[[Resources], Probe]
    grants: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    browser: bool = False
    user: bool = False
    """Signs a synthetic user in."""
    interval: float = 60.0
    timeout: float = 30.0

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every reason that a run of it can fail with."""
        return reasons_of(self.stages | {Stage.PROBE})


def _discovery(use: Resources) -> Probe:
    from probes.discovery import DiscoveryProbe

    return DiscoveryProbe(use.http, use.memory, use.region.name, use.clock)


def _jwks(use: Resources) -> Probe:
    from probes.jwks import JwksProbe

    return JwksProbe(use.http, use.memory, use.region.name, use.clock)


def _client_credentials(use: Resources) -> Probe:
    from probes.client_credentials import ClientCredentialsProbe

    return ClientCredentialsProbe(use.http, use.secrets, use.memory, use.clock)


def _login(use: Resources) -> Probe:
    from probes.login import LoginProbe

    return LoginProbe(use.http, use.browsers(), use.secrets, use.memory, use.region, use.redact, use.clock)


def _refresh(use: Resources) -> Probe:
    from probes.refresh import RefreshProbe

    return RefreshProbe(use.http, use.browsers(), use.secrets, use.memory, use.region, use.redact, use.clock)


_S, _Q = Stage, Quantity
_HTTP = frozenset({_Q.CLOCK_OFFSET, _Q.TLS_EXPIRY})
_TOKENS = _HTTP | {_Q.TOKEN_LIFETIME, _Q.TOKEN_RESPONSE, _Q.TOKEN_VALIDATION}
_ROTATION = frozenset({_Q.JWKS_LEAD, _Q.JWKS_OVERLAP, _Q.JWKS_KEY_AGE})
_KEYS = _ROTATION | {_Q.JWKS_KEYS, _Q.JWKS_FETCHED, _Q.JWKS_CHANGED, _Q.JWKS_MAX_AGE, _Q.JWKS_AGREEMENT}
_PAGES = frozenset({_S.AUTHORIZE, _S.LOGIN_FORM, _S.OTP, _S.CONSENT, _S.CALLBACK})
_SIGN_IN = _PAGES | {_S.DISCOVERY, _S.TOKEN, _S.JWKS, _S.ID_TOKEN}

PROBES: Mapping[str, ProbeKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            ProbeKind(
                "discovery", "Discovery document", "issuer", frozenset({_S.DISCOVERY}), _HTTP, _discovery,
                endpoints=("discovery",), interval=30, timeout=10,
            ),
            ProbeKind(
                "jwks", "Key set", "issuer", frozenset({_S.DISCOVERY, _S.JWKS}), _HTTP | _KEYS, _jwks,
                endpoints=("discovery", "jwks"), interval=30, timeout=10,
            ),
            ProbeKind(
                "client_credentials", "Client credentials", "client",
                frozenset({_S.DISCOVERY, _S.TOKEN, _S.JWKS, _S.ACCESS_TOKEN}), _TOKENS, _client_credentials,
                grants=("client_credentials",), tokens=("access_token",), endpoints=("discovery", "token", "jwks"),
                timeout=15,
            ),
            ProbeKind(
                "login", "Login", "client", _SIGN_IN | {_S.USERINFO, _S.LOGOUT}, _TOKENS, _login,
                grants=("authorization_code",), tokens=("access_token", "id_token"),
                endpoints=("discovery", "authorization", "token", "jwks", "userinfo"), browser=True, user=True,
            ),
            ProbeKind(
                "refresh", "Refresh", "client", _SIGN_IN | {_S.REFRESH}, _TOKENS, _refresh,
                grants=("authorization_code", "refresh_token"), tokens=("access_token", "id_token"),
                endpoints=("discovery", "authorization", "token", "jwks"), browser=True, user=True, interval=300,
            ),
        )
    }
)  # fmt: skip
