"""The command `python -m sandbox`: start a sandbox, print its addresses as one JSON line, run until told to stop."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence

from sandbox.faultproxy import LOOPBACK
from sandbox.server import Options, running


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line. Exits with 2 when it is wrong, or when it would expose the sandbox unasked."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON (the default is indented)")
    parser.add_argument("--port", type=int, default=0, help="the issuer's port (default: a free one)")
    parser.add_argument("--tls", action="store_true", help="serve the issuer over https with a private CA")
    parser.add_argument("--proxy", action=argparse.BooleanOptionalAction, default=True, help="the fault proxy in front")
    parser.add_argument("--bind", default=LOOPBACK, help="the issuer's address")
    parser.add_argument("--host", default="", help="the name in the issuer's URL (default: the address)")
    parser.add_argument("--until-eof", action="store_true", help="end too when standard input ends")
    parser.add_argument("--i-know-this-is-insecure", action="store_true", help="allow a --bind other than loopback")
    options = parser.parse_args(arguments)
    if not _is_loopback(options.bind) and not options.i_know_this_is_insecure:
        parser.error(f"--bind {options.bind}: not a loopback address; this needs --i-know-this-is-insecure as well")
    return options


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main(arguments: Sequence[str]) -> int:
    """Run until SIGTERM or SIGINT, or with `--until-eof` the end of standard input; each ends it with 0."""
    options = parse(arguments)
    stop = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, stop)  # inherited by every thread, so that sigwait is the one to see them
    if options.until_eof:
        # Whoever started us holds the other end of the pipe, and lets go of it even when it is killed.
        threading.Thread(target=_end_with_input, daemon=True).start()
    with running(Options(options.bind, options.host, options.port, options.tls, options.proxy)) as description:
        print(json.dumps(description, indent=None if options.json else 2), flush=True)
        signal.sigwait(stop)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
