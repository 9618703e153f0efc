"""Regions and addresses that see different key sets are told apart by who differs and for how long."""

from __future__ import annotations

import pytest

from probes.checks.agreement import Views, agreement_of
from probes.edges import EdgeSample
from probes.model import Severity

OLD, NEW = frozenset({"old"}), frozenset({"old", "new"})


def edges(**sets: frozenset[str]) -> tuple[EdgeSample, ...]:
    """`a1` stands for 192.0.2.1, `b1` for 2001:db8::1."""
    return tuple(
        EdgeSample(f"{'192.0.2.' if name[0] == 'a' else '2001:db8::'}{name[1]}", s) for name, s in sets.items()
    )


def told(views: Views) -> list[tuple[Severity, str]]:
    return [(finding.severity, finding.message) for finding in agreement_of(views)]


def test_places_that_agree_lead_to_no_finding() -> None:
    views = Views(NEW, {"us": NEW}, edges(a1=NEW, b1=NEW), lasting=False)

    assert told(views) == []
    assert views.agreement == 1


def test_one_address_of_many_is_named() -> None:
    views = Views(NEW, {}, edges(a1=NEW, a2=OLD, b1=NEW), lasting=False)

    assert told(views) == [(Severity.WARNING, "address 192.0.2.2 of 3 addresses shows another key set than most")]
    assert views.agreement == 0.75


def test_a_whole_address_family_is_named() -> None:
    views = Views(NEW, {}, edges(a1=NEW, a2=NEW, b1=OLD), lasting=False)

    assert told(views) == [
        (Severity.WARNING, "every IPv6 address (2001:db8::1) of 3 addresses shows another key set than most")
    ]


def test_of_two_addresses_the_one_that_differs_from_what_was_seen_here_is_named() -> None:
    views = Views(OLD, {}, edges(a1=NEW, a2=OLD), lasting=False)

    assert [edge.address for edge in views.edges_apart] == ["192.0.2.1"]


def test_a_lasting_disagreement_is_a_failure() -> None:
    views = Views(NEW, {"us": OLD}, edges(a1=NEW, a2=OLD), lasting=True)

    assert [severity for severity, _ in told(views)] == [Severity.FAILURE] * 2


BROKEN = EdgeSample("192.0.2.2", problem="HTTP status 503, expected 200")


def test_an_address_that_shows_no_key_set_is_a_warning() -> None:
    views = Views(NEW, {}, (*edges(a1=NEW), BROKEN), lasting=False)

    assert told(views) == [(Severity.WARNING, "address 192.0.2.2 shows no key set: HTTP status 503, expected 200")]
    assert views.agreement == 1


def test_an_address_that_shows_no_key_set_for_long_is_a_failure_and_no_agreement() -> None:
    views = Views(NEW, {}, (*edges(a1=NEW), BROKEN), lasting=True)

    assert told(views) == [(Severity.FAILURE, "address 192.0.2.2 shows no key set: HTTP status 503, expected 200")]
    assert views.agreement == pytest.approx(2 / 3)


def test_an_address_without_a_key_set_counts_as_apart_so_that_it_is_watched_and_timed() -> None:
    views = Views(NEW, {}, (*edges(a1=NEW), BROKEN), lasting=False)

    assert views.edges_apart == (BROKEN,)
