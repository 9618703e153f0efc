"""Renders pages as HTML and as Markdown from the same content, with Jinja2."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from runbooks.content import Page

# Code in backticks first: a link's text or target never spans it.
_INLINE = re.compile(r"`([^`]+)`|\[([^\]]*)\]\(((?:page:|https?://)[^)\s]*)\)")
# An underscore within a word is none of Markdown's business.
_SPECIAL = re.compile(r"([\\<|*]|(?<![^\W_])_|_(?![^\W_]))")


def html(text: str) -> Markup:
    """The inline markup as HTML; all else is escaped."""
    parts, end = [], 0
    for found in _INLINE.finditer(text):
        parts += [escape(text[end : found.start()]), _html_of(found)]
        end = found.end()
    return Markup("").join((*parts, escape(text[end:])))


def _html_of(found: re.Match[str]) -> Markup:
    if found[1]:
        return Markup("<code>{}</code>").format(found[1])
    return Markup('<a href="{}">{}</a>').format(_target(found[3], ".html"), found[2])


def markdown(text: str) -> str:
    """The inline markup as Markdown; all else stays as it is read."""
    parts, end = [], 0
    for found in _INLINE.finditer(text):
        plain = text[end : found.start()]
        parts += [_SPECIAL.sub(r"\\\1", plain)]
        parts += [found[0].replace("|", r"\|") if found[1] else f"[{found[2]}]({_target(found[3], '.md')})"]
        end = found.end()
    return "".join((*parts, _SPECIAL.sub(r"\\\1", text[end:])))


def _target(target: str, suffix: str) -> str:
    if not target.startswith("page:"):
        return target
    name, mark, anchor = target.removeprefix("page:").partition("#")
    return f"{name}{suffix}{mark}{anchor}"


def fence(text: str) -> str:
    """A fence that is longer than any run of backticks in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)


@dataclass(frozen=True)
class Renderer:
    """The templates, loaded once for all pages."""

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=PackageLoader("runbooks"),
            autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        # Pages share most of their sentences; what is the same is rendered once.
        cached = {"html": lru_cache(maxsize=None)(html), "markdown": lru_cache(maxsize=None)(markdown)}
        environment.filters.update(cached, fence=fence, json=_json)
        return environment

    def html(self, page: Page) -> str:
        """A page that needs no other file."""
        return self._environment.get_template("page.html.j2").render(page=page)

    def markdown(self, page: Page) -> str:
        """The same for wikis and terminals."""
        return self._environment.get_template("page.md.j2").render(page=page)

    def index_html(self, groups: Sequence[tuple[str, Sequence[Page]]]) -> str:
        """The list of all pages, with a search that works offline; without JavaScript the list is all there is."""
        script = self._environment.get_template("search.js").render().strip()
        # The page may run this script and no other, and may load nothing from anywhere.
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        template = self._environment.get_template("index.html.j2")
        return template.render(groups=groups, script=Markup(script), digest=digest)  # noqa: S704 - our own file

    def index_markdown(self, groups: Sequence[tuple[str, Sequence[Page]]]) -> str:
        """The list of all pages."""
        return self._environment.get_template("index.md.j2").render(groups=groups)


def _json(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
