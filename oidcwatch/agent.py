"""The long-running program: runs every check on its schedule, publishes, serves its pages, reloads, drains."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import platform
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import uvicorn
from prometheus_client import CollectorRegistry

from exporters.artifacts import ArtifactStore
from exporters.ledger import KEYS, LedgerStore
from exporters.pages import ReloadError, View, make_app
from exporters.prometheus import PrometheusExporter
from exporters.results import ResultsBook
from exporters.store import RUNS, RunStore
from exporters.stored_keys import Place, place_of
from exporters.watcher import AgentMetrics, BrowserMetrics
from oidcwatch import __version__
from oidcwatch.drill_switch import DrillSwitch
from oidcwatch.resources import Workshop, authorities
from oidcwatch.schedule import Schedule
from oidcwatch.settings import Settings
from oidcwatch.vantage import judged
from probes.ledger import Ledger
from probes.model import Check, ProbeResult, Reason
from probes.probe import Clock, Probe, utc_now
from probes.redact import Redactor
from probes.registry import PROBES
from probes.run import run_once
from probes.subjects import Region

log = logging.getLogger(__name__)

_ARTIFACT_BYTES = 200 * 1024 * 1024
_ARTIFACT_AGE = timedelta(days=7)

Publish = Callable[[ProbeResult], None]
Load = Callable[[], Settings]
"""Reads the configuration anew; raises an exception whose text says what is wrong with it."""


@dataclass(slots=True)
class Agent:
    """One agent is one region, and stands for more through their proxies."""

    settings: Settings
    load: Load
    redact: Redactor
    clock: Clock = utc_now
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    """Where `env:` secrets are read."""
    publish_also: tuple[Publish, ...] = ()
    """Further receivers of every result."""
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _workshop: Workshop = field(init=False)
    _schedule: Schedule = field(init=False)
    _metrics: AgentMetrics = field(init=False)
    _exporter: PrometheusExporter = field(init=False)
    _artifacts: ArtifactStore = field(init=False)
    _history: RunStore = field(init=False)
    _ledgers: LedgerStore = field(init=False)
    _drills: DrillSwitch = field(init=False)
    _probes: dict[tuple[str, str, str], Probe] = field(default_factory=dict)
    """By check, region and the issuer's URL."""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _began: bool = False
    _reloading: asyncio.Lock = field(default_factory=asyncio.Lock)
    book: ResultsBook = field(init=False)

    def __post_init__(self) -> None:
        settings, agent = self.settings, self.settings.agent
        self._metrics = AgentMetrics(self.registry, version=__version__, python=platform.python_version())
        browser = BrowserMetrics(self.registry)
        self._exporter = PrometheusExporter(self.registry, settings.regions, self.clock, kinds=PROBES)
        self.book = ResultsBook(settings.regions)
        self._workshop = Workshop(settings, self.redact, browser, self.environ, self.clock)
        self._artifacts = ArtifactStore(
            agent.data_dir / "artifacts",
            max_bytes=_ARTIFACT_BYTES,
            max_age=_ARTIFACT_AGE,
            clock=self.clock,
            on_failure=self._metrics.artifact_failed,
        )
        self._history = RunStore.open(
            agent.data_dir / RUNS,
            retention=timedelta(seconds=agent.keep_runs),
            clock=self.clock,
            on_failure=self._metrics.run_not_kept,
        )
        self._ledgers = LedgerStore(agent.data_dir / KEYS)
        self._workshop.memory.keep = self._ledgers.keep
        self._drills = DrillSwitch(self.clock, self._issuers, self._drills_changed)
        self._workshop.memory.drills = lambda: self._drills.issuers
        self._schedule = Schedule(
            self._run, self._metrics, spread=agent.start_spread, jitter=agent.jitter, at_once=agent.max_runs_at_once
        )

    async def serve(self, *, ready: Callable[[str], None] = lambda url: None, seconds: float | None = None) -> None:
        """Runs until SIGTERM, SIGINT, `stop()`, or for so many seconds; then drains within the configured bound.

        `ready` is called with the address of the pages once they are served. Raises OSError when the address is taken.
        """
        self._configure(self.settings, await self._stored(self.settings))
        listener = _listen(self.settings.agent.host, self.settings.agent.port)
        server = _Server(
            uvicorn.Config(
                make_app(self._view()), log_config=None, access_log=False, lifespan="off", server_header=False
            )
        )
        pages = asyncio.create_task(server.serve(sockets=[listener]))
        self._schedule.start()
        try:
            with self._signals():
                ready(f"http://{_shown(listener)}/")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._stop.wait()
        finally:
            await self._shut_down(server, pages)

    def stop(self) -> None:
        """Ends `serve` in good order."""
        self._stop.set()

    async def reload(self) -> None:
        """Puts the configuration in force as it is now; raises ReloadError, and keeps the old one, when it is bad."""
        async with self._reloading:  # of two at once the slower would put the older file in force
            if self._stop.is_set():
                raise ReloadError("the agent is stopping")
            try:
                settings = await asyncio.to_thread(self.load)
                self._check_fixed(settings)
                self._configure(settings, await self._stored(settings))
            except Exception as error:  # whatever it is, the agent goes on as it was
                self._metrics.config_loaded(None)
                log.error("the new configuration is refused, the old one stays in force: %s", error)
                raise ReloadError(str(error)) from error
        log.info("configuration reloaded: %d checks", len(settings.checks))

    def _check_fixed(self, settings: Settings) -> None:
        """Some settings belong to the process; a change of them needs a new one."""
        before = self.settings
        fixed: Mapping[str, tuple[object, object]] = {
            "region and egress": (before.regions, settings.regions),
            "agent": (before.agent, settings.agent),
            "log": (before.log, settings.log),
            "the issuers' ca_file": (authorities(before), authorities(settings)),  # the one browser trusts them all
        }
        changed = [name for name, (old, new) in fixed.items() if old != new]
        if changed:
            raise ValueError(f"{' and '.join(changed)} changed: restart the agent to put that in force")

    async def _stored(self, settings: Settings) -> Mapping[Place, Ledger]:
        """Key ledgers of issuers that are new here, as an earlier agent, or configuration, left them.

        Read in a thread: a ledger with as many keys as it may have (`probes.ledger.KEPT`) takes some 15 ms.
        """
        new = [each for each in settings.issuers if place_of(each) not in self._workshop.memory.ledgers]
        return await asyncio.to_thread(lambda: {place_of(issuer): self._ledgers.read(issuer) for issuer in new})

    def _configure(self, settings: Settings, ledgers: Mapping[Place, Ledger]) -> None:
        """All or nothing: probes are built before anything is changed."""
        workshop = self._workshop.renewed(settings)
        regions = {region.name: region for region in settings.regions}
        jobs = [
            (check, regions[name]) for check in settings.checks for name in check.regions or regions if name in regions
        ]
        probes = {_place_of(check, region): workshop.probe(check, region) for check, region in jobs}
        self._exporter.configure(settings.checks, self._drills.issuers)
        self.book.configure(settings.checks)
        self._workshop, self._probes, self.settings = workshop, probes, settings
        workshop.forget()
        self._workshop.memory.ledgers.update(ledgers)
        self._schedule.place(jobs)
        self._metrics.config_loaded(self.clock())

    def _issuers(self) -> frozenset[str]:
        return frozenset(issuer.name for issuer in self.settings.issuers)

    def _drills_changed(self) -> None:
        self._exporter.configure(self.settings.checks, self._drills.issuers)

    async def _run(self, check: Check, region: Region) -> None:
        self._began = True
        place = _place_of(check, region)
        probe = self._probes.get(place)
        if probe is None:  # left the configuration a moment ago
            return
        drilled = self._drills.overlap(check.issuer.name)
        result = await run_once(probe, check, region.name, self.redact, self.clock)
        result = await judged(result, region, self.settings.references)
        if place in self._probes:  # under another URL the issuer is another provider, which has nothing to do with it
            await self._publish(result, drilled)

    async def _publish(self, result: ProbeResult, drilled: Callable[[], bool]) -> None:
        failure = result.failure
        if failure is not None:
            level = logging.ERROR if failure.reason is Reason.PROBE_ERROR else logging.WARNING
            log.log(
                level,
                "%s from %s failed at %s: %s: %s (run %s)",
                *(result.check.name, result.region, failure.stage, failure.reason, failure.detail, result.run_id),
            )
            if result.artifacts:
                await asyncio.to_thread(self._artifacts.publish, result)
        drill = drilled()
        self._exporter.publish(result, drill=drill)
        self._history.add(result, drill)
        for publish in (self.book.publish, *self.publish_also):
            publish(result)

    def _view(self) -> View:
        return View(
            book=self.book,
            registry=self.registry,
            reload=self.reload,
            ready=lambda: self._began,
            drill=self._drills.ask,
            drills=self._drills.ends,
            artifacts=self._artifacts,
            next_run=self._schedule.next_run,
            now=self.clock,
            version=__version__,
        )

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[None]] = set()

        def reload() -> None:
            task = loop.create_task(_quietly(self.reload()))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        handlers = {signal.SIGTERM: self.stop, signal.SIGINT: self.stop, signal.SIGHUP: reload}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    async def _shut_down(self, server: uvicorn.Server, pages: asyncio.Task[None]) -> None:
        self.stop()  # also when the time is over: no reload any more
        drain = self.settings.agent.drain
        cancelled = await self._schedule.drain(drain)
        if cancelled:
            log.warning("%d runs had not ended after %g s and were cancelled", cancelled, drain)
        self._drills.close()
        await self._workshop.close()
        await asyncio.to_thread(self._history.close)
        await asyncio.to_thread(self._ledgers.close)
        server.should_exit = True
        await asyncio.wait({pages}, timeout=drain)
        pages.cancel()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the agent drains first and ends the server last."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _place_of(check: Check, region: Region) -> tuple[str, str, str]:
    return (check.name, region.name, check.issuer.url)


async def _quietly(reload: Awaitable[None]) -> None:
    with contextlib.suppress(ReloadError):  # logged, and shown by a metric
        await reload


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise OSError(
            f"cannot listen on {host}:{port}: {error.strerror}; another agent, or change agent.listen"
        ) from error
    return listener


def _shown(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
