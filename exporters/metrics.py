"""Every metric that oidcwatch exposes, as a table: the one place that spells a metric's or a label's name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from exporters import findings
from probes.browser_events import RecycleReason
from probes.model import Outcome, Quantity, Reason, Stage
from probes.oauth_errors import OUTCOMES
from probes.token_validation import VALIDATION_REASONS


class MetricType(StrEnum):
    """The Prometheus types that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Initial(StrEnum):
    """What a series is before anything was measured."""

    ZERO = "zero"  # counters and histograms: increase() cannot see the first event of a series that is born with it
    NOW = "now"  # the time of configuration: an age is never longer than we have been watching, and a dead check ages
    ABSENT = "absent"  # a gauge that nobody has measured has no value; 0 would be a claim
    SETTING = "setting"  # known from the configuration


class ProbeKind(Protocol):
    """What the exporter must know of a kind of probe to create its series before the first run."""

    @property
    def name(self) -> str: ...
    @property
    def stages(self) -> frozenset[Stage]: ...
    @property
    def quantities(self) -> frozenset[Quantity]: ...
    @property
    def grants(self) -> tuple[str, ...]: ...
    @property
    def tokens(self) -> tuple[str, ...]: ...
    @property
    def endpoints(self) -> tuple[str, ...]: ...
    @property
    def reasons(self) -> tuple[Reason, ...]: ...


@dataclass(frozen=True, slots=True)
class Label:
    """A label beyond the base ones, with every value that it can take for a kind of probe.

    A measurement with another value is not exported: what a provider sends never makes a new series.
    """

    name: str
    about: str
    values: Callable[[ProbeKind], Collection[str]] = lambda kind: ()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `labels` come after the base labels when `of_checks`, and are all there is otherwise."""

    name: str
    type: MetricType
    help: str
    labels: tuple[Label, ...] = ()
    unit: str = ""
    initial: Initial = Initial.ZERO
    buckets: tuple[float, ...] = ()
    quantity: Quantity | None = None
    of_checks: bool = True
    probe: str = ""
    """The one kind of probe that has it; empty means all that measure its quantity."""

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names in the order in which values are given."""
        own = tuple(label.name for label in self.labels)
        return BASE_LABELS + own if self.of_checks else own


# --- labels -----------------------------------------------------------------------------------------------------------

ISSUER, TARGET, PROBE, REGION, DRILL = "issuer", "target", "probe", "region", "drill"
BASE_LABELS = (ISSUER, TARGET, PROBE, REGION, DRILL)
LE = "le"
TRACE_ID = "trace_id"
"""The label of exemplars: the run's id, which is also the id of its trace."""

OK = "ok"
KEY_STATES = ("active", "standby", "other")

RESULT = Label(
    "result", "`success`, `failure` or `excluded` (no evidence about the provider)", lambda kind: tuple(Outcome)
)
REASON = Label("reason", "a failure reason", lambda kind: kind.reasons)
VALIDITY = Label("result", "`success` or `failure`", lambda kind: (Outcome.SUCCESS, Outcome.FAILURE))
INVALID = Label("reason", "why a token is refused", lambda kind: VALIDATION_REASONS)
STEP = Label("step", "a protocol step", lambda kind: kind.stages)
FAILED_STEP = Label(
    "step",
    "a protocol step, or `probe`: the probe itself",
    lambda kind: (*sorted(kind.stages - {Stage.PROBE}), Stage.PROBE),
)
GRANT = Label("grant", "a grant type that the probe uses", lambda kind: kind.grants)
OUTCOME = Label("outcome", "`ok`, a registered OAuth error, `http_4xx`, `http_5xx` or `network`", lambda kind: OUTCOMES)
TOKEN = Label("token", "`id_token`, `access_token`, ...", lambda kind: kind.tokens)
ENDPOINT = Label("endpoint", "an endpoint's role, never its URL", lambda kind: kind.endpoints)
STATE = Label("state", "`active` (signs), `standby` (published, not seen signing) or `other`", lambda kind: KEY_STATES)
FINDING = Label(
    "finding", "a check of a key rotation, `ROT-01` and so on", lambda kind: tuple(findings.ROTATION_CHECKS)
)
WHY = Label("reason", "`age`, `runs`, `memory` or `stuck`", lambda kind: tuple(RecycleReason))
VERSION = Label("version", "oidcwatch's version")
PYTHON = Label("python", "Python's version")
REGION_NAME = Label(REGION, "the region's name")
GEOHASH = Label("geohash", "where it is, for maps")
COUNTRY = Label("country", "ISO 3166-1 code")

