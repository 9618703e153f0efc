"""The values that every part shares: what was checked, what happened at which step, and why it failed. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from probes.subjects import Client, Issuer


class Stage(StrEnum):
    """A protocol step: the same word in steps, failures, metrics, traces, pages and runbooks."""

    DISCOVERY = "discovery"
    JWKS = "jwks"
    AUTHORIZE = "authorize"
    LOGIN_FORM = "login_form"
    OTP = "otp"
    CONSENT = "consent"
    CALLBACK = "callback"
    TOKEN = "token"
    ID_TOKEN = "id_token"
    ACCESS_TOKEN = "access_token"
    USERINFO = "userinfo"
    REFRESH = "refresh"
    INTROSPECT = "introspect"
    REVOKE = "revoke"
    LOGOUT = "logout"
    EXCHANGE = "exchange"
    RESOURCE = "resource"
    GRANT = "grant"
    AUDIT = "audit"
    PROBE = "probe"


class Reason(StrEnum):
    """Why a run failed: a closed set, fit for a label. What each means is a row of `probes.reasons`."""

    DNS_FAILURE = "dns_failure"
    CONNECT_FAILURE = "connect_failure"
    TIMEOUT = "timeout"
    TLS_INVALID = "tls_invalid"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_RESPONSE = "bad_response"
    DISCOVERY_INVALID = "discovery_invalid"
    ISSUER_MISMATCH = "issuer_mismatch"
    DISCOVERY_DRIFT = "discovery_drift"
    JWKS_INVALID = "jwks_invalid"
    JWKS_INCONSISTENT = "jwks_inconsistent"
    KID_UNKNOWN = "kid_unknown"
    SIGNATURE_INVALID = "signature_invalid"
    ALG_NOT_ALLOWED = "alg_not_allowed"
    ROTATION_UNSAFE = "rotation_unsafe"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_NOT_YET_VALID = "token_not_yet_valid"
    CLOCK_SKEW = "clock_skew"
    AUDIENCE_MISMATCH = "audience_mismatch"
    NONCE_MISMATCH = "nonce_mismatch"
    CLAIM_INVALID = "claim_invalid"
    REDIRECT_URI_REJECTED = "redirect_uri_rejected"
    STATE_MISMATCH = "state_mismatch"
    ACCESS_DENIED = "access_denied"
    INTERACTION_REQUIRED = "interaction_required"
    LOGIN_UI_CHANGED = "login_ui_changed"
    CREDENTIALS_REJECTED = "credentials_rejected"
    MFA_FAILED = "mfa_failed"
    CLIENT_AUTH_FAILED = "client_auth_failed"
    GRANT_REJECTED = "grant_rejected"
    REQUEST_REJECTED = "request_rejected"
    REFRESH_REJECTED = "refresh_rejected"
    EXCHANGE_DENIED = "exchange_denied"
    RESOURCE_REJECTED = "resource_rejected"
    RESOURCE_FORBIDDEN = "resource_forbidden"
    CONTROL_NOT_ENFORCED = "control_not_enforced"
    ACCESS_NOT_REVOKED = "access_not_revoked"
    AUDIT_MISSING = "audit_missing"
    PROBE_ERROR = "probe_error"


class Severity(StrEnum):
    """How bad a finding is. Only `failure` fails the run, and not where it is tolerated."""

    INFO = "info"
    WARNING = "warning"
    FAILURE = "failure"


class Outcome(StrEnum):
    """What a run counts as: `excluded` runs are no evidence about the provider."""

    SUCCESS = "success"
    FAILURE = "failure"
    EXCLUDED = "excluded"


Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Check:
    """One configured thing to run. Durations in seconds."""

    issuer: Issuer
    probe: str
    """The kind: a key of `probes.registry.PROBES`."""
    client: Client | None = None
    interval: float = 60.0
    timeout: float = 30.0
    regions: tuple[str, ...] = ()
    """Names of the regions it runs from; empty means every region of the agent."""
    confirm: bool = False
    """Run once more at once after a failure, and let the second result count (the first is exported too)."""

    @property
    def target(self) -> str:
        """The client's name, or empty for a check of the issuer itself."""
        return self.client.name if self.client else ""

    @property
    def name(self) -> str:
        """`issuer/target/probe`: what people type."""
        return f"{self.issuer.name}/{self.target}/{self.probe}"


@dataclass(frozen=True, slots=True)
class Step:
    """One protocol step of a run. `started` is aware UTC; attributes hold HTTP phases and the like."""

    name: Stage
    started: datetime
    seconds: float
    ok: bool
    attributes: Mapping[str, Attribute] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a protocol check saw. `reason` is what the run fails with when it is fatal."""

    check_id: str
    severity: Severity
    message: str
    citation: str
    reason: Reason
    tolerated: bool = False
    """The document can be used as it is: somebody must mend it, and the run goes on."""

    @property
    def fatal(self) -> bool:
        """Whether the run fails on it."""
        return self.severity is Severity.FAILURE and not self.tolerated


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed. `detail` is redacted text for logs and pages, never for a label."""

    reason: Reason
    stage: Stage
    detail: str
    oauth_error: str = ""


class Quantity(StrEnum):
    """What a probe may measure beside success and time; `exporters.metrics` gives each its metric."""

    CLOCK_OFFSET = "clock_offset"  # seconds by which the provider is ahead of us
    TLS_EXPIRY = "tls_expiry"  # UNIX seconds; labels: endpoint
    TOKEN_LIFETIME = "token_lifetime"  # seconds; labels: token
    TOKEN_RESPONSE = "token_response"  # a count; labels: grant, outcome
    TOKEN_VALIDATION = "token_validation"  # a count; labels: result, reason (empty for success)
    JWKS_KEYS = "jwks_keys"  # keys in the set; labels: state (active, standby, other)
    JWKS_FETCHED = "jwks_fetched"  # UNIX seconds of the last good fetch
    JWKS_CHANGED = "jwks_changed"  # UNIX seconds when the set last changed as seen from here
    JWKS_MAX_AGE = "jwks_max_age"  # seconds, of Cache-Control
    JWKS_AGREEMENT = "jwks_agreement"  # share of samples with the most common key set, 0..1
    JWKS_LEAD = "jwks_lead"  # seconds that the key last taken into use was published before its first token
    JWKS_OVERLAP = "jwks_overlap"  # seconds that the key last removed was published after its last token
    JWKS_KEY_AGE = "jwks_key_age"  # seconds since the oldest signing key was first seen


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured value with its bounded labels, as (name, value) pairs."""

    quantity: Quantity
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """Evidence of a failed run (screenshot, request list, console), already redacted."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One finished run of one check from one region. `started_at` is aware UTC, `seconds` is wall time."""

    check: Check
    region: str
    run_id: str
    started_at: datetime
    seconds: float
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...] = ()
    failure: Failure | None = None
    artifacts: tuple[Artifact, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    first_try: Failure | None = None
    """Why the first try failed when a confirmation run followed; else the same as `failure`."""

    @property
    def ok(self) -> bool:
        """True when nothing failed."""
        return self.failure is None


class ProbeFailure(Exception):
    """Raised by a probe to end its run with a reason. The stage defaults to the step that is open."""

    def __init__(self, reason: Reason, detail: str, *, stage: Stage | None = None, oauth_error: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.stage = stage
        self.oauth_error = oauth_error

    @property
    def told(self) -> str:
        """The reason and what was seen, for a person; not redacted."""
        return f"{self.reason}: {self.detail}"
