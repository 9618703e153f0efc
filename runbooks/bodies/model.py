"""What a person writes for a family of alerts; everything else on a page comes from the rule and the deployment."""

from __future__ import annotations

from dataclasses import dataclass

from probes.model import Reason
from runbooks.checks import RunbookCheck


@dataclass(frozen=True, slots=True)
class Mitigation:
    """One way out. Words in capitals are for the reader to fill in."""

    do: str
    command: str
    expect: str
    verify: str
    rollback: str
    risk: str


@dataclass(frozen=True, slots=True)
class Body:
    """The hand-written part of a page. Texts may have the markup of `runbooks.content`."""

    first: str
    """What to do in the first minute, as one instruction."""
    background: tuple[str, ...]
    """How the measured thing works, for who has never seen it."""
    checks: tuple[RunbookCheck, ...]
    ours: tuple[str, ...]
    """Signs that the fault is with the probe and not with the provider."""
    mitigations: tuple[Mitigation, ...]
    """The safest first."""
    changes: tuple[str, ...]
    """Which recent changes to look for."""
    false_positives: tuple[str, ...]
    references: tuple[tuple[str, str], ...]
    """Title and URL."""
    reasons: tuple[Reason, ...] = ()
    """What to look for where the alert names no reasons; empty means all that its probes can give."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do first about one reason, safe and reversible."""

    reason: Reason
    do: str
    verify: str
    fault: str = ""
    """A fault of the embedded provider that shows it, for practice."""


CORE = ("OpenID Connect Core 1.0", "https://openid.net/specs/openid-connect-core-1_0.html")
DISCOVERY = ("OpenID Connect Discovery 1.0", "https://openid.net/specs/openid-connect-discovery-1_0.html")
OAUTH = ("RFC 6749, OAuth 2.0", "https://www.rfc-editor.org/rfc/rfc6749")
TOKEN_ERRORS = ("RFC 6749 §5.2, errors of the token endpoint", "https://www.rfc-editor.org/rfc/rfc6749#section-5.2")
ID_TOKEN = (
    "OIDC Core §3.1.3.7, ID token validation",
    "https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation",
)
ROTATION = (
    "OIDC Core §10.1.1, rotation of signing keys",
    "https://openid.net/specs/openid-connect-core-1_0.html#RotateSigKeys",
)
KEYS = ("RFC 7517, JSON Web Key", "https://www.rfc-editor.org/rfc/rfc7517")
BEARER = ("RFC 6750 §3, errors of resources", "https://www.rfc-editor.org/rfc/rfc6750#section-3")
JWT = ("RFC 7519 §4.1, registered claims", "https://www.rfc-editor.org/rfc/rfc7519#section-4.1")
REFRESH = ("RFC 9700 §4.14, refresh tokens", "https://www.rfc-editor.org/rfc/rfc9700#section-4.14")
BEST_PRACTICE = ("RFC 9700, security best current practice", "https://www.rfc-editor.org/rfc/rfc9700")
ISS = ("RFC 9207, issuer identification", "https://www.rfc-editor.org/rfc/rfc9207")
BURN = ("SRE Workbook, alerting on SLOs", "https://sre.google/workbook/alerting-on-slos/")
