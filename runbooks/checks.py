"""The executable checks of a page: read-only questions with an expected answer, for machines and to be typed by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from alerts.promql import duration
from exporters import metrics as m
from exporters.slis import Matcher, Selector

Document = Literal["discovery", "jwks"]
LATELY = timedelta(minutes=10)
"""How far back recorded failures are evidence for what is wrong now."""


@dataclass(frozen=True, slots=True)
class Promql:
    """A query that must give no series of the issuer. `$issuer` stands for its name."""

    kind: ClassVar[str] = "promql"
    query: str


@dataclass(frozen=True, slots=True)
class HttpGet:
    """A public document that must come with status 200 as JSON."""

    kind: ClassVar[str] = "http"
    document: Document


@dataclass(frozen=True, slots=True)
class HttpRefusal:
    """The token endpoint, asked with a code that nobody issued: it must refuse as RFC 6749 §5.2 says."""

    kind: ClassVar[str] = "http"


@dataclass(frozen=True, slots=True)
class ProbeOnce:
    """The deployment's own checks of these kinds (none: every kind), each run once from every region."""

    kind: ClassVar[str] = "probe"
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dns:
    """The issuer's host must resolve."""

    kind: ClassVar[str] = "dns"


@dataclass(frozen=True, slots=True)
class Tls:
    """The issuer's certificate must be trusted and valid for so many days more."""

    kind: ClassVar[str] = "tls"
    days: int = 7


@dataclass(frozen=True, slots=True)
class Clock:
    """The provider's clock must agree with ours within the issuer's policy (`max_clock_offset`)."""

    kind: ClassVar[str] = "clock"


@dataclass(frozen=True, slots=True)
class Diff:
    """A public document, fetched several times from every region: every copy must say the same."""

    kind: ClassVar[str] = "diff"
    document: Document
    times: int = 5


What = Promql | HttpGet | HttpRefusal | ProbeOnce | Dns | Tls | Clock | Diff


@dataclass(frozen=True, slots=True)
class RunbookCheck:
    """One check: its name in the page and in summaries, what it asks, and what a healthy deployment answers."""

    name: str
    what: What
    expect: str

    @property
    def kind(self) -> str:
        """`promql`, `http`, `probe`, `dns`, `tls`, `clock` or `diff`."""
        return self.what.kind


DNS = RunbookCheck("name-resolves", Dns(), "at least one address")
TLS = RunbookCheck("certificate", Tls(), "trusted, and valid for more than 7 days")
CLOCK = RunbookCheck("clocks-agree", Clock(), "within the issuer's max_clock_offset (2 s unless configured)")
DISCOVERY = RunbookCheck("discovery-answers", HttpGet("discovery"), "status 200, JSON, `issuer` as configured")
JWKS = RunbookCheck("key-set-answers", HttpGet("jwks"), "status 200, JSON, at least one key")
SAME_DISCOVERY = RunbookCheck("discovery-is-the-same-everywhere", Diff("discovery"), "one version in all copies")
SAME_JWKS = RunbookCheck("key-set-is-the-same-everywhere", Diff("jwks"), "one set of keys in all copies")
TOKEN_REFUSES = RunbookCheck(
    "token-endpoint-refuses", HttpRefusal(), "status 400 or 401 with an OAuth error: the endpoint is alive"
)
PROBES = RunbookCheck("probes", ProbeOnce(), "every check succeeds from every region")


def still_firing(alert: str) -> RunbookCheck:
    """Whether Prometheus has the alert firing for the issuer at this moment."""
    query = f'ALERTS{{alertname="{alert}",alertstate="firing",issuer=~"$issuer|[*]"}}'
    return RunbookCheck("alert-fires", Promql(query), "no series: the alert is over")


def failures(window: timedelta = LATELY) -> RunbookCheck:
    """Failed runs of the last minutes, by reason and by step, in and outside of drills alike."""
    query = "\nor\n".join(
        _increased(metric, label.name, window)
        for metric, label in ((m.FAILURES, m.REASON), (m.FAILED_STEPS, m.FAILED_STEP))
    )
    return RunbookCheck("recorded-failures", Promql(query), f"no series: no run failed in the last {duration(window)}")


def _increased(metric: m.Metric, label: str, window: timedelta) -> str:
    series = Selector(metric, (Matcher(m.ISSUER, "=", "$issuer"),))
    labels = f"{m.ISSUER}, {m.TARGET}, {m.PROBE}, {m.REGION}, {label}"
    # increase() extrapolates: a single failure can come out as a little less than 1.
    return f"sum by ({labels}) (increase({series}[{duration(window)}])) > 0.5"


_WELL_KNOWN = '"$ISSUER/.well-known/openid-configuration"'
# What the provider says is a URL and nothing else: no option, no file, no pattern.
_ENDPOINT = '-g --proto =http,https --url "$(curl -sS -m 10 ' + _WELL_KNOWN + ' | jq -r .{member})"'


def _fetch(document: Document) -> str:
    return "curl -sS -m 10 " + (_WELL_KNOWN if document == "discovery" else _ENDPOINT.format(member="jwks_uri"))


def _promql(what: Promql) -> str:
    # In double quotes, so that the shell fills the name in.
    query = '"' + what.query.replace("\n", " ").replace('"', '\\"').replace("$issuer", "$NAME") + '"'
    return f'promtool query instant "$PROMETHEUS" {query}'


def _probe(what: ProbeOnce) -> str:
    return " ".join(("oidcwatch probe", *(f'"$NAME/*/{kind}"' for kind in what.kinds or ("*",))))


def _refusal(_: HttpRefusal) -> str:
    return "curl -sS -m 10 -i -d grant_type=authorization_code -d code=none " + _ENDPOINT.format(
        member="token_endpoint"
    )


def _tls(what: Tls) -> str:
    seconds = what.days * 86_400
    return (
        'openssl s_client -connect "$HOST:$PORT" -servername "$HOST" </dev/null 2>/dev/null '
        f"| openssl x509 -noout -subject -enddate -checkend {seconds}"
    )


def _diff(what: Diff) -> str:
    which = "-S ." if what.document == "discovery" else "-S '[.keys[].kid] | sort'"
    return f"for i in $(seq {what.times}); do {_fetch(what.document)} | jq {which} | sha256sum; done | sort | uniq -c"


_BY_HAND: Mapping[type, Callable[[Any], str]] = MappingProxyType(
    {
        Promql: _promql,
        HttpGet: lambda what: f"{_fetch(what.document)} | jq .",
        HttpRefusal: _refusal,
        ProbeOnce: _probe,
        Dns: lambda _: 'dig +short "$HOST"',
        Tls: _tls,
        Clock: lambda _: f"date -u; curl -sS -m 10 -o /dev/null -D - {_WELL_KNOWN} | grep -i '^date:'",
        Diff: _diff,
    }
)


def by_hand(check: RunbookCheck) -> str:
    """The check as a shell command; NAME, ISSUER, HOST, PORT and PROMETHEUS are set at the top of the section."""
    return _BY_HAND[type(check.what)](check.what)


def described(check: RunbookCheck) -> dict[str, object]:
    """The check for machines."""
    return {"name": check.name, "kind": check.kind, "expect": check.expect, **asdict(check.what)}
