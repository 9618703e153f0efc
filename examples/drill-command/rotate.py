#!/usr/bin/env python3
"""Drives a provider for `oidcwatch drill`: the example drives the embedded one, whose control API is an argument.

    drill:
      client: machine
      provider:
        type: command
        command: [./rotate.py, "http://127.0.0.1:9000"]
        can: [announce, activate, rotate, replace, remove]
        environment: {ADMIN_TOKEN: {env: ADMIN_TOKEN}}    # where the API wants one; an argument could be read by others

The action is added as the last argument, the rest comes as JSON on standard input; `snapshot` prints what the others need to
undo everything. It ends with 0 only when the provider has done what it was told.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import urllib.request
from typing import Any

ALG = "RS256"
MODES = {"announce": "announce", "activate": "activate", "rotate": "overlap", "replace": "abrupt"}


def call(method: str, body: Any = None) -> dict[str, Any]:
    """The keys of the algorithm after the call: by thumbprint, and their kids."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("ADMIN_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"{sys.argv[1]}/keys", data, headers, method=method)  # noqa: S310 - the operator's own URL
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
        keys: dict[str, Any] = json.load(answer)["algorithms"][ALG]
    now: dict[str, Any] = keys["thumbprints"]
    return {**now, "kids": dict(zip(now["published"], keys["published"], strict=True))}


def place(active: str, published: list[str]) -> None:
    """Which key signs, and which ones are shown."""
    call("PUT", {"alg": ALG, "active": active, "published": published})


def main(action: str, given: dict[str, Any]) -> None:
    """Everything may be asked for again, and then changes nothing."""
    now = call("GET")
    if action == "snapshot":
        # Keys of the drill have a name of their own: by the time that they are removed there may be newer ones.
        print(json.dumps({**now, "mark": f"drill-{secrets.token_hex(4)}"}))
        return
    old = given["before"]
    ours = [key for key in now["published"] if now["kids"][key].startswith(old["mark"])]
    if action in MODES:
        if not (ours if action == "announce" else now["active"] != old["active"]):
            call("POST", {"mode": MODES[action], "alg": ALG, "kid": f"{old['mark']}-{action}"})
    elif action == "remove" or (action == "clean" and given["keep_new"]):
        place(now["active"], [key for key in now["published"] if key != old["active"]])
    elif action == "clean":
        place(now["active"], [key for key in now["published"] if key not in ours])
    elif action == "restore":
        place(old["active"], [*old["published"], *(key for key in now["published"] if key not in old["published"])])
    else:
        sys.exit(f"cannot do {action}")


if __name__ == "__main__":
    main(sys.argv[-1], json.load(sys.stdin))
