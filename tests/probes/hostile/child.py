"""Runs probes against the issuers given on standard input, and prints how each run ended and how the process has grown.

A program of its own, so that its peak memory is that of the probes alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from probes.http import Http, make_http
from probes.memory import Memory
from probes.model import Check
from probes.probe import utc_now
from probes.redact import Redactor
from probes.registry import PROBES, Resources
from probes.run import run_once
from probes.subjects import AuthMethod, Client, Issuer, Policy, Region, SecretRef

CLIENT = Client("machine", "machine", auth_method=AuthMethod.NONE, scopes=("orders",), audience="orders")


async def _no_secret(ref: SecretRef) -> NoReturn:
    raise AssertionError("a public client has none")


def _no_browser() -> NoReturn:
    raise AssertionError("these kinds need no browser")


def peak() -> int:
    """The largest resident set so far in KiB. Not ru_maxrss: that begins with the size of whoever started us."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


async def run(given: Mapping[str, Any], http: Http, redact: Redactor, memory: Memory) -> dict[str, object]:
    """One run, as a line for the test to read."""
    kind = PROBES[given["probe"]]
    issuer = Issuer(given["issuer"], given["issuer"], policy=Policy(allow_http=True))
    check = Check(issuer, kind.name, client=CLIENT if kind.of == "client" else None, timeout=given["seconds"])
    use = Resources(http, _no_secret, memory, Region("eu"), redact, utc_now, _no_browser)
    result = await run_once(kind.build(use), check, "eu", redact)
    return {
        "id": given["id"],
        "reason": result.failure.reason if result.failure else None,
        "stage": result.failure.stage if result.failure else None,
        "detail": result.failure.detail if result.failure else "",
        "seconds": result.seconds,
        "findings": [finding.check_id for finding in result.findings],
        "peak": peak(),
    }


async def main() -> None:
    """The quick runs one after the other, those that use up their time side by side. The memory is one agent's."""
    runs = json.load(sys.stdin)
    http, redact, memory = make_http(), Redactor(), Memory()
    for given in runs:
        if not given["slow"]:
            print(json.dumps(await run(given, http, redact, memory)), flush=True)
    slow = [run(given, http, redact, memory) for given in runs if given["slow"]]
    for outcome in await asyncio.gather(*slow):
        print(json.dumps(outcome), flush=True)


asyncio.run(main())
