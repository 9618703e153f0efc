"""The report as Markdown, for wikis, pull requests and chats: the same words and tables, without pictures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from drills.record import Record
from drills.report.clean import clean
from drills.report.content import content
from drills.report.environment import markdown_template

# Whatever could begin markup, wherever it stands: texts come from providers, libraries and Alertmanager.
# An underscore within a word is none of Markdown's business.
_SPECIAL = re.compile(r"([\\`*{}\[\]<>|~#&]|(?<![^\W_])_|_(?![^\W_]))")
_LINE_START = re.compile(r"^(\d+)([.)](?:\s|$))|^([-+=])")


def markdown(record: Record, earlier: Sequence[Record] = ()) -> str:
    """The text; `earlier` as in `drills.report.html`."""
    record = clean(record)
    shown = content(record, tuple(map(clean, earlier)))
    return markdown_template(text, code, target).render(c=shown, record=record)


def text(words: str) -> str:
    """The words as they are read, on one line, in a table as well."""
    escaped = _SPECIAL.sub(r"\\\1", " ".join(words.split()))
    return _LINE_START.sub(lambda found: f"{found[1] or ''}\\{found[2] or found[3]}", escaped)


def code(words: str) -> str:
    """Somebody else's words to the letter, on one line; not for tables, whose cells end at a bar even so."""
    words = " ".join(words.split()) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", words)), default=0) + 1)
    space = " " if "`" in (words[0], words[-1]) else ""
    return f"{fence}{space}{words}{space}{fence}"


def target(url: str) -> str:
    """A link's target, which no letter of it ends early."""
    return re.sub(r"[\s()<>\\|]", lambda found: "".join(f"%{octet:02X}" for octet in found[0].encode()), url)
