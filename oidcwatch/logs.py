"""Sets up logging: one handler, redacted, as text or as one JSON object a line."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from functools import partial
from types import TracebackType

import typer

from oidcwatch.settings import LogSettings
from probes.redact import RedactingFilter, Redactor

_CHATTY = ("httpcore", "httpx", "asyncio", "playwright", "uvicorn", "apscheduler", "werkzeug")
"""Libraries whose debug output holds whole requests with their headers: they never get below `info`."""


class JsonFormatter(logging.Formatter):
    """One object a line: ts (UTC, RFC 3339), level, logger, message, and error when there is a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        entry = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_text:
            entry["error"] = record.exc_text
        return json.dumps(entry, ensure_ascii=False)


def set_up_logging(redact: Redactor, level: str, as_json: bool = False) -> None:
    """Replaces the root logger's handlers by one on standard error that redacts every record."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RedactingFilter(redact))
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if as_json else plain)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    for name in ("apscheduler", "httpx", "uvicorn"):  # one line a run or a request; "Started server process"
        logging.getLogger(name).setLevel(logging.WARNING)


def redactor_for(context: typer.Context, log: LogSettings | None = None) -> Redactor:
    """The command's one redactor, with logging and crash reports behind it.

    `--log-level` goes before the configuration.
    """
    redact = Redactor()
    level = context.obj if isinstance(context.obj, str) else None
    set_up_logging(redact, level or (log.level if log else "warning"), as_json=log.json if log else False)
    sys.excepthook = partial(_report_crash, redact)
    return redact


def _report_crash(
    redact: Redactor, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """In place of Python's own last words, which quote the messages of the errors as they are."""
    sys.stderr.write(redact("".join(traceback.format_exception(kind, error, trace))))
