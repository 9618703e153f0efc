"""Takes out of a record what must not be in a report: secrets by their form, and characters that are no text."""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from typing import Any

from drills.record import Record
from probes.redact import Redactor

# Controls but for tab and line feed, half surrogates, what turns the direction of text, and non-characters: none of
# them is part of what a library or a provider has to say, and some are not allowed in HTML or UTF-8.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


def clean(record: Record) -> Record:
    """The record as it may be written. Doing it twice changes nothing."""
    cleaned: Record = _cleaned(record, Redactor())
    return cleaned


def _cleaned(value: Any, redact: Redactor) -> Any:
    match value:
        case Enum():
            return value
        case str():
            return redact(_NO_TEXT.sub("\ufffd", value))
        case tuple():
            return tuple(_cleaned(item, redact) for item in value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return dataclasses.replace(value, **{name: _cleaned(item, redact) for name, item in fields.items()})
        case _:
            return value
