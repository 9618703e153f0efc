"""The dashboard for finding out why: every check's last run, step timings, claims, refresh tokens, and single runs."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import loki, tempo
from grafana_foundation_sdk.models import common as shape

from dashboards.board import DEBUG, Board, drill_choice
from dashboards.grafana import Section, Tile
from dashboards.oncall_causes import by_increase, quantile
from dashboards.rotation import rotation_panels
from dashboards.scope import CHOSEN, equals, one_of
from dashboards.style import BAD, COUNT, GOOD, SECONDS, SHARE, Look, Query, bars, graph, heat, plugin, states, words
from dashboards.tables import Column, table
from dashboards.watcher import watcher_panels
from dashboards.ways import ROW_TO_AGENT, ROW_TO_ONCALL
from exporters import metrics as m
from probes.model import Reason

_CLAIMS = (
    *(Reason.AUDIENCE_MISMATCH, Reason.NONCE_MISMATCH, Reason.CLAIM_INVALID, Reason.ISSUER_MISMATCH),
    *(Reason.TOKEN_EXPIRED, Reason.TOKEN_NOT_YET_VALID, Reason.STATE_MISMATCH),
)
_EVENTS = Look(COUNT, 0, no_value="none")
_RUN = "run"
_TEMPO = shape.DataSourceRef(type_val="tempo", uid="${tempo_datasource}")
_LOKI = shape.DataSourceRef(type_val="loki", uid="${loki_datasource}")


def debug() -> Board:
    """One hour of everything that is measured; traces and logs where there are any."""
    return Board(
        uid=DEBUG,
        title="OIDC / Debug",
        about="Every check's last run with a link to its steps, timings of steps, claim failures, refresh tokens.",
        past="now-1h",
        refresh="1m",
        scope=CHOSEN,
        variables=(
            drill_choice(),
            build.TextBoxVariable(_RUN).label("Run id").default_value(""),
            build.DatasourceVariable("tempo_datasource").label("Tempo data source").type("tempo"),
            build.DatasourceVariable("loki_datasource").label("Loki data source").type("loki"),
        ),
        sections=(
            Section(20, "Runs", (last_runs(), success_history())),
            Section(21, "How long do steps take?", (step_medians(), step_baseline(), step_timings(), run_times())),
            Section(22, "What is wrong with tokens?", (claim_failures(), validations(), token_lifetimes(), clock())),
            Section(23, "Refresh tokens", (refresh_answers(), refresh_share(), refresh_failures())),
            Section(24, "Keys", (key_states(), key_cache(), *rotation_panels(342, CHOSEN)), folded=True),
            Section(25, "The watcher itself", watcher_panels(360), folded=True),
            Section(26, "Trace of a run (needs Tempo)", traces(), folded=True),
            Section(27, "Log of a run (needs Loki)", logs(), folded=True),
        ),
    )


def last_runs() -> Tile:
    """The way to single runs: the agent's own page has their steps, findings and artifacts."""
    by = f"instance, {m.ISSUER}, {m.TARGET}, {m.PROBE}, {m.REGION}"
    result = Look("none", words={"0": ("failed", BAD), "1": ("ok", GOOD)})
    total, runs = (
        f"sum by ({by}) (increase({CHOSEN.recorded(f'{m.DURATION.name}_{part}')}[30m]))" for part in ("sum", "count")
    )
    columns = (
        Column("Last result", f"min by ({by}) ({CHOSEN.of(m.SUCCESS)})", result),
        Column("Ended, ago", f"min by ({by}) (time() - {CHOSEN.of(m.LAST_RUN)})", Look(SECONDS, 0)),
        Column("Last success, ago", f"min by ({by}) (time() - {CHOSEN.of(m.LAST_SUCCESS)})", Look(SECONDS, 0)),
        Column("Mean duration, 30 min", f"{total} / ({runs} > 0)", Look(SECONDS, 2)),
        Column("Every", f"max by ({by}) ({CHOSEN.of(m.INTERVAL)})", Look(SECONDS, 0)),
    )
    labels = {m.ISSUER: "Issuer", m.TARGET: "Client", m.PROBE: "Probe", m.REGION: "Region", "instance": "Agent"}
    about = (
        "Every check from every region. The agent's name leads to its status page, which shows each run with its steps, "
        "findings, redirects and artifacts, without secrets."
    )
    links = {"Agent": ROW_TO_AGENT, "Issuer": ROW_TO_ONCALL}
    return table(301, "Synthetic runs", about, labels, columns, links=links, width=24, height=9)


