"""Runs rows of the fault matrix: a clean run, the fault, every kind of probe once, and what each of them made of it."""

from __future__ import annotations

import asyncio
import ssl
import string
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from oidcwatch.config import load
from oidcwatch.resources import Workshop
from oidcwatch.settings import Settings
from probes.documents import JsonObject
from probes.memory import Memory
from probes.metadata import discovery_url
from probes.model import Check, ProbeResult, Reason
from probes.reasons import REASONS
from probes.redact import Redactor
from probes.run import run_once
from sandbox.control_client import Control

HERE = Path(__file__).parent
SUCCESS = "success"
FIRST = ("discovery", "jwks")
"""In this order: others take what discovery learns, and jwks repeats what they note of tokens by unpublished keys."""
PLENTY = 30.0  # seconds: for runs that do not wait for a time-out

_ENDPOINTS: Mapping[str, str] = MappingProxyType(
    {
        "jwks": "jwks_uri",
        "authorize": "authorization_endpoint",
        "token": "token_endpoint",
        "userinfo": "userinfo_endpoint",
        "end_session": "end_session_endpoint",
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of matrix.yaml; its head says what the members mean."""

    name: str
    inject: tuple[Mapping[str, Any], ...] = ()
    expect: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    findings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    client: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    login_as: str = "portal"
    timeout: float = PLENTY
    cold: bool = False
    only: tuple[str, ...] = ()
    real: bool = False
    expect_real: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Row:
        """Raises TypeError for a member that does not exist."""
        inject = entry["inject"] if isinstance(entry["inject"], list) else [entry["inject"]]
        return cls(**{**entry, "inject": tuple(inject), "only": tuple(entry.get("only", ()))})

    @property
    def faults(self) -> list[str]:
        """Names of the sandbox's faults that it injects."""
        values = [injection["fault"] for injection in self.inject if "fault" in injection]
        return [value if isinstance(value, str) else value["name"] for value in values]

    def expected(self, provider: str, kind: str) -> str:
        """`stage/reason`, or success for a kind that is not named."""
        return self.expect_real.get(provider, self.expect).get(kind, SUCCESS)


@dataclass(frozen=True, slots=True)
class Provider:
    """A running provider behind a fault proxy, the checks of it, and how to bring it back to order."""

    name: str
    settings: Settings
    environ: Mapping[str, str] = field(repr=False)
    control: Control
    restore: Callable[[], None]

    def check(self, kind: str, row: Row) -> Check:
        """The row's check of that kind."""
        found = [check for check in self.settings.checks if check.probe == kind]
        chosen = next((check for check in found if check.target == row.login_as), found[0])
        signs_in = chosen.client is not None and chosen.client.user is not None
        client = replace(chosen.client, **_tuples(row.client)) if chosen.client and signs_in else chosen.client
        return replace(chosen, client=client, timeout=row.timeout)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a matrix went: rows run, and one line for each thing that was not as expected."""

    rows: int
    mismatches: Mapping[str, Sequence[str]]

    def __str__(self) -> str:
        return f"{self.rows - len(self.mismatches)}/{self.rows} faults attributed"

    def explained(self) -> str:
        """Every mismatch under its row's name."""
        return "\n".join(f"{name}\n    {line}" for name, lines in self.mismatches.items() for line in lines)


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


# Injection: one function for each word of `inject`. `document` is the provider's discovery document.


def _rules(provider: Provider, document: JsonObject, value: Any) -> None:
    rules = []
    for rule in value if isinstance(value, list) else [value]:
        params = {name: rule[name] for name in rule if name != "at"}
        rules.append(_filled({"path": _path(document, rule.get("at", "")), **params}, document))
    provider.control.proxy_rules(rules)


def _filled(value: Any, document: JsonObject) -> Any:
    if isinstance(value, str):
        return value.replace("ISSUER", document["issuer"])
    if isinstance(value, dict):
        return {name: _filled(inner, document) for name, inner in value.items()}
    return value


def _url(document: JsonObject, at: str) -> str:
    return discovery_url(document["issuer"]) if at == "discovery" else str(document[_ENDPOINTS[at]])


def _path(document: JsonObject, at: str) -> str:
    return f"^{urlsplit(_url(document, at)).path}$" if at else ""


def _fault(provider: Provider, _document: JsonObject, value: Any) -> None:
    named = {"name": value} if isinstance(value, str) else value
    provider.control.fault(**named)


def _fetch(provider: Provider, document: JsonObject, at: str) -> None:
    """So that a `stale` rule has a first answer to repeat."""
    trust = ssl.create_default_context(cafile=provider.settings.issuers[0].ca_file)
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    urllib.request.build_opener(*handlers).open(_url(document, at), timeout=PLENTY).close()


Injection = Callable[[Provider, JsonObject, Any], None]
INJECTIONS: Mapping[str, Injection] = MappingProxyType(
    {
        "fault": _fault,
        "proxy": _rules,
        "fetch": _fetch,
        "certificate": lambda provider, _, kind: provider.control.certificate(kind),
        "rotate": lambda provider, _, mode: _discard(provider.control.rotate(mode)),
        "clock": lambda provider, _, ahead: provider.control.clock(ahead.get("tokens"), date=ahead.get("date")),
        "settings": lambda provider, _, values: provider.control.settings(**values),
        "reset": lambda provider, _, __: provider.control.reset(),
        "new_password_of": lambda provider, _, user: provider.control.set_password(user, "changed-by-somebody"),
    }
)


def _discard(_: object) -> None:
    """For calls whose answer is of no interest."""


# Running.


@dataclass(frozen=True, slots=True)
class Lab:
    """One provider and one warm browser for all rows."""

    provider: Provider
    workshop: Workshop
    redact: Redactor

    async def document(self) -> JsonObject:
        """The discovery document, from a clean run that also starts the browser."""
        row, memory = Row("the start"), Memory()
        self.workshop.probe(self.provider.check("login", row), self.provider.settings.regions[0])
        await self.run(row, memory)
        return next(iter(memory.documents.values()))

    async def judge(self, row: Row, document: JsonObject) -> list[str]:
        """What was not as the row says."""
        memory, found = Memory(), list[str]()
        if not row.cold:
            clean = replace(row, expect={}, expect_real={}, findings={}, timeout=PLENTY)
            found += [f"before the fault: {line}" for line in self.compare(clean, await self.run(clean, memory))]
        try:
            for injection in row.inject:
                for word, value in injection.items():
                    await asyncio.to_thread(INJECTIONS[word], self.provider, document, value)
            return found + self.compare(row, await self.run(row, memory))
        finally:
            await asyncio.to_thread(self.provider.restore)

    async def run(self, row: Row, memory: Memory) -> list[ProbeResult]:
        """Every kind once: those of `FIRST` one after the other, then all others side by side."""
        kinds = dict.fromkeys(check.probe for check in self.provider.settings.checks)
        wanted = [kind for kind in kinds if not row.only or kind in row.only]
        first = [await self.once(kind, row, memory) for kind in FIRST if kind in wanted]
        rest = [self.once(kind, row, memory) for kind in wanted if kind not in FIRST]
        return first + await asyncio.gather(*rest)

    async def once(self, kind: str, row: Row, memory: Memory) -> ProbeResult:
        """One run of one kind."""
        check, region = self.provider.check(kind, row), self.provider.settings.regions[0]
        probe = replace(self.workshop, memory=memory).probe(check, region)
        return await run_once(probe, check, region.name, self.redact)

    def compare(self, row: Row, results: Iterable[ProbeResult]) -> list[str]:
        """One line for each result that is not as expected, or that breaks a rule for all results."""
        found = []
        for result in results:
            kind, failure = result.check.probe, result.failure
            expected = row.expected(self.provider.name, kind)
            got = f"{failure.stage}/{failure.reason}" if failure else SUCCESS
            ids = sorted({finding.check_id for finding in result.findings})
            if got != expected:
                detail = failure.detail if failure else f"in {result.seconds:.1f} s"
                found.append(f"{kind}: expected {expected}, got {got} ({detail})")
            if kind in row.findings and row.findings[kind] not in ids:
                found.append(f"{kind}: expected finding {row.findings[kind]}, got {ids}")
            if failure and (
                failure.reason is Reason.PROBE_ERROR or failure.stage not in REASONS[failure.reason].stages
            ):
                found.append(f"{kind}: {failure.reason} must not be given at {failure.stage}")
            found += [f"{kind}: {one.check_id} has no citation" for one in result.findings if not one.citation]
        return found


Judge = Callable[[Provider, Iterable[Row]], Awaitable[Verdict]]


@pytest.fixture
def judge() -> Judge:
    """Runs rows one after the other on a provider."""

    async def judge_all(provider: Provider, rows: Iterable[Row]) -> Verdict:
        redact = Redactor()
        workshop = Workshop(provider.settings, redact, environ=provider.environ)
        try:
            lab = Lab(provider, workshop, redact)
            document = await lab.document()
            found = {row.name: await lab.judge(row, document) for row in rows}
        finally:
            await workshop.close()
        return Verdict(len(found), {name: lines for name, lines in found.items() if lines})

    return judge_all


@pytest.fixture(scope="session")
def matrix() -> Sequence[Row]:
    """The table."""
    return tuple(Row.of(entry) for entry in yaml.safe_load((HERE / "matrix.yaml").read_text())["rows"])


@pytest.fixture(scope="session")
def not_visible() -> Mapping[str, str]:
    """Faults of the sandbox that no probe can see, with the reason."""
    entries: Mapping[str, str] = yaml.safe_load((HERE / "matrix.yaml").read_text())["not_visible"]
    return entries


Provide = Callable[..., Provider]


@pytest.fixture
def provide(tmp_path: Path) -> Provide:
    """Makes a Provider with the checks of its configuration in providers/."""

    def provider(
        name: str, issuer: str, ca_file: Path, environ: Mapping[str, str], control: Control, restore: Callable[[], None]
    ) -> Provider:
        template = string.Template((HERE / "providers" / f"{name}.yaml").read_text())
        path = tmp_path / f"{name}.yaml"
        path.write_text(template.substitute(issuer=issuer, ca_file=ca_file))
        return Provider(name, load(path, environ), environ, control, restore)

    return provider
