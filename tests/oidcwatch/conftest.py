"""What the tests of the program share: a command that ran in this process leaves its logging as it was."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator

import pytest

from probes.redact import RedactingFilter


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, hook = logging.getLogger(), sys.excepthook
    level = root.level
    yield
    for handler in root.handlers[:]:
        if any(isinstance(each, RedactingFilter) for each in handler.filters):
            root.removeHandler(handler)
    root.setLevel(level)
    sys.excepthook = hook
