"""`python guard.py COMMAND ...` runs a command; when standard input ends before it, the whole process group is killed.

Whoever starts the command holds the other end of the pipe, which the kernel closes even when that one is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """The command's exit code; 128 and the signal's number when one ended it, 127 when it cannot be started."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - what our starter was given
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", file=sys.stderr)
        return 127
    for number in (signal.SIGTERM, signal.SIGINT):  # whoever ends us means the command, and waits for its answer
        signal.signal(number, lambda number, _: child.send_signal(number))
    threading.Thread(target=_end_with_input, daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
