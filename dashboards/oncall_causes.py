"""Panels that lead from a symptom to its cause: logins, token validation, the token endpoint, keys, changes."""

from __future__ import annotations

from decimal import Decimal

from dashboards.grafana import Tile
from dashboards.scope import CHOSEN, equals, one_of
from dashboards.style import (
    BAD,
    COUNT,
    GOOD,
    INFO,
    SECONDS,
    SHARE,
    WARN,
    Look,
    Query,
    below,
    graph,
    number,
    plugin,
    states,
)
from dashboards.tables import Column, table
from exporters import metrics as m
from exporters.metrics import Metric
from exporters.slis import Matcher
from probes.model import Outcome, Reason, Stage

# Probes run once a minute or so: over a shorter time a quantile would be a guess from a handful of runs.
_QUANTILE_WINDOW = "30m"
_WINDOW = "[$__rate_interval]"
_EVENTS = Look(COUNT, 0, no_value="none")
_COUNTED = Matcher(m.RESULT.name, "!=", Outcome.EXCLUDED)
_LOGIN = equals(m.PROBE, "login")
_PLACE = "{{target}} at {{issuer}}"


def quantile(share: str, metric: Metric, *more: Matcher, by: str = "") -> str:
    """A quantile of a histogram over half an hour. increase() of buckets gives the same quantiles as rate()."""
    buckets = f"increase({CHOSEN.of(metric, *more, suffix='_bucket')}[{_QUANTILE_WINDOW}])"
    return f"histogram_quantile({share}, sum by ({', '.join(filter(None, (m.LE, by)))}) ({buckets}))"


def by_increase(metric: Metric, by: str, *more: Matcher) -> str:
    """Events between two points of the graph; series without any are left out."""
    return f"sum by ({by}) (increase({CHOSEN.of(metric, *more)}{_WINDOW})) > 0"


def login_panels() -> tuple[Tile, ...]:
    """Which step of the login stops people, and why."""
    return steps_passed(), failed_steps(), failure_reasons(), login_duration(), login_results(), flakiness()


def steps_passed() -> Tile:
    """Of the runs that were made, how many got through each step."""
    good = f"sum by (step) (increase({CHOSEN.of(m.STEP_DURATION, _LOGIN, suffix='_count')}[{_QUANTILE_WINDOW}]))"
    runs = f"sum(increase({CHOSEN.of(m.RUNS, _LOGIN, _COUNTED)}[{_QUANTILE_WINDOW}]))"
    about = (
        "Of the logins of the last 30 minutes, the share that got through each step. The first step whose line drops is "
        "where logins stop. A step that a flow does not have (otp, consent) stays at 0."
    )
    query = Query(f"{good} / on () group_left () ({runs} > 0)", "{{step}}")
    return graph(110, "How far do logins get?", about, [query], Look(SHARE, 0))


def failed_steps() -> Tile:
    """At which step runs end."""
    about = "Failed runs of all probes by the step at which they failed; `probe` is the probe itself and counts for nothing."
    query = Query(by_increase(m.FAILED_STEPS, "probe, step"), "{{probe}}: {{step}}")
    return graph(115, "Which step fails?", about, [query], _EVENTS, stacked=True)


def failure_reasons() -> Tile:
    """Why runs fail."""
    about = "Failed runs of all probes by reason. Each reason is a page of the runbooks and says who can mend it."
    query = Query(by_increase(m.FAILURES, "reason"), "{{reason}}")
    return graph(111, "Why do runs fail?", about, [query], _EVENTS, stacked=True)


def login_duration() -> Tile:
    """How long a login takes."""
    about = "Time of a whole login, failed ones included, over the last 30 minutes. Points carry the trace of a run."
    queries = [Query(quantile(share, m.DURATION, _LOGIN), name, exemplars=True) for share, name in _QUANTILES]
    return graph(112, "How long does a login take?", about, queries, Look(SECONDS, 2))


_QUANTILES = (("0.5", "p50"), ("0.95", "p95"), ("0.99", "p99"))


def login_results() -> Tile:
    """Logins by client and result."""
    about = "Synthetic logins by client and result. `excluded` runs are the probe's own trouble and count for nothing."
    query = Query(by_increase(m.RUNS, "issuer, target, result", _LOGIN), f"{_PLACE}: {{{{result}}}}")
    return graph(113, "Which clients' logins fail?", about, [query], _EVENTS)


def flakiness() -> Tile:
    """What a second try hides."""
    first = f"sum by (issuer, target) (increase({CHOSEN.of(m.FIRST_TRIES, equals(m.RESULT.name, Outcome.FAILURE))}{_WINDOW}))"
    final = f"sum by (issuer, target) (increase({CHOSEN.of(m.RUNS, equals(m.RESULT.name, Outcome.FAILURE))}{_WINDOW}))"
    about = "Runs that failed at first and succeeded when tried again at once: what users meet as a page to reload."
    query = Query(f"clamp_min({first} - {final}, 0)", _PLACE)
    return graph(114, "How often does a second try help?", about, [query], _EVENTS)


