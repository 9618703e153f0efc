"""The few pieces of Markdown that the generated pages are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def code(text: object) -> str:
    """Inline code; empty for nothing."""
    return f"`{text}`" if str(text) else ""


def codes(texts: Iterable[object]) -> str:
    """A list of inline code."""
    return ", ".join(code(text) for text in texts)


def link(text: str, target: str) -> str:
    """A link to a path, an anchor or both."""
    return f"[{text}]({target})"


def anchor_of(name: str) -> str:
    """The anchor of an entry: the same from every page."""
    return name.lower().replace(" ", "-")


def anchor(name: str) -> str:
    """The place that `anchor_of` leads to. Explicit, since each site derives another one from a heading."""
    return f'<a id="{anchor_of(name)}"></a>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table and the empty line after it; nothing when there are no rows."""
    lines = [_row(row) for row in rows]
    if lines:
        yield _row(header)
        yield _row(["---"] * len(header))
        yield from lines
        yield ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
