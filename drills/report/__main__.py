"""`python -m drills.report REPORT.JSON`: writes the report of a stored drill again, with `--png FILE` a picture of it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from drills.history import read_record, records
from drills.report.writing import write_report

_WRONG = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes beside the file, or into `--out`; drills in the folders next to it are the history. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m drills.report", description=__doc__)
    parser.add_argument("report", type=Path, help="report.json of a drill")
    parser.add_argument("--out", type=Path, help="folder for report.html, report.md and report.json; beside the file")
    parser.add_argument("--png", type=Path, help="write a picture of the upper part as well; needs Chromium")
    asked = parser.parse_args(arguments)
    try:
        record = read_record(asked.report)
        folder = asked.report.resolve().parent
        page = write_report(record, asked.out or folder, records(folder.parent, _complain))
        if asked.png:
            _shoot(page, asked.png)
    except (OSError, ValueError) as error:
        _complain(str(error))
        return _WRONG
    print(page)
    return 0


def _shoot(page: Path, png: Path) -> None:
    from drills.report.screenshot import NoPicture, shoot  # a browser is loaded for a picture only

    try:
        shoot(page, png)
    except NoPicture as error:
        raise ValueError(f"{png} was not written: {error}") from error


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