def validation_panels() -> tuple[Tile, ...]:
    """Which tokens do not validate, for whom, where and why."""
    return invalid_by_service(), invalid_by_region(), invalid_reasons()


def invalid_by_service() -> Tile:
    """For whom."""
    about = "Tokens that did not validate, by client. All clients at once point at keys, one at its registration."
    query = Query(by_increase(m.INVALIDS, "issuer, target"), _PLACE)
    return graph(120, "Validation errors by service", about, [query], _EVENTS, stacked=True)


def invalid_by_region() -> Tile:
    """From where."""
    about = "The same by region. One region alone points at a cache or an edge that serves an old key set."
    query = Query(by_increase(m.INVALIDS, "issuer, region"), "{{issuer}} from {{region}}")
    return graph(121, "Validation errors by region", about, [query], _EVENTS, stacked=True)


def invalid_reasons() -> Tile:
    """Why."""
    expr = f"topk(10, sum by (issuer, reason) (increase({CHOSEN.of(m.INVALIDS)}[$__range])) > 0)"
    about = (
        "Why tokens did not validate in the chosen range, most frequent first. The reason names the check that failed."
    )
    labels = {m.REASON.name: "Reason", m.ISSUER: "Issuer"}
    columns = (Column("Tokens", expr, Look(COUNT, 0)),)
    return table(122, "Top reasons", about, labels, columns, no_value="every token validated", width=8)


def token_panels() -> tuple[Tile, ...]:
    """What the token endpoint answers, and how fast."""
    return token_errors(), token_latency(), token_samples(), token_limits()


def token_errors() -> Tile:
    """By error code."""
    refused = Matcher(m.OUTCOME.name, "!=", m.OK)
    about = (
        "Token requests without tokens, by grant and answer. http_5xx is the provider's, invalid_client the client's."
    )
    query = Query(by_increase(m.TOKEN_RESPONSES, "grant, outcome", refused), "{{grant}}: {{outcome}}")
    return graph(130, "Token errors", about, [query], _EVENTS, stacked=True, width=12)


def token_latency() -> Tile:
    """p50, p95, p99."""
    step = equals(m.STEP.name, Stage.TOKEN)
    queries = [Query(quantile(share, m.STEP_DURATION, step), name, exemplars=True) for share, name in _QUANTILES]
    about = (
        "Time of token responses over the last 30 minutes. The number beside it says how many requests a quantile rests "
        "on: of 30 requests, p99 is the slowest one."
    )
    return graph(131, "Token latency p50, p95, p99", about, queries, Look(SECONDS, 3), width=12)


def token_samples() -> Tile:
    """What the quantiles rest on."""
    step = equals(m.STEP.name, Stage.TOKEN)
    requests = f"sum(increase({CHOSEN.of(m.STEP_DURATION, step, suffix='_count')}[{_QUANTILE_WINDOW}]))"
    about = "Token responses in the last 30 minutes: what the quantiles beside it are made of."
    return number(132, "Responses in 30 min", about, [Query(requests)], Look(COUNT, 0), width=6, height=6)


def token_limits() -> Tile:
    """429 and its like."""
    reason = equals(m.REASON.name, Reason.RATE_LIMITED)
    about = "Runs that the provider refused because of too many requests, by client. Look for a client in a loop."
    query = Query(by_increase(m.FAILURES, "issuer, target", reason), _PLACE)
    return graph(133, "Rate limited", about, [query], _EVENTS, width=18, height=6)


def key_panels() -> tuple[Tile, ...]:
    """Key sets, metadata, clocks and certificates."""
    return jwks_status(), jwks_age(), certificates(), key_changes(), agreement(), drift(), clock_offset()


def jwks_status() -> Tile:
    """One row for each issuer and region."""
    by = f"{m.ISSUER}, {m.REGION}"
    jwks = equals(m.PROBE, "jwks")
    state = Look("none", words={"0": ("failed", BAD), "1": ("ok", GOOD)})
    columns = (
        Column("Last poll", f"min by ({by}) ({CHOSEN.of(m.SUCCESS, jwks)})", state),
        Column("Last refresh, ago", f"max by ({by}) (time() - {CHOSEN.of(m.JWKS_LAST_FETCH)})", Look(SECONDS, 0)),
        Column("Last change, ago", f"min by ({by}) (time() - {CHOSEN.of(m.JWKS_LAST_CHANGE)})", Look(SECONDS, 0)),
        Column("Keys", f"sum by ({by}) ({CHOSEN.of(m.JWKS_KEYS)})", Look(COUNT, 0)),
        Column("Standby", f"sum by ({by}) ({CHOSEN.of(m.JWKS_KEYS, equals(m.STATE.name, 'standby'))})", Look(COUNT, 0)),
        Column("max-age", f"min by ({by}) ({CHOSEN.of(m.JWKS_MAX_AGE)})", Look(SECONDS, 0)),
    )
    about = (
        "The key set as each region sees it. A standby key is one that is published and does not sign yet: a rotation "
        "without one refuses tokens until every cache has refreshed."
    )
    return table(140, "JWKS status", about, {m.ISSUER: "Issuer", m.REGION: "Region"}, columns, width=16)


