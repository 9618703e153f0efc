"""Tells a broken provider from a broken network of our own, before a result is published."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from probes.model import Failure, ProbeResult, Reason, Stage
from probes.subjects import Region

_SUSPICIOUS = frozenset({Reason.DNS_FAILURE, Reason.CONNECT_FAILURE, Reason.TIMEOUT})
_SECONDS = 2.0
_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}

Place = tuple[str, int]


async def judged(result: ProbeResult, region: Region, references: Sequence[Place]) -> ProbeResult:
    """The result; with probe_error in place of a network failure when this vantage point itself is cut off.

    Cut off means: the region's proxy does not take connections, or none of the references does. A proxy that dies under
    a run can cut an answer short anywhere, so behind a dead one no failure is evidence, whatever it looks like. Without
    a proxy and references nothing is known, and the result stands.
    """
    failure = result.failure
    proxy = _proxy_place(region)
    if failure is None or (failure.reason not in _SUSPICIOUS and not proxy):
        return result
    places = [proxy] if proxy else list(references)
    if not places or any(await asyncio.gather(*(_answers(place) for place in places))):
        return result
    what = "the region's proxy does" if proxy else f"none of {len(places)} reference hosts does"
    detail = f"our own network: {what} not take connections; the run saw {failure.reason} at {failure.stage}"
    return replace(result, failure=Failure(Reason.PROBE_ERROR, Stage.PROBE, detail))


def _proxy_place(region: Region) -> Place | None:
    if not region.proxy:
        return None
    parts = urlsplit(region.proxy)
    return (parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme, 80))


async def _answers(place: Place) -> bool:
    host, port = place
    try:
        async with asyncio.timeout(_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True
