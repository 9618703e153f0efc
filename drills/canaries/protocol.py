"""The canary's side of the protocol, for those written in Python: a token a line comes in, a verdict a line goes out.

The first line out is `{"ready": true, "library", "version"}`. Then each line in, `{"id", "token"}`, is answered by
`{"id", "ok", "error", "seconds"}`. The process ends when its input does. No line ever holds a token or a part of one.
"""

from __future__ import annotations

import argparse
import json
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
"""What these verifiers accept (RFC 8725 §3.1 wants it said); libraries with a narrower default keep theirs."""

Verify = Callable[[str], object]
"""Returns for a token that it accepts, raises for one that it does not."""

_MOST_CHARACTERS = 200
_SHORTEST_PART = 6  # a shorter part of a token is no secret, and would hide ordinary words


@dataclass(frozen=True, slots=True)
class Target:
    """What the canary was started for."""

    issuer: str
    jwks_uri: str
    audience: str
    ca_file: Path | None
    settings: Mapping[str, Any]
    """The library's own options by their own names."""

    def tls(self) -> ssl.SSLContext:
        """Trusts the given CA, or what the system trusts."""
        return ssl.create_default_context(cafile=self.ca_file)


def target_of_arguments() -> Target:
    """From the command line; ends the process with a usage message when it is wrong."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("--issuer", "--jwks-uri", "--audience"):
        parser.add_argument(name, required=True)
    parser.add_argument("--ca-file", type=Path)
    parser.add_argument("--settings", type=json.loads, default={})
    return Target(**vars(parser.parse_args()))


def serve(library: str, verify: Verify, library_version: str = "") -> None:
    """Answer until the end of the input."""
    _say({"ready": True, "library": library, "version": library_version or version(library)})
    for line in sys.stdin:
        question = json.loads(line)
        _say({"id": question["id"], **_judge(verify, question["token"])})


def _judge(verify: Verify, token: str) -> dict[str, Any]:
    started = time.monotonic()
    try:
        verify(token)
        error = ""
    except Exception as refused:  # noqa: BLE001 - whatever a library raises is a refusal
        error = without_token(f"{type(refused).__name__}: {refused}", token)
    return {"ok": not error, "error": error, "seconds": time.monotonic() - started}


def without_token(message: str, token: str) -> str:
    """The message, short and without any part of the token that it may quote."""
    for part in (token, *token.split(".")):
        if len(part) >= _SHORTEST_PART:
            message = message.replace(part, "[token]")
    return message[:_MOST_CHARACTERS]


def _say(line: Mapping[str, Any]) -> None:
    print(json.dumps(line), flush=True)
