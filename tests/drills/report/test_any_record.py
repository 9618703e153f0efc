"""Whatever a record holds, a report of it can be written, and nothing in it is taken for markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from drills.record import Record, from_json, to_json
from drills.report.clean import clean
from drills.report.html import html
from drills.report.markdown import markdown

_HTML_TAGS = (
    "html head meta title style body main header section footer h1 h2 h3 p div ul ol li span b small a dl dt dd figure "
    "figcaption i table thead tbody tr th td code"
)
_SVG_TAGS = "svg text line rect polygon polyline circle"  # `title` is in both
_TAGS = frozenset(f"{_HTML_TAGS} {_SVG_TAGS}".split())
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate)  # making a failing record small would take minutes
_QUOTED = "  - in its own words: "
_CODE = re.compile(r"(`+)(?!`)((?!(?<!`)\1(?!`)).)*(?<!`)\1")


class _Markup(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.problems: list[str] = []
        self.depth: list[str] = []
        self.feed(text)
        self.problems += self.depth

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.problems.append(f"<{tag}>")
        if tag != "meta":
            self.depth.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (
                name in ("href", "src") and not (value or "").startswith(("http://", "https://"))
            ):
                self.problems.append(f"{name}={value}")

    def handle_endtag(self, tag: str) -> None:
        if not self.depth or self.depth.pop() != tag:
            self.problems.append(f"</{tag}>")


@settings(
    max_examples=30,
    deadline=None,
    phases=_PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_any_record_becomes_a_page_that_holds_no_markup_but_its_own(
    any_record: Callable[[], st.SearchStrategy[Record]], data: st.DataObject
) -> None:
    record = data.draw(any_record())

    page = html(record, (record,))

    page.encode("utf-8")
    assert _Markup(page).problems == []


@settings(
    max_examples=30,
    deadline=None,
    phases=_PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_any_record_becomes_markdown_whose_tables_hold_together(
    any_record: Callable[[], st.SearchStrategy[Record]], data: st.DataObject
) -> None:
    written = markdown(data.draw(any_record()))

    lines = [line for line in written.split("\n") if not line.startswith(_QUOTED)]
    quoted = [line.removeprefix(_QUOTED) for line in written.split("\n") if line.startswith(_QUOTED)]
    assert [line for line in quoted if not _CODE.fullmatch(line)] == []
    assert [line for line in lines if re.search(r"(?<!\\)<|(?<!\\)\]\((?!https?:)", line)] == []
    widths = [_bars(line) if line.startswith("|") else 0 for line in lines]
    assert [
        line
        for line, here, above in zip(lines[1:], widths[1:], widths, strict=False)
        if here and above not in (0, here)
    ] == []


def _bars(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line.replace(r"\\", "")))


@settings(
    max_examples=20,
    deadline=None,
    phases=_PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_any_clean_record_is_the_same_after_it_was_written_and_read(
    any_record: Callable[[], st.SearchStrategy[Record]], data: st.DataObject
) -> None:
    record = clean(data.draw(any_record()))

    read = from_json(json.loads(json.dumps(to_json(record))))

    assert read == record
    assert clean(record) == record
