"""Versions of Prometheus that rule files can be written for; imports nothing, so that the help of a command is quick."""

from __future__ import annotations

from enum import StrEnum


class PrometheusVersion(StrEnum):
    """Which fields rule files may have."""

    DEBIAN = "2.42"  # no group labels, no query_offset, no fuzzy_compare in unit tests
    THREE = "3"