def success_history() -> Tile:
    """The same over time."""
    query = Query(
        f"min by (issuer, target, probe, region) ({CHOSEN.of(m.SUCCESS)})",
        "{{issuer}}/{{target}}/{{probe}} from {{region}}",
    )
    about = "Results of every check from every region; a gap is no result."
    return states(302, "Results over time", about, [query], {"0": ("failed", BAD), "1": ("ok", GOOD)}, width=24)


def step_medians() -> Tile:
    """Now."""
    query = Query(quantile("0.5", m.STEP_DURATION, by="step"), "{{step}}")
    about = (
        "Median time of each step over the last 30 minutes. Compare with the day's beside it: the step that grew is it."
    )
    return bars(310, "Step timings, median of 30 min", about, [query], Look(SECONDS, 3))


def step_baseline() -> Tile:
    """The day's."""
    buckets = f"increase({CHOSEN.of(m.STEP_DURATION, suffix='_bucket')}[1d])"
    query = Query(f"histogram_quantile(0.5, sum by ({m.LE}, step) ({buckets}))", "{{step}}")
    about = "Median time of each step over the last 24 hours: what is usual."
    return bars(311, "Step timings, median of 24 h", about, [query], Look(SECONDS, 3))


def step_timings() -> Tile:
    """Over time."""
    query = Query(quantile("0.95", m.STEP_DURATION, by="step"), "{{step}}", exemplars=True)
    about = "The slowest 5 % of each step, over the last 30 minutes at each point. Points carry the run's trace."
    return graph(312, "Step timings, p95", about, [query], Look(SECONDS, 2))


def run_times() -> Tile:
    """The spread of whole runs."""
    query = Query(f"sum by ({m.LE}) (increase({CHOSEN.of(m.DURATION, suffix='_bucket')}[$__rate_interval]))", "{{le}}")
    about = "How long runs took, all checks of the choice. Two bands are two kinds of run, or a cache that sometimes misses."
    return heat(313, "Durations of runs", about, query, SECONDS, width=24, height=7)


def claim_failures() -> Tile:
    """By claim, client and issuer."""
    query = Query(
        by_increase(m.FAILURES, "issuer, target, reason", one_of(m.REASON.name, *_CLAIMS)),
        "{{target}} at {{issuer}}: {{reason}}",
    )
    about = (
        "Runs that failed at a claim of a token, by claim and client. The agent's page shows what was expected and got."
    )
    return graph(320, "Claim validation failures", about, [query], _EVENTS, stacked=True, width=12)


def validations() -> Tile:
    """All tokens."""
    query = Query(by_increase(m.VALIDATIONS, "result, probe"), "{{probe}}: {{result}}")
    about = "Tokens that were validated against a fresh key set, by probe and result."
    return graph(321, "Token validations", about, [query], _EVENTS, width=12)


def token_lifetimes() -> Tile:
    """As issued."""
    query = Query(f"max by (issuer, target, token) ({CHOSEN.of(m.TOKEN_LIFETIME)})", "{{target}}: {{token}}")
    about = "Lifetime of the last token of each kind. A step is a changed policy; more than it allows is a finding."
    return graph(322, "Token lifetimes", about, [query], Look(SECONDS, 0), width=12)


