"""What the configuration says of the browser reaches the browser."""

from __future__ import annotations

from pathlib import Path

from oidcwatch.browsers import make_pool
from oidcwatch.config import load

ISSUER = "issuers: [{name: acme, url: https://login.acme.example}]\n"
BROWSER = (
    "agent: {browser: {executable: /opt/chromium, no_sandbox: true, max_contexts: 2, max_age: 1h, max_runs: 7, "
    "max_rss_mib: 100}}\n"
)


def test_every_key_of_the_browser_has_an_effect(tmp_path: Path) -> None:
    path = tmp_path / "oidcwatch.yaml"
    path.write_text(ISSUER + BROWSER)

    options = make_pool(load(path, {}), None)._options

    assert (options.launch.executable, options.launch.no_sandbox) == (Path("/opt/chromium"), True)
    assert (options.max_contexts, options.max_age, options.max_runs) == (2, 3600, 7)
    assert options.max_rss == 100 * 1024 * 1024