# --- buckets ----------------------------------------------------------------------------------------------------------

# A login takes seconds and is given up at 30 or 60; 0.5 is the threshold of token-latency and must be a bound.
DURATIONS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 4.0, 6.0, 10.0, 15.0, 30.0, 60.0)
DELAYS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)

# --- the probes' metrics ----------------------------------------------------------------------------------------------

_C, _G, _H = MetricType.COUNTER, MetricType.GAUGE, MetricType.HISTOGRAM
_ABSENT, _NOW = Initial.ABSENT, Initial.NOW
_Q = Quantity

RUNS = Metric("oidc_probe_runs_total", _C, "Finished runs by what they count as.", (RESULT,))
FIRST_TRIES = Metric(
    "oidc_probe_first_tries_total", _C,
    "Finished runs by the result of their first try; the difference to the final results is flakiness.", (RESULT,),
)  # fmt: skip
FAILURES = Metric("oidc_probe_failures_total", _C, "Runs that failed, by reason.", (REASON,))
FAILED_STEPS = Metric(
    "oidc_probe_failed_steps_total", _C, "Runs that failed, by the step at which they did.", (FAILED_STEP,)
)  # fmt: skip
SUCCESS = Metric(
    "oidc_probe_success", _G,
    "Whether the last run succeeded (1) or failed (0); absent before the first run and after one that was excluded.",
    initial=_ABSENT,
)  # fmt: skip
LAST_RUN = Metric(
    "oidc_probe_last_run_timestamp_seconds", _G,
    "When the last run ended; before the first run, when the check was configured.", unit="seconds", initial=_NOW,
)  # fmt: skip
LAST_SUCCESS = Metric(
    "oidc_probe_last_success_timestamp_seconds", _G,
    "When the last successful run ended; before the first, when the check was configured.",
    unit="seconds", initial=_NOW,
)  # fmt: skip
INTERVAL = Metric(
    "oidc_probe_interval_seconds", _G, "Configured time between two runs.", unit="seconds", initial=Initial.SETTING
)  # fmt: skip
DURATION = Metric(
    "oidc_probe_duration_seconds", _H, "Wall time of a run, whatever its result.", unit="seconds", buckets=DURATIONS
)  # fmt: skip
STEP_DURATION = Metric(
    "oidc_probe_step_duration_seconds", _H,
    "Wall time of a step that went well; a step that failed is no evidence of speed.",
    (STEP,), "seconds", buckets=DURATIONS,
)  # fmt: skip
VALIDATIONS = Metric(
    "oidc_token_validations_total", _C, "Tokens that were validated against a fresh key set, by result.",
    (VALIDITY,), quantity=_Q.TOKEN_VALIDATION,
)  # fmt: skip
INVALIDS = Metric(
    "oidc_token_validation_failures_total", _C, "Tokens that did not validate, by reason.",
    (INVALID,), quantity=_Q.TOKEN_VALIDATION,
)  # fmt: skip
TOKEN_RESPONSES = Metric(
    "oidc_token_responses_total", _C, "Answers of the token endpoint, by grant and outcome.",
    (GRANT, OUTCOME), quantity=_Q.TOKEN_RESPONSE,
)  # fmt: skip
TOKEN_LIFETIME = Metric(
    "oidc_token_lifetime_seconds", _G, "Lifetime of the last token of that kind.",
    (TOKEN,), "seconds", _ABSENT, quantity=_Q.TOKEN_LIFETIME,
)  # fmt: skip
CLOCK_OFFSET = Metric(
    "oidc_clock_offset_seconds", _G, "Time by which the provider's clock is ahead of ours.",
    unit="seconds", initial=_ABSENT, quantity=_Q.CLOCK_OFFSET,
)  # fmt: skip
TLS_EXPIRY = Metric(
    "oidc_tls_certificate_expiry_timestamp_seconds", _G, "When the certificate that an endpoint presented expires.",
    (ENDPOINT,), "seconds", _ABSENT, quantity=_Q.TLS_EXPIRY,
)  # fmt: skip
JWKS_KEYS = Metric(
    "oidc_jwks_keys", _G, "Keys in the key set, by state.", (STATE,), initial=_ABSENT, quantity=_Q.JWKS_KEYS
)  # fmt: skip
JWKS_LAST_FETCH = Metric(
    "oidc_jwks_last_fetch_timestamp_seconds", _G,
    "When a good key set was last fetched; before the first, when the check was configured.",
    unit="seconds", initial=_NOW, quantity=_Q.JWKS_FETCHED,
)  # fmt: skip
JWKS_LAST_CHANGE = Metric(
    "oidc_jwks_last_change_timestamp_seconds", _G, "When the key set was last seen to change from this region.",
    unit="seconds", initial=_ABSENT, quantity=_Q.JWKS_CHANGED,
)  # fmt: skip
JWKS_MAX_AGE = Metric(
    "oidc_jwks_cache_max_age_seconds", _G, "max-age of the key set's Cache-Control (RFC 9111 section 5.2.2.1).",
    unit="seconds", initial=_ABSENT, quantity=_Q.JWKS_MAX_AGE,
)  # fmt: skip
JWKS_AGREEMENT = Metric(
    "oidc_jwks_agreement_ratio", _G, "Share of samples of the last poll that saw the most common key set.",
    unit="ratio", initial=_ABSENT, quantity=_Q.JWKS_AGREEMENT,
)  # fmt: skip
JWKS_LEAD = Metric(
    "oidc_jwks_rotation_lead_seconds", _G,
    "Time from the publication of the key that was last taken into use, in every region, to its first token.",
    unit="seconds", initial=_ABSENT, quantity=_Q.JWKS_LEAD,
)  # fmt: skip
JWKS_OVERLAP = Metric(
    "oidc_jwks_rotation_overlap_seconds", _G,
    "Time from the last token of the key that was last removed to the last sight of it in the key set.",
    unit="seconds", initial=_ABSENT, quantity=_Q.JWKS_OVERLAP,
)  # fmt: skip
JWKS_KEY_AGE = Metric(
    "oidc_jwks_active_key_age_seconds", _G,
    "Time since the oldest key that signs was first seen; it is at least that old.",
    unit="seconds", initial=_ABSENT, quantity=_Q.JWKS_KEY_AGE,
)  # fmt: skip
FINDING_LEVEL = Metric(
    "oidc_rotation_finding_level", _G,
    "What the last run that could judge says of a check: 0 sound, 1 info, 2 warning, 3 failure; of a change, which one "
    "run tells, for five minutes. Absent where none has judged yet, or for three intervals and five minutes at least.",
    (FINDING,), initial=_ABSENT, probe=findings.PROBE,
)  # fmt: skip

