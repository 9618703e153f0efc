"""The configuration as the program uses it: frozen values with all defaults filled in. Durations in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alerts.deployment import Alerting, Slo
from drills.target import Target
from drills.verifiers import Verifier
from probes.model import Check
from probes.subjects import Issuer, Region


@dataclass(frozen=True, slots=True)
class BrowserSettings:
    """Limits of the one browser."""

    executable: Path | None
    """None: find it."""
    no_sandbox: bool | None
    """None: only where Chromium demands it."""
    max_contexts: int
    max_age: float
    max_runs: int
    max_rss_mib: int


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """The long-running program. `host` is a name or address without brackets."""

    host: str
    port: int
    data_dir: Path
    keep_runs: float
    browser: BrowserSettings
    max_runs_at_once: int
    drain: float
    start_spread: float
    jitter: float


@dataclass(frozen=True, slots=True)
class LogSettings:
    """The agent's log: `level` as logging names it, `json` for one object a line."""

    level: str
    json: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that was configured. It holds no secret, only references to them."""

    files: tuple[Path, ...]
    """The files it came from, the main one first."""
    regions: tuple[Region, ...]
    """The agent's own region first, then those that it reaches through proxies."""
    issuers: tuple[Issuer, ...]
    checks: tuple[Check, ...]
    """What this agent runs; a check whose regions are all elsewhere is not among them."""
    drills: Mapping[str, Target]
    """What may be drilled, by the issuer's name."""
    verifiers: tuple[Verifier, ...]
    """Those that the file describes; the table of drills has the others."""
    slos: tuple[Slo, ...]
    """Every objective, the defaults of SLIs that the file does not name included."""
    alerting: Alerting
    agent: AgentSettings
    log: LogSettings
    references: tuple[tuple[str, int], ...]
    """(host, port) pairs that tell a broken provider from a broken network of our own."""
