"""Puts probes together from what the settings say: HTTP clients, the browser, secrets, memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from oidcwatch.settings import Settings
from probes.http import HttpClient, make_http
from probes.memory import Memory
from probes.model import Check
from probes.probe import Clock, Probe, utc_now
from probes.redact import Redactor
from probes.registry import PROBES, Resources
from probes.secrets import Secrets, secrets_from
from probes.subjects import Region, SecretRef

if TYPE_CHECKING:
    from probes.browser import BrowserPool
    from probes.browser_events import BrowserObserver


@dataclass(slots=True)
class Workshop:
    """Builds probes for checks and keeps what they share. Must be closed, for the browser's sake."""

    settings: Settings
    redact: Redactor
    observer: BrowserObserver | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    clock: Clock = utc_now
    memory: Memory = field(default_factory=Memory)
    _clients: dict[tuple[Path | None, str | None], HttpClient] = field(default_factory=dict)
    _browsers: BrowserPool | None = None

    def probe(self, check: Check, region: Region) -> Probe:
        """The probe that runs this check from this region. Raises OSError when its authorities cannot be read."""
        resources = Resources(
            http=self._http(check.issuer.ca_file, region.proxy),
            secrets=self._secrets(),
            memory=self.memory.of(check.issuer),
            region=region,
            redact=self.redact,
            clock=self.clock,
            browsers=self._pool,
        )
        return PROBES[check.probe].build(resources)

    def renewed(self, settings: Settings) -> Workshop:
        """For other settings: the same browser and memory. Authorities are read anew."""
        return replace(self, settings=settings, _clients={})

    def forget(self) -> None:
        """Drops what the memory holds of issuers that are not in the settings, or there under another URL."""
        self.memory.keep_only(self.settings.issuers)

    async def close(self) -> None:
        """Ends the browser, if there is one."""
        if self._browsers is not None:
            await self._browsers.close()
            self._browsers = None

    def _http(self, ca_file: Path | None, proxy: str | None) -> HttpClient:
        place = (ca_file, proxy)
        if place not in self._clients:
            self._clients[place] = make_http(ca_file, proxy, self.clock)
        return self._clients[place]

    def _secrets(self) -> Secrets:
        read = secrets_from(self.environ)

        async def learned(ref: SecretRef) -> str:
            value = await read(ref)
            self.redact.learn((value,))
            return value

        return learned

    def _pool(self) -> BrowserPool:
        if self._browsers is None:
            from oidcwatch.browsers import make_pool

            self._browsers = make_pool(self.settings, self.observer)
        return self._browsers


def authorities(settings: Settings) -> frozenset[Path]:
    """The private authorities that some issuer is verified with."""
    return frozenset(issuer.ca_file for issuer in settings.issuers if issuer.ca_file)