PROBE_METRICS: tuple[Metric, ...] = (
    *(RUNS, FIRST_TRIES, FAILURES, FAILED_STEPS, SUCCESS, LAST_RUN, LAST_SUCCESS, INTERVAL, DURATION, STEP_DURATION),
    *(VALIDATIONS, INVALIDS, TOKEN_RESPONSES, TOKEN_LIFETIME, CLOCK_OFFSET, TLS_EXPIRY),
    *(JWKS_KEYS, JWKS_LAST_FETCH, JWKS_LAST_CHANGE, JWKS_MAX_AGE, JWKS_AGREEMENT),
    *(JWKS_LEAD, JWKS_OVERLAP, JWKS_KEY_AGE, FINDING_LEVEL),
)

# --- the watcher's own metrics ----------------------------------------------------------------------------------------


def _own(name: str, kind: MetricType, text: str, *labels: Label, unit: str = "") -> Metric:
    buckets = DELAYS if kind is _H else ()
    return Metric(name, kind, text, labels, unit, Initial.ZERO, buckets, of_checks=False)


REGION_INFO = _own(
    "oidc_region_info", _G, "1 for every region that this agent looks from.", REGION_NAME, GEOHASH, COUNTRY
)
BUILD_INFO = _own("oidcwatch_build_info", _G, "1, labelled with what is running.", VERSION, PYTHON)
LATENESS = _own(
    "oidcwatch_schedule_lateness_seconds", _H, "Time by which runs start after their due time.", unit="seconds"
)
MISSED = _own("oidcwatch_runs_missed_total", _C, "Runs that were due and never started.")
IN_FLIGHT = _own("oidcwatch_runs_in_flight", _G, "Runs that have started and not ended.")
BROWSER_LAUNCHES = _own("oidcwatch_browser_launches_total", _C, "Browsers started.")
BROWSER_LAUNCH_FAILURES = _own("oidcwatch_browser_launch_failures_total", _C, "Browsers that could not be started.")
BROWSER_LAUNCH_TIME = _own("oidcwatch_browser_launch_seconds", _H, "Time until a browser is up.", unit="seconds")
BROWSER_RECYCLES = _own("oidcwatch_browser_recycles_total", _C, "Browsers replaced on purpose, by reason.", WHY)
BROWSER_CRASHES = _own("oidcwatch_browser_crashes_total", _C, "Browsers that ended by themselves.")
BROWSER_CONTEXTS = _own("oidcwatch_browser_contexts_open", _G, "Browser contexts that are open.")
BROWSER_QUEUE = _own(
    "oidcwatch_browser_queue_seconds", _H, "Time that runs wait for a free browser context.", unit="seconds"
)
BROWSER_RSS = _own(
    "oidcwatch_browser_resident_memory_bytes", _G, "Resident memory of the browser's processes.", unit="bytes"
)
RELOAD_OK = _own("oidcwatch_config_last_reload_successful", _G, "Whether the last (re)load of the configuration held.")
RELOAD_TIME = _own(
    "oidcwatch_config_last_reload_success_timestamp_seconds",
    _G,
    "When the configuration was last loaded.",
    unit="seconds",
)
ARTIFACT_FAILURES = _own("oidcwatch_artifacts_write_failures_total", _C, "Runs whose artifacts could not be stored.")

