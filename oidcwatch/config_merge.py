"""Joins the main file and conf.d/*.yaml into one tree that still knows which file and line each value came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from oidcwatch.config_problem import Loc, Problem, path_of
from oidcwatch.config_yaml import Document

JOINED = frozenset({"issuers", "slos", "egress", "other_regions"})
"""Top-level lists that every file may add to. Everything else is set once."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written: `loc` is its path inside its own file."""

    file: str
    line: int
    column: int
    loc: Loc

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Tree:
    """The joined data and where each part of it was written."""

    data: dict[str, object]
    origins: dict[Loc, Origin]

    def origin(self, loc: Loc) -> Origin:
        """Where this was written; for something absent, where it would have to be."""
        for length in range(len(loc), -1, -1):
            nearest = self.origins.get(loc[:length])
            if nearest:
                return Origin(nearest.file, nearest.line, nearest.column, (*nearest.loc, *loc[length:]))
        raise LookupError("a tree has a root")

    def problem(self, loc: Loc, message: str) -> Problem:
        """A mistake at this path, with the path as it is in its own file."""
        origin = self.origin(loc)
        return Problem(origin.file, origin.line, origin.column, path_of(origin.loc), message)


@dataclass(slots=True)
class _Merge:
    data: dict[str, object] = field(default_factory=dict)
    origins: dict[Loc, Origin] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def add(self, document: Document) -> None:
        offsets = {key: len(present) for key in JOINED if isinstance(present := self.data.get(key), list)}
        self._mapping(self.data, document.data, (), document)
        for loc, (line, column) in document.marks.items():
            at = loc
            if len(loc) > 1 and isinstance(loc[1], int):
                at = (loc[0], loc[1] + offsets.get(str(loc[0]), 0), *loc[2:])
            self.origins.setdefault(at, Origin(document.file, line, column, loc))

    def _mapping(self, into: dict[str, object], data: Mapping[str, object], loc: Loc, document: Document) -> None:
        for key, value in data.items():
            at = (*loc, key)
            present = into.get(key)
            if key not in into:
                into[key] = _copied(value)
            elif not loc and key in JOINED and isinstance(present, list) and isinstance(value, list):
                present.extend(value)
            elif isinstance(present, dict) and isinstance(value, dict):
                self._mapping(present, value, at, document)
            else:
                first = self.origins[at]
                line, column = document.marks[at]
                message = f"is already set at {first}; set it in one file only"
                self.problems.append(Problem(document.file, line, column, path_of(at), message))


def _copied(value: object) -> object:
    """A copy of the containers that a later file may add to: an alias shares them with another place."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return list(value) if isinstance(value, list) else value


def merge(documents: Iterable[Document]) -> tuple[Tree, list[Problem]]:
    """One tree of all files, and every value that is set in two of them (the message names both places)."""
    merged = _Merge()
    for document in documents:
        merged.add(document)
    return Tree(merged.data, merged.origins), merged.problems
