"""Asks each address of the key set's host for the key set: one name may stand for edges that do not agree."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import httpx

from probes.documents import problem_of_answer
from probes.http import Http
from probes.keys import require_keys
from probes.model import ProbeFailure

MOST_ADDRESSES = 8
_SECONDS = 2.0  # for the name, and for each address: they must not cost the run


@dataclass(frozen=True, slots=True)
class EdgeSample:
    """What one address answered. `problem` says why that is no key set, and then there are no thumbprints."""

    address: str
    thumbprints: frozenset[str] = frozenset()
    problem: str = ""

    @property
    def family(self) -> str:
        """`IPv4` or `IPv6`."""
        return f"IPv{ipaddress.ip_address(self.address).version}"


async def ask_each_address(http: Http, url: str) -> tuple[EdgeSample, ...]:
    """A sample from each address that can be reached; none when there is only one, or when a proxy chooses it.

    Name, certificate and Host are the URL's. An address out of reach is left out: a host without IPv6 is no finding
    about the provider.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            addresses = _chosen(await http.addresses(url))
    except TimeoutError:  # the key set itself has just been fetched; a slow name server is another check's
        return ()
    if len(addresses) < 2:
        return ()
    samples = await asyncio.gather(*(_sample(http, url, address) for address in addresses))
    return tuple(sample for sample in samples if sample is not None)


async def _sample(http: Http, url: str, address: str) -> EdgeSample | None:
    try:
        async with asyncio.timeout(_SECONDS):
            response = await http("GET", url, address=address)
        problem = problem_of_answer(response)
        if problem:
            return EdgeSample(address, problem=problem[1])
        return EdgeSample(address, require_keys(response.body).thumbprints)
    except ProbeFailure as failure:
        return EdgeSample(address, problem=failure.detail)
    except (httpx.HTTPError, TimeoutError, OSError):
        return None


def _chosen(addresses: Sequence[str]) -> tuple[str, ...]:
    """As many as may be asked, of both families in turn."""
    families = [[each for each in addresses if ipaddress.ip_address(each).version == version] for version in (4, 6)]
    return tuple(each for pair in zip_longest(*families) for each in pair if each)[:MOST_ADDRESSES]
