"""Plays the scenes of scenes.yaml: real sandbox, real probes, a clock that is moved instead of waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest
import yaml

from oidcwatch.config_verifiers import facts_of
from probes.http import Http, make_http
from probes.memory import Memory
from probes.model import Check, ProbeResult
from probes.redact import Redactor
from probes.registry import PROBES, Resources
from probes.run import run_once
from probes.secrets import secrets_from
from probes.subjects import Client, Issuer, Policy, Region, SecretRef
from sandbox.launch import Sandbox, start_sandbox
from sandbox.realm import Settings

HERE = Path(__file__).parent
_PATHS = {"jwks": "^/jwks$", "discovery": "^/.well-known/openid-configuration$"}
_TIMEOUT = 30.0  # seconds: for a loaded machine


@dataclass(frozen=True, slots=True)
class Scene:
    """One row of scenes.yaml; its head says what the members mean."""

    name: str
    does: tuple[Any, ...]
    check: str = ""
    severity: str = ""
    reason: str = ""
    verifiers: tuple[str, ...] = ()
    policy: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    allowed_hosts: tuple[str, ...] = ()
    shares_keys_with: tuple[str, ...] = ()

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Scene:
        """Raises TypeError for a member that does not exist."""
        members: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
        }
        return cls(**members)

    def __str__(self) -> str:
        return f"{self.check} {self.name}".strip()


@dataclass(slots=True)
class Stage:
    """One scene on a sandbox: what probes remember, the time, whether a drill runs."""

    sandbox: Sandbox
    scene: Scene
    http: Http
    passed: float = 0.0
    drill: bool = False
    memory: Memory = field(default_factory=Memory)
    results: list[ProbeResult] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.memory.drills = lambda: {"sandbox"} if self.drill else ()

    async def play(self, does: Iterable[Any] = ()) -> ProbeResult:
        """Does what the scene, or the argument, says; the result of the last run."""
        for word in does or self.scene.does:
            name, value = next(iter(word.items())) if isinstance(word, dict) else (word, None)
            await WORDS[name](self, value)
        return self.results[-1]

    def issuer(self, name: str = "sandbox") -> Issuer:
        return Issuer(
            name,
            self.sandbox.issuer,
            verifiers=self.scene.verifiers,
            verifier_facts=facts_of(self.scene.verifiers),
            ca_file=self.sandbox.ca_file,
            allowed_hosts=frozenset(self.scene.allowed_hosts),
            policy=Policy(**self.scene.policy),
            shares_keys_with=frozenset(self.scene.shares_keys_with),
        )

    def clock(self) -> datetime:
        """Goes on by itself, too: answers take time."""
        return datetime.now(UTC) + timedelta(seconds=self.passed)

    async def run(self, kind: str, *, region: str = "eu", issuer: str = "sandbox") -> None:
        machine = self.sandbox.clients["machine"]
        secret = SecretRef("env", "SANDBOX_MACHINE_SECRET")
        client = Client("machine", machine.client_id, secret=secret, scopes=machine.scopes)
        check = Check(
            self.issuer(issuer), kind, client=client if PROBES[kind].of == "client" else None, timeout=_TIMEOUT
        )
        redact = Redactor()
        use = Resources(
            self.http,
            secrets_from(self.sandbox.environ),
            self.memory,
            Region(region),
            redact,
            self.clock,
            browsers=_no_browser,
        )
        self.results.append(await run_once(PROBES[kind].build(use), check, region, redact, self.clock))

    async def wait(self, seconds: float) -> None:
        self.passed += seconds
        self.sandbox.control.clock(self.passed, date=self.passed)

    async def watch(self, seconds: float) -> None:
        for _ in range(round(seconds / 60)):
            await self.wait(60)
            await self.run("jwks")

    def rule(self, rule: Mapping[str, Any]) -> Mapping[str, Any]:
        members = {name: self._filled(value) for name, value in rule.items() if name != "at"}
        return {"path": _PATHS[rule["at"]], **members}

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: self._filled(inner) for name, inner in value.items()}
        if isinstance(value, str):
            port = str(urlsplit(self.sandbox.issuer).port)
            return value.replace("PORT", port).replace("PROVIDER", self.sandbox.provider)
        return value


def _no_browser() -> NoReturn:
    raise AssertionError("these kinds need no browser")


async def _keys(stage: Stage, value: Any) -> None:
    await stage.run("jwks", **(value or {}))


async def _tokens(stage: Stage, _value: Any) -> None:
    await stage.run("client_credentials")


async def _rotate(stage: Stage, value: Any) -> None:
    stage.sandbox.control.rotate(**({"mode": value} if isinstance(value, str) else value))


async def _fault(stage: Stage, value: Any) -> None:
    stage.sandbox.control.fault(**({"name": value} if isinstance(value, str) else value))


async def _drill(stage: Stage, value: bool) -> None:
    stage.drill = value


def _steering(steer: Callable[[Stage, Any], object]) -> Callable[[Stage, Any], Awaitable[None]]:
    async def word(stage: Stage, value: Any) -> None:
        steer(stage, value)

    return word


WORDS: Mapping[str, Callable[[Stage, Any], Awaitable[None]]] = MappingProxyType(
    {
        "keys": _keys,
        "tokens": _tokens,
        "wait": Stage.wait,
        "watch": Stage.watch,
        "rotate": _rotate,
        "fault": _fault,
        "drill": _drill,
        "clear": _steering(lambda stage, _: stage.sandbox.control.clear()),
        "proxy": _steering(lambda stage, rule: stage.sandbox.control.proxy_rules([stage.rule(rule)])),
        "certificate": _steering(lambda stage, kind: stage.sandbox.control.certificate(kind)),
        "settings": _steering(lambda stage, values: stage.sandbox.control.settings(**values)),
    }
)


@pytest.fixture(scope="session")
def rotation_sandbox() -> Iterator[Sandbox]:
    """One with TLS behind its fault proxy, for all scenes."""
    with start_sandbox(tls=True) as running:
        yield running


@pytest.fixture
def stage(rotation_sandbox: Sandbox) -> Iterator[Callable[..., Stage]]:
    """Gives a stage for a scene; the sandbox is sound again afterwards."""
    http = make_http(rotation_sandbox.ca_file)

    def on(scene: Scene | None = None, **members: Any) -> Stage:
        return Stage(rotation_sandbox, scene or Scene("", ()), **{"http": http, **members})

    yield on
    control = rotation_sandbox.control
    control.clear()
    control.clock(0, date=0)
    control.settings(**{name: getattr(Settings(), name) for name in Settings.__dataclass_fields__})
    control.rotate("publish")
    control.rotate("retire")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`provoking`: each scene that must provoke a finding; `safe`: each that must not."""
    scenes = [Scene.of(entry) for entry in yaml.safe_load((HERE / "scenes.yaml").read_text())["scenes"]]
    for name, wanted in (("provoking", True), ("safe", False)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, [scene for scene in scenes if bool(scene.check) is wanted], ids=str)


@pytest.fixture(scope="session")
def scenes() -> tuple[Scene, ...]:
    """The table."""
    return tuple(Scene.of(entry) for entry in yaml.safe_load((HERE / "scenes.yaml").read_text())["scenes"])
