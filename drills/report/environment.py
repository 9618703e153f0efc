"""Loads the templates of reports, which are compiled once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


@cache
def html_template() -> Template:
    """Of the page; every text in it is escaped."""
    return _environment(autoescape=True).get_template("report.html.j2")


@cache
def markdown_template(*filters: Callable[[str], str]) -> Template:
    """Of the text, which escapes by these filters, under their names."""
    environment = _environment(autoescape=False)
    environment.filters.update({each.__name__: each for each in filters})
    return environment.get_template("report.md.j2")


def _environment(*, autoescape: bool) -> Environment:
    return Environment(
        loader=PackageLoader("drills.report"),
        autoescape=autoescape,  # noqa: S701 - Markdown has filters of its own
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
