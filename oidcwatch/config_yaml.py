"""Reads one YAML file into plain data and remembers the line and column of everything in it.

Only the core schema of YAML 1.2 is understood, so that `country: NO` is Norway and `1:30` is text; no tag makes an object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from oidcwatch.config_problem import Loc, Problem, is_secret, path_of

MAX_BYTES = 1024 * 1024
MAX_VALUES = 50_000
"""Values in one file after aliases are expanded: nine nested aliases of nine make a billion."""
MAX_DEPTH = 32

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Document:
    """One file: its data, and for every path in it the (line, column), counted from 1, of the key or list item."""

    file: str
    data: Mapping[str, object]
    marks: Mapping[Loc, tuple[int, int]]


class _Loader(yaml.SafeLoader):
    """Composes nodes only (nothing is constructed by PyYAML), to a bounded depth."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's own class attribute, replaced so that YAML 1.1 guesses nothing

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            # PyYAML recurses: refuse here, before Python's own limit is met in the middle of it.
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # types-PyYAML says nothing
            raise yaml.MarkedYAMLError(problem=f"values are nested deeper than {MAX_DEPTH} levels", problem_mark=mark)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


_Loader.add_implicit_resolver(_TAG + "bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_TAG + "int", re.compile(r"^[-+]?[0-9]{1,18}$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _TAG + "float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+)$"),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver(_TAG + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])

_SCALARS: Mapping[str, Callable[[str], object]] = MappingProxyType(
    {
        _TAG + "str": str,
        _TAG + "int": int,
        _TAG + "float": float,
        _TAG + "bool": lambda text: text.lower() == "true",
        _TAG + "null": lambda _: None,
    }
)


def read_document(path: Path, shown_as: str) -> tuple[Document | None, list[Problem]]:
    """The file's data, or None when it cannot be read at all; and what is wrong with it."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [Problem(shown_as, 0, 0, "", f"cannot be read: {error.strerror}")]
    if len(raw) > MAX_BYTES:
        return None, [Problem(shown_as, 0, 0, "", f"is larger than {MAX_BYTES} bytes; split it into conf.d/*.yaml")]
    try:
        return parse_document(raw.decode("utf-8-sig"), shown_as)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return None, [Problem(shown_as, line, 1, "", "is not UTF-8")]


def parse_document(text: str, shown_as: str) -> tuple[Document | None, list[Problem]]:
    """As `read_document`, for text."""
    try:
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        return None, [Problem(shown_as, line, column, "", f"is not valid YAML: {_syntax(error)}")]
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        return None, [Problem(shown_as, line, 1, "", "is not valid YAML: a character that is not printable")]
    walk = _Walk(shown_as)
    try:
        data = walk.value(root, ()) if root is not None else {}
    except _TooMuchError:
        return None, [Problem(shown_as, 0, 0, "", f"has more than {MAX_VALUES} values after its aliases are expanded")]
    if not isinstance(data, dict):
        return None, [Problem(shown_as, 1, 1, "", "must be a mapping with keys such as issuers, region, agent")]
    return Document(shown_as, data, walk.marks), walk.problems


def _syntax(error: yaml.MarkedYAMLError) -> str:
    """PyYAML's words without what it quotes from the file: the quote may be a secret with a wrong first character."""
    words = ", ".join(filter(None, (error.context, error.problem)))
    return re.sub(r"(['\"])(?!<)(?:(?!\1).){2,}\1", "(text not shown)", words)


class _TooMuchError(Exception):
    """The file has more values than any configuration needs."""


@dataclass(slots=True)
class _Walk:
    """Turns nodes into data, noting positions and mistakes as it goes."""

    file: str
    marks: dict[Loc, tuple[int, int]] = field(default_factory=lambda: {(): (1, 1)})
    problems: list[Problem] = field(default_factory=list)
    _values: int = 0
    _open: list[Node] = field(default_factory=list)

    def value(self, node: Node, loc: Loc) -> object:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _TooMuchError
        if node in self._open:
            self._add(node, loc, "an alias must not contain itself")
            return None
        self._open.append(node)
        try:
            return self._value(node, loc)
        finally:
            self._open.pop()

    def _value(self, node: Node, loc: Loc) -> object:
        if isinstance(node, MappingNode) and node.tag == _TAG + "map":
            return self._mapping(node, loc)
        if isinstance(node, SequenceNode) and node.tag == _TAG + "seq":
            items = []
            for index, item in enumerate(node.value):
                self._mark(item, (*loc, index))
                items.append(self.value(item, (*loc, index)))
            return items
        if isinstance(node, ScalarNode) and node.tag in _SCALARS:
            try:
                return _SCALARS[node.tag](node.value)
            except ValueError:
                self._add(node, loc, f"is not what its tag !!{node.tag.removeprefix(_TAG)} says")
                return None
        self._add(node, loc, "YAML tags are not supported; quote text that starts with an exclamation mark")
        return None

    def _mapping(self, node: MappingNode, loc: Loc) -> dict[str, object]:
        data: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.tag != _TAG + "str":
                self._add(key_node, loc, "keys must be text; quote this one if it is meant as text")
                continue
            key = key_node.value
            at = (*loc, key)
            if key in data:
                line, column = self.marks[at]
                named = "a key" if is_secret(loc) else f"key {key!r}"
                self._add(key_node, at, f"{named} is given twice; first at line {line}, column {column}")
                continue
            self._mark(key_node, at)
            data[key] = self.value(value_node, at)
        return data

    def _mark(self, node: Node, loc: Loc) -> None:
        self.marks[loc] = (node.start_mark.line + 1, node.start_mark.column + 1)

    def _add(self, node: Node, loc: Loc, message: str) -> None:
        mark = node.start_mark
        self.problems.append(Problem(self.file, mark.line + 1, mark.column + 1, path_of(loc), message))
