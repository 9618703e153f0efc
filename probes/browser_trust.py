"""Makes Chromium trust private certificate authorities: an NSS database in a home directory of its own."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from probes.model import ProbeFailure, Reason

_SECONDS = 20.0
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
INSTALL_CERTUTIL = "apt-get install libnss3-tools"


async def trust(home: Path, ca_files: Sequence[Path]) -> None:
    """Fill `home/.pki/nssdb`, which Chromium on Linux reads beside its built-in roots, with every certificate found.

    Raises ProbeFailure(probe_error) when a file cannot be read, holds no certificate, or certutil is missing.
    """
    certificates = [found for path in ca_files for found in _certificates(path)]
    if not certificates:
        return
    if shutil.which("certutil") is None:
        raise ProbeFailure(
            Reason.PROBE_ERROR, f"a private CA is configured but certutil is missing; install it: {INSTALL_CERTUTIL}"
        )
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True, exist_ok=True)
    store = f"sql:{database}"
    await _certutil("-d", store, "-N", "--empty-password")
    for number, certificate in enumerate(dict.fromkeys(certificates)):
        await _certutil("-d", store, "-A", "-t", "C,,", "-n", f"oidcwatch-{number}", stdin=certificate)


def _certificates(path: Path) -> list[bytes]:
    try:
        found = _PEM.findall(path.read_bytes())
    except OSError as error:
        raise ProbeFailure(Reason.PROBE_ERROR, f"CA file {path}: {error.strerror}") from error
    if not found:
        raise ProbeFailure(Reason.PROBE_ERROR, f"CA file {path} holds no PEM certificate")
    return [bytes(one) + b"\n" for one in found]


async def _certutil(*arguments: str, stdin: bytes = b"") -> None:
    """In a thread: under load certutil may end before uvloop has written to its standard input, which raises there."""
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            ["certutil", *arguments],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeFailure(Reason.PROBE_ERROR, f"certutil did not end within {_SECONDS:g} s") from error
    except OSError as error:
        raise ProbeFailure(Reason.PROBE_ERROR, f"certutil: {error.strerror}") from error
    if done.returncode:
        said = done.stdout.decode("utf-8", "replace").strip()[:200]
        raise ProbeFailure(Reason.PROBE_ERROR, f"certutil refused a CA certificate: {said}")
