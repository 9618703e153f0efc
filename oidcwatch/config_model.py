"""The shape of the whole configuration file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from oidcwatch.config_alerting import AlertingModel
from oidcwatch.config_base import Model
from oidcwatch.config_issuer import IssuerModel
from oidcwatch.config_values import (
    Address,
    Country,
    Duration,
    Every,
    Geohash,
    Name,
    Percent,
    ProxyUrl,
    SliName,
    Text,
    Window,
)
from oidcwatch.config_verifiers import VerifierModel

Count = Annotated[int, Field(ge=1, le=10_000)]


class RegionModel(Model):
    """A place that runs look from."""

    name: Name
    """Name in labels; unique."""
    geohash: Geohash | None = None
    """Where it is, for maps."""
    country: Country | None = None
    """Country code, for maps."""


class EgressModel(Model):
    """Another region that this agent stands in for by sending through a proxy there."""

    region: Name
    """Name of the region; unique, and not the agent's own."""
    proxy: ProxyUrl
    """Proxy in that region: http:// or socks5://."""
    geohash: Geohash | None = None
    """Where it is, for maps."""
    country: Country | None = None
    """Country code, for maps."""


class SloModel(Model):
    """An objective that replaces the default one of an SLI."""

    sli: SliName
    """Name of the SLI in the catalogue."""
    objective: Percent
    """Share of good events in percent, such as 99.95."""
    window: Window = 2_592_000.0
    """Time over which the objective holds; 1d or more."""
    name: Name | None = None
    """Name in rules and alerts; that of the SLI when absent. Two objectives for one SLI need two names."""
    issuers: list[Name] = Field(default_factory=list)
    """Issuers that it is for; when absent, all that no other objective for the SLI names."""


class BrowserModel(Model):
    """The one Chromium that logs in."""

    executable: Text | None = None
    """Path of Chromium or its headless shell; found when absent."""
    no_sandbox: bool | None = None
    """Start Chromium without its sandbox; when absent only where Chromium demands it, as root."""
    max_contexts: Count = 4
    """Logins at the same time; others queue."""
    max_age: Every = 14_400.0
    """Restart the browser when it is this old."""
    max_runs: Count = 1_000
    """Restart the browser after this many logins."""
    max_rss_mib: Annotated[int, Field(ge=64, le=1_048_576)] = 1_536
    """Restart the browser when it holds more memory than this, in MiB."""


class AgentModel(Model):
    """The long-running program."""

    listen: Address = "127.0.0.1:9464"
    """Address of metrics, status page and health."""
    data_dir: Text = "oidcwatch-data"
    """Folder for run history, key ledger and evidence, of one agent only; a relative path starts at the configuration's
    folder."""
    keep_runs: Window = 3_024_000.0
    """How long the run history in data_dir reaches back; 1d or more."""
    browser: BrowserModel = BrowserModel()
    """Limits of the browser."""
    max_runs_at_once: Count = 32
    """Runs at the same time, logins included."""
    drain: Duration = 20.0
    """How long to wait for open runs when stopping."""
    start_spread: Duration = 10.0
    """Time over which first runs are spread after a start; none starts later than its own interval."""
    jitter: Duration = 1.0
    """Runs start up to this much late, at random, so that agents do not march in step."""


class VantageModel(Model):
    """Whether the agent's own network works: if no reference answers, runs are excluded."""

    references: list[Address] = Field(default_factory=list)
    """Addresses to connect to that do not depend on the providers."""


class LogModel(Model):
    """The agent's log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe messages to write."""
    format: Literal["text", "json"] = "text"
    """One line of text or one JSON object a message."""


class Config(Model):
    """Configuration of oidcwatch: which OpenID providers to watch, from where, how often and with what objectives."""

    region: RegionModel = RegionModel(name="local")
    """Where this agent is; the environment variable OIDCWATCH_REGION overrides the name."""
    other_regions: list[RegionModel] = Field(default_factory=list)
    """Where other agents with this same file are; OIDCWATCH_REGION tells each which one it is."""
    egress: list[EgressModel] = Field(default_factory=list)
    """Regions that this agent stands in for by way of proxies."""
    issuers: Annotated[list[IssuerModel], Field(min_length=1)]
    """The OpenID providers to watch."""
    verifiers: list[VerifierModel] = Field(default_factory=list)
    """What verifies tokens with settings of its own, for predictions about key rotation."""
    slos: list[SloModel] = Field(default_factory=list)
    """Objectives; SLIs that are not named keep their default."""
    alerting: AlertingModel = AlertingModel()
    """Where people look and who is called, for what is generated."""
    agent: AgentModel = AgentModel()
    """Where the agent listens and what it may use."""
    vantage: VantageModel = VantageModel()
    """How the agent tells a broken provider from its own broken network."""
    log: LogModel = LogModel()
    """What the agent logs, and how."""
