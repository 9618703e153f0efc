"""`python -m drills.canaries`: build the canaries of other languages, so that drills can start them."""

from __future__ import annotations

import os
import sys

from drills.canaries.builds import build_all
from drills.canaries.failures import CanaryFailed


def main() -> int:
    """The exit code: 0 when all are built, 1 with the reason on standard error when one is not."""
    try:
        build_all(os.environ, lambda line: print(line, flush=True))
    except CanaryFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
