"""Elements of SVG pictures, escaped, and how wide a text is about to be."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

# Shares of the font's size, a little above those of the widest usual sans-serif: a label may end early, never late.
_NARROW, _USUAL, _WIDE = 0.38, 0.62, 0.98
_NARROW_LETTERS = frozenset("iljtfrI.,:;'|!()[]/ ")
_WIDE_LETTERS = frozenset("mwMW@%—→")
_ASCII = 128


def element(name: str, *body: Markup | str, **attributes: object) -> Markup:
    """`<name attributes>body</name>`; `_` in an attribute's name stands for `-`, one at its end is dropped."""
    pairs = (Markup(' {}="{}"').format(_name(key), _value(value)) for key, value in attributes.items())
    return Markup("<{0}{1}>{2}</{0}>").format(name, Markup("").join(pairs), Markup("").join(body))


def picture(width: float, height: float, said: str, body: Iterable[Markup]) -> Markup:
    """A whole picture, drawn for this width in CSS pixels; `said` is what it shows, for those who do not see it."""
    box = f"0 0 {_value(width)} {_value(height)}"
    return element("svg", *body, viewBox=box, width=width, height=height, role="img", aria_label=said)


def text(x: float, y: float, words: str, class_: str = "", anchor: str = "start") -> Markup:
    """A line of text with its baseline at `y`."""
    return element("text", words, x=x, y=y, class_=class_ or "label", text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def box(x: float, y: float, width: float, height: float, class_: str, said: str = "") -> Markup:
    """A rectangle; `said` is its tooltip."""
    return element("rect", *_title(said), x=x, y=y, width=max(width, 0.0), height=height, class_=class_)


def shape(points: Iterable[tuple[float, float]], class_: str, said: str = "") -> Markup:
    """A closed shape."""
    return element("polygon", *_title(said), points=_points(points), class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """An open line through the points."""
    return element("polyline", points=_points(points), class_=class_)


def dot(x: float, y: float, radius: float, class_: str, said: str = "") -> Markup:
    """A circle."""
    return element("circle", *_title(said), cx=x, cy=y, r=radius, class_=class_)


def width_of(words: str, size: float = 12.0) -> float:
    """About how many pixels a text takes at a font size, rather more than less."""
    return size * sum(map(_letter, words))


def cut(words: str, width: float, size: float = 12.0) -> str:
    """The text, or as much of it as fits."""
    words = " ".join(words.split())
    if width_of(words, size) <= width:
        return words
    left = width - width_of("…", size)
    for end, letter in enumerate(words):
        left -= size * _letter(letter)
        if left < 0:
            return f"{words[:end].rstrip()}…"
    return words


def _letter(letter: str) -> float:
    if letter in _NARROW_LETTERS:
        return _NARROW
    return _WIDE if letter in _WIDE_LETTERS or ord(letter) >= _ASCII else _USUAL


def _title(said: str) -> tuple[Markup, ...]:
    return (element("title", said),) if said else ()


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_value(x)},{_value(y)}" for x, y in points)


def _name(key: str) -> str:
    return key.removesuffix("_").replace("_", "-")


def _value(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
