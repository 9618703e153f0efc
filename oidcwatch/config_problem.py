"""What is wrong with a configuration and where: values that loader, rules and commands share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from probes.redact import Redactor

Loc = tuple[str | int, ...]
"""The way to a value: keys and indexes from the top of the document."""

# Below these keys nothing that a person wrote is repeated: it may be the secret itself in the wrong place.
SECRET_KEYS = frozenset({"secret", "password", "totp", "value"})  # `value` is what a login step types
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. `line` and `column` count from 1; both are 0 when the whole file is meant."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds every mistake, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def path_of(loc: Loc) -> str:
    """`issuers[0].clients[1].auth.method`, cut after the first key that holds a secret."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
        if part in SECRET_KEYS:
            break
    return text


def is_secret(loc: Loc) -> bool:
    """Whether what was written here may be a secret: never repeat it."""
    return not SECRET_KEYS.isdisjoint(loc)


def found(value: object) -> str:
    """What was found, in words fit for a message: short, and without anything that has the form of a secret."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            text = Redactor()(value)
            return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case _:
            return "a mapping"


def kind_of(value: object) -> str:
    """What was found where a mapping or list belongs. Text is not repeated: `auth: hunter2` holds a secret."""
    match value:
        case str():
            return "text"
        case bool() | int() | float():
            return "a single value"
        case _:
            return found(value)


def closest(word: str, allowed: Iterable[str]) -> str:
    """` (did you mean 'every'?)`, or nothing when no allowed word is near."""
    near = get_close_matches(word, list(allowed), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
