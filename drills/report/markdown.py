"""The report as Markdown, for wikis, pull requests and chats: the same words and tables, without pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from drills.record import Record
from drills.report.clean import clean
from drills.report.content import content

# Whatever could begin markup, wherever it stands: texts come from providers, libraries and Alertmanager.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#&!])")
_LINE_START = re.compile(r"^(\d+)([.)](?:\s|$))|^([-+=])")


def markdown(record: Record, earlier: Sequence[Record] = ()) -> str:
    """The text; `earlier` as in `drills.report.html`."""
    record = clean(record)
    environment = Environment(
        loader=PackageLoader("drills.report"),
        autoescape=False,  # noqa: S701 - this is no HTML: every text of the template goes through a filter below
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(text=text, code=code, target=target)
    return environment.get_template("report.md.j2").render(c=content(record, tuple(map(clean, earlier))), record=record)


def text(words: str) -> str:
    """The words as they are read, on one line, in a table as well."""
    escaped = _SPECIAL.sub(r"\\\1", " ".join(words.split()))
    return _LINE_START.sub(lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", escaped)


def code(words: str) -> str:
    """Somebody else's words to the letter, on one line, in a table as well."""
    words = " ".join(words.split()) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", words)), default=0) + 1)
    space = " " if "`" in (words[0], words[-1]) else ""
    return f"{fence}{space}{words}{space}{fence}".replace("|", r"\|")


def target(url: str) -> str:
    """A link's target, which no letter of it ends early."""
    return re.sub(r"[\s()<>\\|]", lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode()), url)
