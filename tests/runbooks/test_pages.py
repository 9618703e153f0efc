"""The site: two pages to the letter, links that lead somewhere, nothing taken for markup, no growth with issuers."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from pathlib import Path

import pytest

from alerts.catalogue import alerts_of
from alerts.deployment import Deployment
from probes.reasons import ROWS
from runbooks.content import code, link, plain
from runbooks.facts import Subject
from runbooks.render import Renderer, html, markdown
from runbooks.site import CHECKS, alert_page, pages_of

GOLDEN = Path(__file__).parent / "golden"


class _Links(HTMLParser):
    """Collects where a page leads and what can be led to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.ids: set[str] = set()
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.add(value)
            if name == "id" and value:
                self.ids.add(value)


@pytest.fixture(scope="module")
def site(deploy: Callable[..., Deployment]) -> Mapping[str, str]:
    """Every file for a small deployment."""
    return pages_of(deploy())


@pytest.mark.parametrize("name", ["burn", "cause"])
@pytest.mark.parametrize("suffix", ["html", "md"])
def test_a_page_is_written_as_in_the_golden_file(request: pytest.FixtureRequest, name: str, suffix: str) -> None:
    """After a wanted change: OIDCWATCH_WRITE_GOLDEN=1 pytest tests/runbooks, and review the difference."""
    subject: Subject = request.getfixturevalue(name)
    golden, page = GOLDEN / f"{subject.alert.name}.{suffix}", alert_page(subject)

    written = Renderer().html(page) if suffix == "html" else Renderer().markdown(page)

    if os.environ.get("OIDCWATCH_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(written, encoding="utf-8")
    assert written == golden.read_text(encoding="utf-8")


def test_every_alert_and_every_reason_has_a_page_in_both_forms(
    site: Mapping[str, str], deploy: Callable[..., Deployment]
) -> None:
    names = [alert.name for alert in alerts_of(deploy())] + [row.runbook for row in ROWS]

    assert [name for name in names if f"{name}.html" not in site or f"{name}.md" not in site] == []


def test_every_link_inside_the_site_leads_to_a_page_and_to_an_anchor_that_is_there(site: Mapping[str, str]) -> None:
    pages = {name: _Links(text) for name, text in site.items() if name.endswith(".html")}

    dead = [
        f"{name}: {target}"
        for name, page in pages.items()
        for target in page.targets
        if not target.startswith(("http://", "https://"))
        if (target.partition("#")[0] or name) not in pages
        or (target.partition("#")[2] or "") not in pages[target.partition("#")[0] or name].ids | {""}
    ]

    assert dead == []


def test_every_link_between_markdown_pages_leads_to_one(site: Mapping[str, str]) -> None:
    texts = {
        name: re.sub(r"```.*?```", "", text, flags=re.DOTALL) for name, text in site.items() if name.endswith(".md")
    }

    dead = [
        f"{name}: {target}"
        for name, text in texts.items()
        for target in re.findall(r"\]\(([^)\s]+)\)", text)
        if not target.startswith(("http://", "https://")) and target.partition("#")[0] not in site
    ]

    assert dead == []


def test_every_page_can_be_reached_from_the_index(site: Mapping[str, str]) -> None:
    listed = _Links(site["index.html"]).targets

    assert {name for name in site if name.endswith(".html")} == listed | {"index.html"}


def test_a_reasons_page_has_its_anchor_and_leads_back_to_alerts(site: Mapping[str, str]) -> None:
    page = _Links(site["key-03.html"])

    assert "key-03" in page.ids
    assert any(target.startswith("Oidc") for target in page.targets)


def test_only_the_index_has_a_script_and_no_page_loads_anything(site: Mapping[str, str]) -> None:
    pages = {name: _Links(text) for name, text in site.items() if name.endswith(".html")}

    assert {name for name, page in pages.items() if "script" in page.tags} == {"index.html"}
    assert {tag for page in pages.values() for tag in page.tags} & {"img", "link", "iframe", "object"} == set()


def test_the_same_deployment_gives_the_same_files(site: Mapping[str, str], deploy: Callable[..., Deployment]) -> None:
    assert pages_of(deploy()) == site


def test_pages_do_not_grow_with_issuers(site: Mapping[str, str], deploy: Callable[..., Deployment]) -> None:
    large = pages_of(deploy(issuers=200, clients=5))

    grown = [name for name in site if name != "deployment.html" and name != "deployment.md"
             if len(large[name]) > 2 * len(site[name])]  # fmt: skip

    assert set(large) == set(site)
    assert grown == []
    assert "acme-199" in large["deployment.html"]


def test_checks_are_there_for_machines(site: Mapping[str, str]) -> None:
    checks = json.loads(site[CHECKS])["alerts"]["OidcLoginSuccessBurnFast"]

    assert checks["page"] == "OidcLoginSuccessBurnFast.html"
    assert {check["kind"] for check in checks["checks"]} >= {"promql", "http", "probe", "clock"}
    assert all(check["name"] and check["expect"] for check in checks["checks"])


def test_an_owners_name_is_text_wherever_it_stands(deploy: Callable[..., Deployment]) -> None:
    nasty = "<script>alert(1)</script> [x](javascript:alert(2)) `|"

    pages = pages_of(deploy(owner=nasty))

    assert "<script>alert" not in "".join(text for name, text in pages.items() if name.endswith(".html"))
    assert "javascript:" not in "".join(
        target for name, text in pages.items() if name.endswith(".html") for target in _Links(text).targets
    )
    assert "<script>alert" not in pages["deployment.md"].replace("\\<", "")


@pytest.mark.parametrize(
    ("text", "as_html", "as_markdown"),
    [
        ("a `b<c` & d", "a <code>b&lt;c</code> &amp; d", "a `b<c` & d"),
        ("[t](page:net-01#owner)", '<a href="net-01.html#owner">t</a>', "[t](net-01.md#owner)"),
        (
            "[t](https://a.example/?b=1&c)",
            '<a href="https://a.example/?b=1&amp;c">t</a>',
            "[t](https://a.example/?b=1&c)",
        ),
        ("[t](javascript:x)", "[t](javascript:x)", "[t](javascript:x)"),
        ("a|b * <i> snake_case _x_", "a|b * &lt;i&gt; snake_case _x_", r"a\|b \* \<i> snake_case \_x\_"),
    ],
)
def test_inline_markup(text: str, as_html: str, as_markdown: str) -> None:
    assert str(html(text)) == as_html
    assert markdown(text) == as_markdown


def test_facts_become_no_markup() -> None:
    assert plain("`a` [b](c)") == "'a' (b)(c)"
    assert code("a`b") == "`a'b`"
    assert link("javascript:x", "t") == "t"
    assert link("https://a.example/ (b)", "t") == "t"