def clock() -> Tile:
    """The provider's clock against ours."""
    query = Query(f"max by (issuer, region) ({CHOSEN.of(m.CLOCK_OFFSET)})", "{{issuer}} from {{region}}")
    about = "Time by which the provider's clock is ahead. All regions at once: its clock. One region: that agent's."
    return graph(323, "Clock offset", about, [query], Look(SECONDS, 1, low=None), width=12)


_REFRESH = equals(m.PROBE, "refresh")


def refresh_answers() -> Tile:
    """What became of refresh tokens."""
    about = "Answers to refresh requests. invalid_grant is a token that was revoked, used twice, or has expired."
    query = Query(by_increase(m.TOKEN_RESPONSES, "grant, outcome", _REFRESH), "{{grant}}: {{outcome}}")
    return graph(330, "Refresh token use", about, [query], _EVENTS, stacked=True)


def refresh_share() -> Tile:
    """How many work."""
    good, runs = (
        f"sum by (issuer, target) (increase({CHOSEN.of(m.RUNS, _REFRESH, matcher)}[30m]))"
        for matcher in (equals(m.RESULT.name, "success"), one_of(m.RESULT.name, "success", "failure"))
    )
    about = "Share of refreshes that gave new tokens, over 30 minutes at each point."
    return graph(
        331,
        "Refreshes that succeed",
        about,
        [Query(f"{good} / ({runs} > 0)", "{{target}} at {{issuer}}")],
        Look(SHARE, 0, high=1),
    )


def refresh_failures() -> Tile:
    """Why not."""
    query = Query(by_increase(m.FAILURES, "target, reason", _REFRESH), "{{target}}: {{reason}}")
    about = "Why refreshes failed. refresh_rejected right after a rotation is a provider that forgot the family."
    return graph(332, "Why do refreshes fail?", about, [query], _EVENTS, stacked=True)


def key_states() -> Tile:
    """Of the key set."""
    query = Query(f"max by (issuer, state) ({CHOSEN.of(m.JWKS_KEYS)})", "{{issuer}}: {{state}}")
    about = (
        "Keys by state: active ones sign, standby ones are published and wait. A rotation needs a standby key first."
    )
    return graph(340, "Keys in the key set", about, [query], Look(COUNT, 0), width=12)


def key_cache() -> Tile:
    """How long caches keep it."""
    query = Query(f"min by (issuer, region) ({CHOSEN.of(m.JWKS_MAX_AGE)})", "{{issuer}} from {{region}}")
    about = "max-age of the key set's answer: how long a cache may go without seeing a new key."
    return graph(341, "How long may caches keep keys?", about, [query], Look(SECONDS, 0), width=12)


def traces() -> tuple[Tile, ...]:
    """The run's steps as spans."""
    note = (
        "Without Tempo this row stays empty, and nothing is missing: the agent's status page shows the same steps. A run's "
        "id is its trace id; points of the latency graphs carry it."
    )
    query = tempo.Dataquery().query(f"${{{_RUN}}}").query_type("traceql").ref_id("A").datasource(_TEMPO)
    about = "Steps of the run whose id is given at the top."
    panel = plugin(371, "traces", "Trace", about, {}, width=24, height=12, source=_TEMPO, queries=[query])
    return words(370, "About traces", note, height=3), panel


def logs() -> tuple[Tile, ...]:
    """What the agent wrote about the run."""
    note = "Without Loki this row stays empty. Agents write one JSON line for a run; it holds no secret and no token."
    query = loki.Dataquery().expr(f'{{service_name="oidcwatch"}} |= "${{{_RUN}}}"').ref_id("A").datasource(_LOKI)
    options = {"showTime": True, "wrapLogMessage": True, "sortOrder": "Ascending", "dedupStrategy": "none"}
    about = "Lines that name the run whose id is given at the top; all lines without one."
    panel = plugin(381, "logs", "Log", about, options, width=24, height=10, source=_LOKI, queries=[query])
    return words(380, "About logs", note, height=3), panel
