"""What a page is made of: sections of paragraphs, lists, commands and tables, rendered as HTML and as Markdown alike.

Texts may have `code` in backticks and [links](target). A target is `page:NAME`, `page:NAME#section`, or an http(s) URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph. `strong` is what a tired reader must see first."""

    kind: ClassVar[str] = "paragraph"
    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Points:
    """A list; `ordered` when the order matters."""

    kind: ClassVar[str] = "points"
    items: tuple[str, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """Something to type or to read as it is, and what it is expected to show."""

    kind: ClassVar[str] = "command"
    text: str
    language: str = "sh"
    expect: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts under their heads."""

    kind: ClassVar[str] = "table"
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """Begins a part of a section."""

    kind: ClassVar[str] = "heading"
    text: str


Block = Paragraph | Points | Command | Table | Heading


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page with a title and an anchor."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `name` is its file without suffix; `facts` stand above the text and, for machines, in front of it."""

    name: str
    title: str
    summary: str
    """One sentence for the index; it is searched too."""
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    words: str = ""
    """More words under which the page is found."""


def plain(text: str) -> str:
    """A fact of the deployment as text: nothing in it is taken for code or a link."""
    return text.translate({ord("`"): "'", ord("["): "(", ord("]"): ")"})


def code(text: str) -> str:
    """A fact of the deployment as it is typed."""
    return f"`{text.replace('`', chr(39))}`"


def to(page: str, text: str = "") -> str:
    """A link to a page of the site."""
    return f"[{plain(text or page)}](page:{page})"


def link(url: str, text: str) -> str:
    """A link out of the site; the bare text when there is nowhere to go."""
    safe = url.startswith(("https://", "http://")) and not set(url) & set(" ()<>\"'`")
    return f"[{plain(text)}]({url})" if safe else plain(text)
