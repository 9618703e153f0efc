"""Makes the browser pool from the settings; apart, so that an agent without browser checks never loads Playwright."""

from __future__ import annotations

from oidcwatch.resources import authorities
from oidcwatch.settings import Settings
from probes.browser import BrowserPool, PoolOptions
from probes.browser_events import BrowserObserver
from probes.browser_launch import LaunchOptions

_MIB = 1024 * 1024


def make_pool(settings: Settings, observer: BrowserObserver | None) -> BrowserPool:
    """One browser for all checks, trusting the authorities of every issuer."""
    limits = settings.agent.browser
    options = PoolOptions(
        launch=LaunchOptions(executable=limits.executable, no_sandbox=limits.no_sandbox),
        ca_files=tuple(sorted(authorities(settings))),
        max_contexts=limits.max_contexts,
        max_age=limits.max_age,
        max_runs=limits.max_runs,
        max_rss=limits.max_rss_mib * _MIB,
    )
    return BrowserPool(options, observer)
