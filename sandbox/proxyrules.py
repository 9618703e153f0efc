"""Rules of the fault proxy: which requests go wrong, how, and how often; read from untrusted JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from sandbox.http1 import Request
from sandbox.proxykinds import KINDS

_RULE_MEMBERS = ("path", "method", "kind", "times", "every")


class BadRuleError(ValueError):
    """A rule is not valid; the message names the place and what is allowed."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. The first that matches a request decides what happens to it."""

    path: re.Pattern[str]
    """Searched for in the path, without the query."""
    kind: str
    """A key of `sandbox.proxykinds.KINDS`."""
    method: str = ""
    """Empty for every method."""
    times: int | None = None
    """How often it still strikes; None means always."""
    every: int = 1
    """It strikes the first of that many requests, and lets the others pass."""
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def matches(self, request: Request) -> bool:
        return self.times != 0 and self.method in ("", request.method) and bool(self.path.search(request.path))

    def as_json(self) -> dict[str, Any]:
        """As it could be sent again."""
        shown: dict[str, Any] = {"path": self.path.pattern, "kind": self.kind, "times": self.times}
        every = {"every": self.every} if self.every > 1 else {}
        return {**shown, **({"method": self.method} if self.method else {}), **every, **self.params}


def parse_rules(document: Any) -> list[Rule]:
    """Rules from `{"rules": [{"path": "^/token$", "kind": "status", "times": 2, "status": 429, ...}]}`.

    Raises BadRuleError.
    """
    rows = document.get("rules") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise BadRuleError("expected an object with a list `rules`")
    return [_parse(row, f"rules[{place}]") for place, row in enumerate(rows)]


def _parse(row: Any, where: str) -> Rule:
    if not isinstance(row, dict) or row.get("kind") not in KINDS:
        raise BadRuleError(f"{where}.kind: expected one of {', '.join(sorted(KINDS))}")
    kind = KINDS[row["kind"]]
    params = {name: row[name] for name in row if name not in _RULE_MEMBERS}
    for name, value in params.items():
        if name not in kind.defaults or not _same_type(value, kind.defaults[name]):
            raise BadRuleError(
                f"{where}.{name}: expected one of {', '.join(kind.defaults) or 'no parameter'}, typed alike"
            )
    times = row.get("times")
    if times is not None and (type(times) is not int or times < 1):
        raise BadRuleError(f"{where}.times: expected a number from 1, or null")
    every = row.get("every", 1)
    if type(every) is not int or every < 1:
        raise BadRuleError(f"{where}.every: expected a number from 1")
    if not isinstance(row.get("path", ""), str) or not isinstance(row.get("method", ""), str):
        raise BadRuleError(f"{where}: path and method are strings")
    try:
        path = re.compile(row.get("path", ""))
    except re.error as error:
        raise BadRuleError(f"{where}.path: not a regular expression: {error}") from error
    return Rule(
        path, row["kind"], row.get("method", "").upper(), times, every, MappingProxyType({**kind.defaults, **params})
    )


def _same_type(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, int | float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


class RuleBook:
    """The rules in force; belongs to the event loop of one proxy."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._matched: Counter[int] = Counter()

    @property
    def rules(self) -> Sequence[Rule]:
        return tuple(self._rules)

    @property
    def refuses_connections(self) -> bool:
        return any(rule.kind == "refuse" for rule in self._rules)

    def replace(self, rules: Sequence[Rule]) -> None:
        self._rules = list(rules)
        self._matched.clear()

    def take(self, request: Request) -> Rule | None:
        """The rule for this request, counted down."""
        for place, rule in enumerate(self._rules):
            if rule.matches(request):
                self._matched[place] += 1
                if (self._matched[place] - 1) % rule.every:
                    continue
                if rule.times is not None:
                    self._rules[place] = replace(rule, times=rule.times - 1)
                return rule
        return None
