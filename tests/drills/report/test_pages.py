"""The report in its three forms: to the letter, with everything that a record holds, and with what is missing told."""

from __future__ import annotations

import dataclasses
import os
from datetime import timedelta
from pathlib import Path

import pytest

from drills.record import Alerts, AlertSeen, Point, Record, Times
from drills.report.html import html
from drills.report.markdown import code, markdown, target, text
from drills.report.words import NOTHING
from drills.scenario import Generation, Judge

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize(("suffix", "written_by"), [("html", html), ("md", markdown)])
@pytest.mark.parametrize("name", ["rich", "stillborn"])
def test_a_report_is_written_as_in_the_golden_file(
    request: pytest.FixtureRequest, earlier: tuple[Record, ...], name: str, suffix: str, written_by: object
) -> None:
    """After a wanted change: OIDCWATCH_WRITE_GOLDEN=1 pytest tests/drills/report, and review the difference."""
    golden, record = GOLDEN / f"{name}.{suffix}", request.getfixturevalue(name)
    assert callable(written_by)

    written = written_by(record, earlier)

    if os.environ.get("OIDCWATCH_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(written, encoding="utf-8")
    assert written == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("written_by", [html, markdown])
def test_a_report_says_everything_that_the_record_holds(rich: Record, written_by: object) -> None:
    assert callable(written_by)
    wanted = [
        *rich.because, rich.why, rich.id, *(line.name for line in rich.preflight), *rich.follow_ups, *rich.runbook,
        *(verifier.name for verifier in rich.verifiers), *rich.alerts.expected, *(seen.reason for seen in rich.detected),
        *(finding for seen in rich.detected for finding in seen.findings), *(seen.runbook for seen in rich.alerts.seen),
        *(event.text for event in rich.events),
    ]  # fmt: skip

    written = written_by(rich).replace("&#39;", "'").replace("&#34;", '"')

    assert [words for words in wanted if words not in written] == []


def test_what_did_not_come_says_for_how_long_it_was_waited_for(rich: Record) -> None:
    written = markdown(rich)

    assert (
        "| **static-keys** | real · Python · 1.0.4 | never | no bound | never, within 64.3 s | **never accepts** |"
        in written
    )


def test_without_a_prometheus_the_report_says_that_nobody_looked_at_alerts(rich: Record) -> None:
    blind = dataclasses.replace(rich, alerts=Alerts(), page_seconds=None)

    written = markdown(blind)

    assert "Nobody looked at alerts in this drill" in written
    assert "| Time to page | **not measured in this drill** | nobody looked at alerts |" in written


def test_a_fault_that_no_probe_saw_is_told_with_the_time_in_which_it_could_have_been(rich: Record) -> None:
    unseen = dataclasses.replace(rich, detected=(), detect_seconds=None)

    written = markdown(unseen)

    assert "| Time to detect | **never, within 65 s** |" in written
    assert "No probe saw anything." in written


def test_that_nobody_noticed_is_well_where_no_impact_is_wanted(rich: Record) -> None:
    calm = tuple(dataclasses.replace(v, curve=(), refusals=(), ok=True) for v in rich.verifiers)
    routine = dataclasses.replace(
        rich, judge=Judge.NO_IMPACT, detected=(), detect_seconds=None, page_seconds=None, recover_seconds=None,
        verifiers=calm,
    )  # fmt: skip

    written = markdown(routine)

    assert "| Time to detect | **nothing to detect** |" in written
    assert "| Time to page | **no page, as wanted** |" in written
    assert "| Time to recover | **nothing to recover** | no verifier refused a valid token |" in written


def test_a_drill_that_never_touched_the_provider_claims_no_judgement(stillborn: Record) -> None:
    written = markdown(stillborn)

    assert "as predicted |" not in written.split("## Verifiers")[1].split("## ")[0]
    assert "| Time to recover | **nothing to recover** | the provider was not changed |" in written
    assert "| Verifiers as predicted | **not measured in this drill** |" in written


def test_a_provider_that_was_not_healed_is_told_as_not_recovered(rich: Record) -> None:
    written = markdown(dataclasses.replace(rich, healed=None, recover_seconds=None))

    assert "| Time to recover | **not recovered** |" in written


def test_a_verifier_that_fails_in_another_way_than_predicted_differs(rich: Record) -> None:
    first, *rest = rich.verifiers
    late = dataclasses.replace(
        first, ok=False, said="pyjwt accepted tokens of the new key after 31.0 s, 10.0 s at most"
    )

    written = markdown(dataclasses.replace(rich, verifiers=(late, *rest)))

    assert (
        "- **pyjwt**: Accepted tokens of the new key after 31.0 s, 10.0 s at most. It accepted every token" in written
    )
    assert "| 6.9 s | **differs** |" in written


def test_what_comes_after_a_flush_is_no_part_of_the_measured_time(rich: Record) -> None:
    (last,) = (verifier for verifier in rich.verifiers if verifier.name == "static-keys")
    assert rich.clock_started
    flushed = rich.clock_started + timedelta(seconds=9)

    written = markdown(dataclasses.replace(rich, verifiers=(last,), flushed=flushed))

    assert "| never, within 8.3 s |" in written


@pytest.mark.parametrize(("last_ok", "told"), [(True, False), (False, True)])
def test_a_verifier_that_stays_out_after_the_fault_is_told(rich: Record, last_ok: bool, told: bool) -> None:
    first, *_ = rich.verifiers
    out = dataclasses.replace(first, recovered=None, curve=(*first.curve, Point(200.0, Generation.NEW, last_ok)))

    written = markdown(dataclasses.replace(rich, verifiers=(out,), recover_seconds=None))

    assert ("It was not seen to recover." in written) is told
    assert ("| Time to recover | **not all recovered** | refused to the end: pyjwt |" in written) is told


def test_a_verifier_that_was_not_watched_for_long_enough_is_neither_as_predicted_nor_told_to_be_never(
    rich: Record,
) -> None:
    slow = dataclasses.replace(
        rich.verifiers[-1], name="istio", predicted=Times(accept=1195.0), bounds=Times(accept=1200.0), ok=False,
        watched=False, said="istio had not accepted tokens of the new key within 64 s: not watched for long enough",
    )  # fmt: skip

    written = markdown(dataclasses.replace(rich, verifiers=(*rich.verifiers[:-1], slow)))

    assert "| 19 min 55 s | 20 min | never, within 64.3 s | **not watched for long enough** |" in written
    assert "| Verifiers as predicted | **11 of 12** |" in written


def test_nothing_is_predicted_for_never_before_the_clock_started(stillborn: Record) -> None:
    written = markdown(stillborn)

    assert f"| static-keys | real · Python · 1.0.4 | {NOTHING} | no bound | not measured | not measured |" in written


def test_a_scenario_that_measures_nothing_tells_how_many_answers_were_refusals(rich: Record) -> None:
    (last,) = (verifier for verifier in rich.verifiers if verifier.name == "static-keys")
    watched = dataclasses.replace(last, observed=Times(), predicted=Times(), bounds=Times(), ok=True)

    written = markdown(dataclasses.replace(rich, measure=None, judge=Judge.DETECTED, verifiers=(watched,)))

    assert f"| static-keys | real · Python · 1.0.4 | {NOTHING} | {NOTHING} | 65 of 150 refused | watched |" in written


def test_only_web_addresses_of_runbooks_are_links(rich: Record) -> None:
    seen = AlertSeen("OidcBad", rich.started, "page", True, "javascript:alert(1)")
    alerts = dataclasses.replace(rich.alerts, fired=("OidcBad",), seen=(seen,), unexpected=("OidcBad",))

    page = html(dataclasses.replace(rich, alerts=alerts))

    assert "javascript:" not in page
    assert "fired, not expected" in page


def test_a_very_long_course_is_cut_with_a_word_about_it(rich: Record) -> None:
    event = rich.events[-1]
    many = tuple(dataclasses.replace(event, at=event.at + timedelta(seconds=n)) for n in range(400))

    page = html(dataclasses.replace(rich, events=many))

    assert "And 100 more, which are in report.json." in page


def test_times_count_from_the_start_where_no_clock_started(rich: Record) -> None:
    written = markdown(dataclasses.replace(rich, clock_started=None))

    assert "The drill's clock never started; times count from the start of the drill." in written
    assert "| 09:29:58 | 0 s | phase | preflight |" in written
    assert "| Verifiers as predicted | **not measured in this drill** |" in written


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        ("rotation_unsafe", "rotation_unsafe"), ("_so_", r"\_so\_"), ("a|b", r"a\|b"), ("<b>", r"\<b\>"),
        ("[x](y)", r"\[x\](y)"), ("1. one", r"1\. one"), ("86.5 s", "86.5 s"), ("- item", r"\- item"),
        ("two\nlines", "two lines"), ("# head", r"\# head"), ("`x`", r"\`x\`"),
    ],
)  # fmt: skip
def test_a_text_is_read_in_markdown_as_it_is(plain: str, escaped: str) -> None:
    assert text(plain) == escaped


@pytest.mark.parametrize(("words", "span"), [("a", "`a`"), ("`", "`` ` ``"), ("a``b", "```a``b```"), ("", "` `")])
def test_code_is_fenced_by_more_backticks_than_it_holds(words: str, span: str) -> None:
    assert code(words) == span


def test_a_target_cannot_end_its_link() -> None:
    assert target("https://a/b c)|<é>") == "https://a/b%20c%29%7C%3Cé%3E"
