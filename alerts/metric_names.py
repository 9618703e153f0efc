"""Finds the names of metrics in PromQL, so that a rule or panel that reads a series which nobody writes is noticed."""

from __future__ import annotations

import re

# What is no name: strings, label matchers, ranges, the label lists of modifiers, template variables of Grafana.
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_BRACES = re.compile(r"\{[^{}]*\}")
_RANGES = re.compile(r"\[[^\[\]]*\]")
_LISTS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_VARIABLES = re.compile(r"\$\{[^}]*\}|\$\w+")
_NAME = re.compile(r"(?<![\w:.])[A-Za-z_:][\w:]*(?!\s*\()(?![\w:])")
_WORDS = frozenset(
    [
        "and",
        "or",
        "unless",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "bool",
        "offset",
        "inf",
        "nan",
        "start",
        "end",
        "atan2",
    ]
)


def metric_names(promql: str) -> frozenset[str]:
    """Names of the series that the expression reads. It must be valid: promtool is who says so."""
    text = _STRINGS.sub('""', promql)
    for what in (_VARIABLES, _BRACES, _RANGES, _LISTS):
        text = what.sub(" ", text)
    return frozenset(name for name in _NAME.findall(text) if name.lower() not in _WORDS)
