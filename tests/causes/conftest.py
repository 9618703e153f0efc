"""Many providers, each with a fault of its own, watched by live agents: what people are told, and what runbooks find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest
import yaml

from alerts.causes_table import cause_of
from alerts.model import ROLE, Role
from exporters import metrics as m
from oidcwatch.config import load_both
from oidcwatch.generation import deployment_of
from oidcwatch.stack_monitoring import (
    Monitoring,
    alerting_document,
    choose_addresses,
    find_binaries,
    start_monitoring,
)
from oidcwatch.stack_receiver import start_receiver
from probes.model import Reason, Stage
from probes.registry import PROBES
from sandbox.launch import Sandbox, start_sandbox
from sandbox.metadata import ENDPOINTS
from sandbox.peers.process import LOOPBACK, choose_port, running

HERE = Path(__file__).parent
REGIONS = ("eu-west", "us-east")
OWNER = "identity-platform"
SPEED = 15
"""Five minutes of the rules pass in twenty seconds."""
OFTEN, SELDOM = 10, 20
"""Seconds between two runs of a check; logins are the ones that cost something."""
READY, FOUND, ANSWERED, ENDED = 180.0, 360.0, 120.0, 15.0
"""Seconds at most: a first success of every check, all alerts and runbooks, one runbook, the end of an agent."""
AT_ONCE = 2
_SCRAPE = timedelta(seconds=5)
_USERS = MappingProxyType({"login": "alice", "refresh": "synthetic-eu"})
_PATHS = MappingProxyType(
    {
        "discovery": "/.well-known/openid-configuration",
        "jwks": ENDPOINTS["jwks_uri"],
        "authorize": ENDPOINTS["authorization_endpoint"],
        "token": ENDPOINTS["token_endpoint"],
    }
)


@dataclass(frozen=True, slots=True)
class Case:
    """One injected fault: at which issuer, what must be found, and what may be told beside it."""

    issuer: str
    inject: tuple[Mapping[str, Any], ...]
    reason: Reason
    stage: Stage
    probes: tuple[str, ...]
    timeout: float
    follows: Mapping[str, str]

    @property
    def alert(self) -> str:
        """The alert that people must be told of."""
        return cause_of(self.reason, self.stage)

    @classmethod
    def of(cls, issuer: str, entry: Mapping[str, Any], row: Mapping[str, Any]) -> Case:
        """From a row of causes.yaml and the row of the matrix that it names."""
        probes = tuple(entry.get("probes", ("discovery", "jwks", "client_credentials")))
        expected = {place.partition("/")[::2] for kind, place in row["expect"].items() if kind in probes}
        wanted = entry.get("cause", next(iter(expected))[1])
        places = [(Reason(reason), Stage(stage)) for stage, reason in expected if reason == wanted]
        assert {reason for _, reason in expected} == {wanted} or "cause" in entry, f"{issuer}: which is the cause?"
        assert len({cause_of(*place) for place in places}) == 1, f"{issuer}: more than one alert is expected"
        reason, stage = places[0]
        inject = row["inject"] if isinstance(row["inject"], list) else [row["inject"]]
        return cls(issuer, tuple(inject), reason, stage, probes, row.get("timeout", SELDOM), entry.get("follows", {}))


@dataclass(frozen=True, slots=True)
class Found:
    """What came of one case."""

    case: Case
    told: frozenset[str]
    """The alerts about causes that people were told of at any time: those that fired and were not inhibited."""
    answer: Mapping[str, Any] | None
    """What `oidcwatch runbook run --json` printed for the expected alert; None when nobody was told of it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that runs."""

    config: Path
    regions: tuple[str, ...]
    monitoring: Monitoring
    sandboxes: Mapping[str, Sandbox]
    environ: Mapping[str, str] = field(repr=False)
    checks: int

    def until(self, what: Callable[[], object], seconds: float) -> bool:
        """Whether it came true in time."""
        end = time.monotonic() + seconds
        while not (true := bool(what())) and time.monotonic() < end:
            time.sleep(1.0)
        return true

    def healthy(self) -> bool:
        """Whether every check has succeeded once from every region: what a fault changes is known then."""
        seen = self.monitoring.query(f"count({m.LAST_SUCCESS.name} > 0)")
        return bool(seen) and seen[0].value == self.checks

    def told(self) -> set[tuple[str, str]]:
        """Issuers and names of the alerts about causes that Alertmanager holds and does not inhibit."""
        url = f"{self.monitoring.addresses.alertmanager}/api/v2/alerts"
        only = {"active": "true", "inhibited": "false", "silenced": "false", "filter": f'{ROLE}="{Role.CAUSE}"'}
        answer = httpx.get(url, params=only, trust_env=False, timeout=ANSWERED)
        answer.raise_for_status()
        return {(alert["labels"][m.ISSUER], alert["labels"]["alertname"]) for alert in answer.json()}

    def runbook(self, case: Case) -> dict[str, Any]:
        """The answer of `oidcwatch runbook run` for the case's alert."""
        command = [sys.executable, "-m", "oidcwatch", "runbook", "run", case.alert, "--issuer", case.issuer]
        command += ["-c", str(self.config), "--prometheus", self.monitoring.addresses.prometheus, "--json"]
        done = subprocess.run(command, env=self.environ, capture_output=True, text=True, timeout=ANSWERED, check=False)
        assert done.returncode == 1, f"{case.issuer}: exit code {done.returncode}: {done.stdout}{done.stderr}"
        assert done.stdout.startswith("{"), f"{case.issuer}: {done.stdout}{done.stderr}"  # a crash ends with 1 as well
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer


