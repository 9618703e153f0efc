"""What a check of a key set costs, against blackbox_exporter fetching the same URL."""

from __future__ import annotations

from benchmarks.blackbox import started_blackbox
from benchmarks.figures import Figure, Goal, alternate, ratio, round_ratios, summary
from benchmarks.ours import started_worker
from benchmarks.provider import JWKS_CHECK, started_provider

_GOAL = Goal(1.5)
_BLOCK = 250  # over 400 ms of CPU: clock ticks of 10 ms are then a matter of a percent or two
_ROUNDS, _QUICK_ROUNDS = 8, 2


def measure(*, quick: bool) -> Figure:
    """CPU of our JWKS check, all its findings included, over that of a plain fetch by blackbox_exporter.

    Both open a new TCP and TLS connection each time and trust the same authority. Raises BenchmarkError.
    """
    with (
        started_provider() as bench,
        started_worker(bench.config(), JWKS_CHECK, bench.peer.environ) as ours,
        started_blackbox(f"{bench.peer.issuer}/jwks", bench.ca_file, bench.folder) as theirs,
    ):
        sides = {"oidcwatch": (ours, _BLOCK), "blackbox_exporter": (theirs, _BLOCK)}
        blocks = alternate(sides, _QUICK_ROUNDS if quick else _ROUNDS)
    mine, peers = blocks["oidcwatch"], blocks["blackbox_exporter"]
    return Figure(
        "jwks_cpu_ratio",
        ratio(mine, peers),
        _GOAL,
        {
            "measured": "CPU seconds of a JWKS check by oidcwatch over those of a fetch by blackbox_exporter",
            "ratios_of_rounds": round_ratios(mine, peers),
            **{name: summary(made) for name, made in blocks.items()},
        },
    )
