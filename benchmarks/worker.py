"""`python -m benchmarks.worker CONFIG CHECK`: a warm oidcwatch that runs one check as often as it is told to.

Each line on standard input is a number of runs; the answer on standard output is one JSON line when they are over.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from benchmarks.cpu import adopt_orphans
from oidcwatch.config import load
from oidcwatch.loop import run_loop
from oidcwatch.once import chosen
from oidcwatch.resources import Workshop
from probes.redact import Redactor
from probes.run import run_once


async def serve(config: Path, check_name: str) -> None:
    """Answers until standard input ends. A failed run ends the program with what it failed with."""
    settings = load(config, os.environ)
    redact = Redactor()
    workshop = Workshop(settings, redact)
    ((check, region),) = chosen(settings, [check_name])
    probe = workshop.probe(check, region)
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            begun = time.monotonic()
            for _ in range(int(line)):
                result = await run_once(probe, check, region.name, redact)
                if result.failure is not None:
                    raise SystemExit(f"{check.name}: {result.failure}")
            print(json.dumps({"wall": time.monotonic() - begun}), flush=True)
    finally:
        await workshop.close()


if __name__ == "__main__":
    adopt_orphans()
    run_loop(serve(Path(sys.argv[1]), sys.argv[2]))