# Faults. Those of the matrix that need no more than these words can be used here.


def _proxy(sandbox: Sandbox, value: Any) -> None:
    rules = value if isinstance(value, list) else [value]
    placed = [{"path": f"^{_PATHS[rule['at']]}$" if "at" in rule else "", **rule} for rule in rules]
    sandbox.control.proxy_rules([{key: rule[key] for key in rule if key != "at"} for rule in placed])


def _fault(sandbox: Sandbox, value: Any) -> None:
    sandbox.control.fault(**({"name": value} if isinstance(value, str) else value))


INJECTIONS: Mapping[str, Callable[[Sandbox, Any], object]] = MappingProxyType(
    {
        "fault": _fault,
        "proxy": _proxy,
        "certificate": lambda sandbox, kind: sandbox.control.certificate(kind),
        "rotate": lambda sandbox, mode: sandbox.control.rotate(mode),
        "clock": lambda sandbox, ahead: sandbox.control.clock(ahead.get("tokens"), date=ahead.get("date")),
        "settings": lambda sandbox, values: sandbox.control.settings(**values),
    }
)


def inject(case: Case, sandbox: Sandbox) -> None:
    """Breaks the case's provider as its row says."""
    for injection in case.inject:
        for word, value in injection.items():
            INJECTIONS[word](sandbox, value)


# Configuration.


def _variable(*words: str) -> str:
    return "_".join(words).upper().replace("-", "_")


def _client(case: Case, sandbox: Sandbox, kind: str, every: int) -> dict[str, Any]:
    """A client for each kind of probe, so that none waits for another."""
    client = sandbox.clients["machine" if kind == "client_credentials" else "portal"]
    secret = {"env": _variable(case.issuer, "sandbox", client.client_id, "secret")}
    entry: dict[str, Any] = {
        "name": client.client_id if kind != "refresh" else "session",
        "client_id": client.client_id,
        "auth": {"method": client.auth_method, "secret": secret},
        "probes": [_probe(case, kind, every)],
    }
    if kind == "client_credentials":
        return {**entry, "scopes": list(client.scopes), "audience": client.audience}
    user = _USERS[kind]
    password = {"env": _variable(case.issuer, "sandbox", user, "password")}
    return {
        **entry,
        "scopes": ["openid", "profile", "email", *(["offline_access"] if kind == "refresh" else [])],
        "redirect_uri": client.redirect_uri,
        "post_logout_redirect_uri": client.post_logout_redirect_uri,
        "user": {"username": user, "password": password},
    }


def _probe(case: Case, kind: str, every: int) -> dict[str, Any]:
    return {"type": kind, "every": f"{every}s", "timeout": f"{min(every, case.timeout) * 1000:.0f}ms"}


def issuer_document(case: Case, sandbox: Sandbox) -> dict[str, Any]:
    """The case's provider as an entry of `issuers`."""
    trust = {"tls": {"ca_file": str(sandbox.ca_file)}} if sandbox.ca_file else {"policy": {"allow_http": True}}
    pace = {kind: SELDOM if kind == "login" else OFTEN for kind in case.probes}
    return {
        "name": case.issuer,
        "url": sandbox.issuer,
        "owner": OWNER,
        **trust,
        "clients": [_client(case, sandbox, kind, pace[kind]) for kind in case.probes if PROBES[kind].of == "client"],
        "probes": [_probe(case, kind, pace[kind]) for kind in case.probes if PROBES[kind].of != "client"],
    }


