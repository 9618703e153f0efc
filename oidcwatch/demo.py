"""The demonstration: a sandbox provider, an agent with three regions, and the configuration that joins them."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from oidcwatch.config import load_both
from oidcwatch.generation import deployment_of
from oidcwatch.sandbox_config import PLACES, REGIONS, Pace, issuer_document
from oidcwatch.stack_monitoring import Addresses, Binaries, alerting_document, choose_addresses, start_monitoring
from oidcwatch.stack_receiver import start_receiver
from probes.model import ProbeResult, Reason
from runbooks.site import pages_of
from sandbox.egress import start_http_proxy, start_socks_proxy
from sandbox.launch import Sandbox, start_sandbox
from sandbox.peers.process import choose_port

_PACE = Pace(discovery="5s", jwks="5s", client_credentials="10s", login="15s", refresh="20s")
_SCRAPE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Demo:
    """Where the demonstration lives. `environ` holds the secrets that the configuration refers to."""

    config: Path
    sandbox: Sandbox
    environ: Mapping[str, str] = field(repr=False)
    monitoring: Addresses | None = None
    """Where Prometheus, Alertmanager and the receiver listen, when they were wanted."""


@contextmanager
def demo_parts(port: int, binaries: Binaries | None = None) -> Iterator[Demo]:
    """Sandbox, one HTTP and one SOCKS proxy, and a configuration file, for the length of the block.

    With `binaries`, Prometheus and Alertmanager are started too; they may not be ready yet. Raises
    sandbox.launch.SandboxError, and ImportError when the `sandbox` extra is not installed.
    """
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="oidcwatch-demo-")))
        sandbox = parts.enter_context(start_sandbox())
        receiver = parts.enter_context(start_receiver())
        addresses = choose_addresses(receiver.url) if binaries else None
        port = port or choose_port(0)  # Prometheus must know it before the agent has it
        own, over_http, over_socks = REGIONS
        proxies = {
            over_http: parts.enter_context(start_http_proxy()),
            over_socks: parts.enter_context(start_socks_proxy()),
        }
        document: dict[str, Any] = {
            "region": {"name": own, **PLACES[own]},
            "egress": [{"region": region, "proxy": proxy, **PLACES[region]} for region, proxy in proxies.items()],
            "agent": {"listen": f"127.0.0.1:{port}", "data_dir": str(folder / "data"), "start_spread": "5s"},
            "issuers": [issuer_document(sandbox, _PACE)],
            **({"alerting": alerting_document(addresses)} if addresses else {}),
        }
        config = folder / "oidcwatch.yaml"
        config.write_text(yaml.safe_dump(document, sort_keys=False))
        if addresses and binaries:
            deployment = deployment_of(load_both(config, sandbox.environ))
            receiver.serve_runbooks(lambda: pages_of(deployment))
            monitoring = start_monitoring(
                folder, deployment, addresses, {"demo": f"127.0.0.1:{port}"},
                binaries=binaries, environ=os.environ, scrape=_SCRAPE,
            )  # fmt: skip
            parts.enter_context(monitoring)
        yield Demo(config, sandbox, sandbox.environ, addresses)


@dataclass(slots=True)
class Tally:
    """Counts results by check and region, for the demonstration's summary."""

    results: dict[tuple[str, str], list[ProbeResult]] = field(default_factory=dict)

    def publish(self, result: ProbeResult) -> None:
        """Counts one result."""
        self.results.setdefault((result.check.name, result.region), []).append(result)

    def summary(self) -> list[dict[str, Any]]:
        """One row for each check and region. p50 and p95 in seconds, over all runs; null without any."""
        return [_row(check, region, results) for (check, region), results in sorted(self.results.items())]


def _row(check: str, region: str, results: list[ProbeResult]) -> dict[str, Any]:
    last: Reason | None = next((result.failure.reason for result in reversed(results) if result.failure), None)
    seconds = sorted(result.seconds for result in results)
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else seconds * 99
    return {
        "check": check,
        "region": region,
        "runs": len(results),
        "successes": sum(result.ok for result in results),
        "last_reason": last,
        "p50": round(cuts[49], 4),
        "p95": round(cuts[94], 4),
    }
