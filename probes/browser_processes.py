"""Reads from /proc how much memory a process and its descendants hold."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PROC = Path("/proc")


def tree(pid: int, proc: Path = _PROC) -> list[int]:
    """The process and all its descendants, as far as they are alive (proc(5), /proc/PID/task/TID/children)."""
    found = [pid]
    for parent in found:
        try:
            for task in (proc / str(parent) / "task").iterdir():
                found.extend(int(child) for child in (task / "children").read_text().split())
        except OSError:
            continue  # it ended while we looked
    return found


def rss_bytes(pid: int, proc: Path = _PROC) -> int:
    """Resident memory of the process tree in bytes; pages that several of its processes share count in each.

    Zero when the process is gone or there is no /proc.
    """
    total = 0
    for member in tree(pid, proc):
        try:
            total += int((proc / str(member) / "statm").read_text().split()[1]) * _PAGE
        except OSError:
            continue
    return total
