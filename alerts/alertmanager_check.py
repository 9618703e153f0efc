"""Asks Alertmanager's own tool whether the generated configuration is valid and sends every alert where it belongs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from alerts.routes import RouteTest
from exporters.slis import Matcher

_SECONDS = 30.0


def config_problems(config: Path, *, amtool: str = "amtool") -> tuple[str, ...]:
    """What `amtool check-config` objects to; also in the templates, which must lie beside the file.

    Raises FileNotFoundError when there is no amtool, and subprocess.TimeoutExpired when it hangs.
    """
    done = _run(amtool, "check-config", str(config))
    return () if done.returncode == 0 else (f"{config.name}: {_said(done)}",)


def route_problems(config: Path, tests: Sequence[RouteTest], *, amtool: str = "amtool") -> tuple[str, ...]:
    """One sentence for every alert that does not reach the receiver that it should.

    Each is asked by itself (`amtool config routes test`, about 20 ms). Raises like `config_problems`.
    """
    return tuple(_route_problems(config, tests, amtool))


def _route_problems(config: Path, tests: Sequence[RouteTest], amtool: str) -> Iterator[str]:
    for test in tests:
        labels = dict(test.labels)
        matchers = (str(Matcher(name, "=", value)) for name, value in test.labels)
        done = _run(amtool, "config", "routes", "test", f"--config.file={config}", *matchers)
        who = f"{labels['alertname']} with drill={labels['drill']}"
        if done.returncode:
            yield f"{who}: {_said(done)}"
        elif (reached := done.stdout.rstrip("\n")) != test.receiver:
            yield f"{who} reaches {reached or 'nobody at all'} instead of {test.receiver}"


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - amtool with a file and labels of ours, and no shell
        command, check=False, capture_output=True, text=True, timeout=_SECONDS
    )


def _said(done: subprocess.CompletedProcess[str]) -> str:
    text = f"{done.stdout}\n{done.stderr}".strip()
    return text or f"amtool ended with {done.returncode}"