def jwks_age() -> Tile:
    """Against five minutes."""
    about = "Age of the oldest last good key set. Over five minutes the next rotation would hurt."
    look = Look(SECONDS, 0, steps=below(Decimal(120), Decimal(300)))
    return number(
        141, "Oldest key set", about, [Query(f"max(time() - {CHOSEN.of(m.JWKS_LAST_FETCH)})")], look, width=4, height=8
    )


def certificates() -> Tile:
    """Days."""
    days = f"min(({CHOSEN.of(m.TLS_EXPIRY)} - time()) / 86400)"
    about = "Days until the first certificate of any endpoint expires. Renew below 21, somebody is paged below 3."
    look = Look("d", 0, low=None, steps=((None, BAD), (Decimal(3), WARN), (Decimal(21), GOOD)))
    return number(142, "First certificate expires in", about, [Query(days)], look, width=4, height=8)


def key_changes() -> Tile:
    """When key sets changed."""
    by = f"{m.ISSUER}, {m.REGION}"
    changed = f"max by ({by}) (changes({CHOSEN.of(m.JWKS_LAST_CHANGE)}{_WINDOW})) > bool 0"
    about = "When the key set changed, as each region saw it. Regions that lag behind have a cache in between."
    words = {"0": ("unchanged", GOOD), "1": ("changed", WARN)}
    return states(
        143, "Key set changes", about, [Query(changed, "{{issuer}} from {{region}}")], words, width=12, height=7
    )


def agreement() -> Tile:
    """Whether nodes serve the same keys."""
    about = "Share of the samples of one poll that saw the most common key set. Below 1 nodes or caches disagree."
    query = Query(f"min by (issuer, region) ({CHOSEN.of(m.JWKS_AGREEMENT)})", "{{issuer}} from {{region}}")
    return graph(144, "Do all nodes serve the same keys?", about, [query], Look(SHARE, 0, high=1), width=12, height=7)


def drift() -> Tile:
    """Whether the discovery document changed against the configuration."""
    reasons = one_of(m.REASON.name, Reason.DISCOVERY_DRIFT, Reason.DISCOVERY_INVALID, Reason.ISSUER_MISMATCH)
    about = "Polls that found the discovery document invalid, for another issuer, or other than it was."
    query = Query(by_increase(m.FAILURES, "issuer, reason", reasons), "{{issuer}}: {{reason}}")
    return graph(145, "Discovery document", about, [query], _EVENTS, width=12, height=7)


def clock_offset() -> Tile:
    """The provider's clock."""
    about = "Time by which the provider's clock is ahead (or, below 0, behind). Over two seconds strict clients refuse."
    query = Query(f"max by (issuer, region) ({CHOSEN.of(m.CLOCK_OFFSET)})", "{{issuer}} from {{region}}")
    return graph(146, "Clock offset", about, [query], Look(SECONDS, 1, low=None), width=12, height=7)


def changes(tag: str) -> tuple[Tile, ...]:
    """Deployments and configuration."""
    return posted_changes(tag), builds()


def posted_changes(tag: str) -> Tile:
    """Annotations of deployments, rotations and drills."""
    options = {
        "limit": 20, "navigateAfter": "10m", "navigateBefore": "10m", "navigateToPanel": True, "onlyFromThisDashboard": False,
        "onlyInTimeRange": True, "showTags": True, "showTime": True, "showUser": True, "tags": [tag],
    }  # fmt: skip
    about = "Deployments, key rotations and drills that were posted with `oidcwatch annotate`, newest first."
    return plugin(150, "annolist", "Recent deployments and rotations", about, options)


def builds() -> Tile:
    """What runs, and since when with this configuration."""
    columns = (
        Column("Configuration loaded, ago", f"max by (instance) (time() - {m.RELOAD_TIME.name})", Look(SECONDS, 0)),
        Column("Last load held", f"min by (instance) ({m.RELOAD_OK.name})", Look("bool_yes_no", 0)),
        Column(
            "Running",
            f"max by (instance, version) ({m.BUILD_INFO.name})",
            Look("bool_yes_no", 0, steps=((None, INFO),)),
        ),
    )
    about = (
        "Each agent's version and when it last loaded its configuration: a change of ours that explains a change seen."
    )
    return table(151, "Agents and their configuration", about, {"instance": "Agent", "version": "Version"}, columns)
