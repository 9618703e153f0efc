"""What happens when the tool that fills the browser's certificate store misbehaves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop

from probes.browser_trust import trust
from probes.model import ProbeFailure, Reason
from sandbox.certificates import write_certificates


def test_a_certutil_that_ends_at_once_is_a_clear_error_on_the_agents_own_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "certutil"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexec <&-\necho no such database\nexit 3\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    ca_file = write_certificates(tmp_path, datetime.now(UTC)).ca_file

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for _ in range(20):
            with pytest.raises(ProbeFailure) as raised:
                runner.run(trust(tmp_path / "home", [ca_file]))

            assert raised.value.reason is Reason.PROBE_ERROR
            assert "no such database" in raised.value.detail
