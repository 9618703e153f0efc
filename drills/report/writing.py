"""Writes a drill's report into its folder: HTML, Markdown and the record as JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from drills.history import REPORT
from drills.record import Record, to_json
from drills.report.clean import clean
from drills.report.html import html
from drills.report.markdown import markdown

PAGE, TEXT = "report.html", "report.md"


def write_report(record: Record, folder: Path, earlier: Sequence[Record] = ()) -> Path:
    """Writes the three files, each whole or not at all, and gives the path of the HTML one.

    `earlier` drills of the same scenario and issuer are its trend, others are left out. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data = json.dumps(to_json(clean(record)), indent=2, ensure_ascii=False)
    for name, text in ((PAGE, html(record, earlier)), (TEXT, markdown(record, earlier)), (REPORT, data + "\n")):
        _replace(folder / name, text)
    return folder / PAGE


def _replace(file: Path, text: str) -> None:
    # Not a temporary file of the library's: those are for their owner alone, and a report is as the user's other files.
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
