"""CPU time of whole process trees, as the kernel counted it."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from probes.browser_processes import tree

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
"""Resolution of /proc/PID/stat: 100 on nearly every Linux, so a reading is up to 10 ms low for each process."""

_PR_SET_CHILD_SUBREAPER = 36
_UTIME, _CSTIME = 11, 15  # counted from the state, which follows the name's closing parenthesis (proc(5))


def tree_cpu_seconds(pid: int, proc: Path = Path("/proc")) -> float:
    """User and system seconds of a process and all its descendants.

    The ones that have ended count when their parent waited for them (cutime and cstime in proc(5)). Zero when the
    process is gone. Call `adopt_orphans` in the process itself, so that nothing is lost when a parent in between ends.
    """
    ticks = 0
    for member in tree(pid, proc):
        try:
            stat = (proc / str(member) / "stat").read_text()
        except OSError:
            continue  # it ended while we looked
        fields = stat.rpartition(")")[2].split()
        ticks += sum(int(field) for field in fields[_UTIME:_CSTIME])
    return ticks / TICKS_PER_SECOND


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ends (prctl(2), PR_SET_CHILD_SUBREAPER).

    Chromium's zygotes outlive the browser by a moment and would take the CPU time of every renderer with them.
    Raises OSError when the kernel refuses.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
