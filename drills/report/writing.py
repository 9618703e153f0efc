"""Writes a drill's report into its folder: HTML, Markdown and the record as JSON."""

from __future__ import annotations

import json
import os
import tempfile
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
    """As readable as the user's other files are (umask), which a temporary file is not by itself."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        new.chmod(0o644)
        new.replace(file)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
