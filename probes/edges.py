"""Asks each address of the key set's host for the key set: one name may stand for edges that do not agree."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import httpx

from probes.classify import classify
from probes.documents import problem_of_answer
from probes.http import Http
from probes.keys import require_keys
from probes.model import ProbeFailure, Reason

MOST_ADDRESSES = 8
_SECONDS = 2.0  # for the name, and for each address: they must not cost the run
_OUT_OF_REACH = (Reason.CONNECT_FAILURE, Reason.TIMEOUT)


@dataclass(frozen=True, slots=True)
class EdgeSample:
    """What one address answered. `problem` says why that is no key set, and then there are no thumbprints."""

    address: str
    thumbprints: frozenset[str] = frozenset()
    problem: str = ""
    reached: bool = True
    """Somebody answered there, if only with an error."""

    @property
    def family(self) -> str:
        """`IPv4` or `IPv6`."""
        return f"IPv{ipaddress.ip_address(self.address).version}"


async def ask_each_address(http: Http, url: str) -> tuple[EdgeSample, ...]:
    """A sample from each address; none when there is only one, or when a proxy chooses it.

    Name, certificate and Host are the URL's. A family out of reach as a whole is left out: a host without IPv6 is no
    finding about the provider.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            addresses = _chosen(await http.addresses(url))
    except TimeoutError:  # the key set itself has just been fetched; a slow name server is another check's
        return ()
    if len(addresses) < 2:
        return ()
    asked = await asyncio.gather(*(_sample(http, url, address) for address in addresses))
    samples = [sample for sample in asked if sample is not None]
    families = {sample.family for sample in samples if sample.reached}
    return tuple(sample for sample in samples if sample.family in families)


async def _sample(http: Http, url: str, address: str) -> EdgeSample | None:
    """None when it could not be asked, which is our own network's matter."""
    try:
        async with asyncio.timeout(_SECONDS):
            response = await http("GET", url, address=address)
        problem = problem_of_answer(response)
        if problem:
            return EdgeSample(address, problem=problem[1])
        return EdgeSample(address, require_keys(response.body).thumbprints)
    except (ProbeFailure, httpx.HTTPError, TimeoutError, OSError) as error:
        failure = classify(error)
    if failure.reason is Reason.PROBE_ERROR:
        return None
    why = f"no answer within {_SECONDS:g} s" if failure.reason is Reason.TIMEOUT else failure.detail
    return EdgeSample(address, problem=why, reached=failure.reason not in _OUT_OF_REACH)


def _chosen(addresses: Sequence[str]) -> tuple[str, ...]:
    """As many as may be asked, of both families in turn."""
    families = [[each for each in addresses if ipaddress.ip_address(each).version == version] for version in (4, 6)]
    return tuple(each for pair in zip_longest(*families) for each in pair if each)[:MOST_ADDRESSES]
