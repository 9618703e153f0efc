"""`python -m benchmarks.counted COMMAND...`: runs a command and prints what it and everything it started cost."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict

from benchmarks.cpu import adopt_orphans
from benchmarks.figures import Block


def main(command: list[str]) -> int:
    """One JSON line with the fields of a Block on standard output; what the command says goes to standard error."""
    adopt_orphans()
    begun = time.monotonic()
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    wall = time.monotonic() - begun
    _wait_for_orphans()
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(json.dumps(asdict(Block(1, spent.ru_utime + spent.ru_stime, wall))))
    return done.returncode


def _wait_for_orphans() -> None:
    """Only the waited-for are in RUSAGE_CHILDREN (getrusage(2))."""
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