def _environ(sandboxes: Mapping[str, Sandbox]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OIDCWATCH_")}
    secrets = {
        _variable(issuer, name): value
        for issuer, sandbox in sandboxes.items()
        for name, value in sandbox.environ.items()
    }
    return {**kept, **secrets}


def _start_providers(parts: ExitStack, cases: Sequence[Case]) -> dict[str, Sandbox]:
    """Some at a time: each waits for its child."""

    def start(case: Case) -> Sandbox:
        return parts.enter_context(start_sandbox(tls="certificate" in case.inject[0]))

    with ThreadPoolExecutor(2 * AT_ONCE) as pool:
        return dict(zip((case.issuer for case in cases), pool.map(start, cases), strict=True))


def _start_agent(parts: ExitStack, folder: Path, document: Mapping[str, Any], region: str, environ: Any) -> str:
    """Gives host:port of the region's agent."""
    place, config = f"{LOOPBACK}:{choose_port(0)}", folder / f"agent-{region}.yaml"
    agent = {"listen": place, "data_dir": str(folder / f"data-{region}"), "start_spread": "5s", "drain": "1s"}
    others = [{"name": other} for other in REGIONS if other != region]
    own = {**document, "region": {"name": region}, "other_regions": others, "agent": agent}
    config.write_text(yaml.safe_dump(own, sort_keys=False))
    command = [sys.executable, "-m", "oidcwatch", "run", "-c", str(config)]
    process = parts.enter_context(running(command, environ=environ, cwd=folder, log=folder / f"agent-{region}.log"))
    parts.callback(_end, process)  # before its group is: an agent whose browser is gone cannot tidy up behind it
    return place


def _end(agent: subprocess.Popen[bytes]) -> None:
    agent.terminate()
    with suppress(subprocess.TimeoutExpired):
        agent.wait(ENDED)


# Fixtures.


@pytest.fixture(scope="session")
def cases(root: Path) -> Sequence[Case]:
    """The table."""
    rows = yaml.safe_load((root / "tests" / "faults" / "matrix.yaml").read_text())["rows"]
    by_name = {row["name"]: row for row in rows}
    entries = yaml.safe_load((HERE / "causes.yaml").read_text())
    return tuple(Case.of(issuer, entry, by_name[entry["fault"]]) for issuer, entry in entries.items())


@pytest.fixture(scope="module")
def scene(cases: Sequence[Case], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Providers, agents, Prometheus and Alertmanager; every check has succeeded from every region."""
    folder = tmp_path_factory.mktemp("causes")
    binaries = find_binaries(os.environ)
    with ExitStack() as parts:
        sandboxes = _start_providers(parts, cases)
        receiver = parts.enter_context(start_receiver())
        addresses, environ = choose_addresses(receiver.url), _environ(sandboxes)
        document = {
            "region": {"name": REGIONS[0]},
            "other_regions": [{"name": region} for region in REGIONS[1:]],
            "issuers": [issuer_document(case, sandboxes[case.issuer]) for case in cases],
            "alerting": alerting_document(addresses),
        }
        config = folder / "oidcwatch.yaml"
        config.write_text(yaml.safe_dump(document, sort_keys=False))
        deployment = deployment_of(load_both(config, environ), speed=SPEED)
        targets = {region: _start_agent(parts, folder, document, region, environ) for region in REGIONS}
        monitoring = parts.enter_context(
            start_monitoring(
                folder, deployment, addresses, targets, binaries=binaries, environ=os.environ, scrape=_SCRAPE
            )
        )
        monitoring.wait()
        checks = sum(len(check.regions) for check in deployment.checks)
        ready = Scene(config, REGIONS, monitoring, sandboxes, environ, checks)
        assert ready.until(ready.healthy, READY), _unhealthy(ready)
        yield ready


def _unhealthy(scene: Scene) -> str:
    failing = scene.monitoring.query(f"{m.LAST_SUCCESS.name} == 0 or {m.FAILURES.name} > 0")
    return f"not every check has succeeded: {[dict(sample.labels) for sample in failing]}"


@pytest.fixture(scope="module")
def findings(cases: Sequence[Case], scene: Scene) -> Sequence[Found]:
    """Breaks every provider at once; as soon as people are told of a case its runbook is run."""
    told, answers = set[tuple[str, str]](), dict[str, Future[dict[str, Any]]]()
    for case in cases:
        inject(case, scene.sandboxes[case.issuer])
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def answered() -> bool:
            told.update(scene.told())
            for case in cases:
                if (case.issuer, case.alert) in told and case.issuer not in answers:
                    answers[case.issuer] = pool.submit(scene.runbook, case)
            return len(answers) == len(cases) and all(answer.done() for answer in answers.values())

        scene.until(answered, FOUND)
    given = {issuer: answer.result() for issuer, answer in answers.items()}
    return tuple(
        Found(case, frozenset(name for issuer, name in told if issuer == case.issuer), given.get(case.issuer))
        for case in cases
    )
