"""The book of newest results is bounded and follows the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.results import ResultsBook
from probes.model import Artifact, Reason

if TYPE_CHECKING:
    from probes.subjects import Region
    from tests.exporters.conftest import Make


def test_every_check_and_region_has_a_row_before_its_first_run(make: Make, regions: tuple[Region, ...]) -> None:
    book = ResultsBook(regions)

    book.configure([make.check("login"), make.check("jwks")])

    assert [(row.check.name, row.region, row.last) for row in book.rows()] == [
        ("acme/portal/login", "eu", None),
        ("acme/portal/login", "us", None),
        ("acme//jwks", "eu", None),
        ("acme//jwks", "us", None),
    ]


def test_only_the_newest_results_are_kept_without_the_bytes_of_artifacts(
    make: Make, regions: tuple[Region, ...]
) -> None:
    book = ResultsBook(regions, kept=2)
    check = make.check()
    book.configure([check])
    results = [
        make.result(check, reason=Reason.TIMEOUT, artifacts=(Artifact("page.png", "image/png", b"x" * 1000),))
        for _ in range(3)
    ]

    for result in results:
        book.publish(result)

    kept = book.rows()[0].results
    assert [result.run_id for result in kept] == [result.run_id for result in results[1:]]
    assert [artifact.content for result in kept for artifact in result.artifacts] == [b"", b""]


def test_a_reload_keeps_the_results_of_checks_that_stay(make: Make, regions: tuple[Region, ...]) -> None:
    book = ResultsBook(regions)
    stays, leaves = make.check("login"), make.check("jwks")
    book.configure([stays, leaves])
    book.publish(make.result(stays))
    book.publish(make.result(leaves))

    book.configure([stays])
    book.publish(make.result(leaves))

    assert [(row.check.probe, row.region, len(row.results)) for row in book.rows()] == [
        ("login", "eu", 1),
        ("login", "us", 0),
    ]