RUN_STORE_FAILURES = _own(
    "oidcwatch_run_history_write_failures_total", _C, "Runs that could not be added to the run history."
)

AGENT_METRICS = (
    *(BUILD_INFO, LATENESS, MISSED, IN_FLIGHT, RELOAD_OK, RELOAD_TIME, ARTIFACT_FAILURES, RUN_STORE_FAILURES),
)
BROWSER_METRICS = (
    *(BROWSER_LAUNCHES, BROWSER_LAUNCH_FAILURES, BROWSER_LAUNCH_TIME, BROWSER_RECYCLES, BROWSER_CRASHES),
    *(BROWSER_CONTEXTS, BROWSER_QUEUE, BROWSER_RSS),
)
WATCHER_METRICS: tuple[Metric, ...] = (REGION_INFO, *AGENT_METRICS, *BROWSER_METRICS)

METRICS: tuple[Metric, ...] = PROBE_METRICS + WATCHER_METRICS
BY_QUANTITY: Mapping[Quantity, tuple[Metric, ...]] = MappingProxyType(
    {quantity: tuple(row for row in PROBE_METRICS if row.quantity is quantity) for quantity in Quantity}
)


def metrics_of(kind: ProbeKind) -> tuple[Metric, ...]:
    """The metrics that this kind of probe fills."""
    return tuple(
        row
        for row in PROBE_METRICS
        if row.probe in ("", kind.name) and (row.quantity is None or row.quantity in kind.quantities)
    )
