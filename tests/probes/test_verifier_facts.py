"""How long a verifier waits for a new key, as far as max-age says so; and what the table says of real ones."""

from __future__ import annotations

import pytest

from oidcwatch.config_verifiers import facts_of
from probes.subjects import VerifierFacts


@pytest.mark.parametrize(
    ("facts", "max_age", "wait"),
    [
        (VerifierFacts("a"), 3600, None),
        (VerifierFacts("d", waits_for_max_age=True), 3600, 3600),
        (VerifierFacts("d", waits_for_max_age=True, early=30), 3600, 3570),
        (VerifierFacts("d", waits_for_max_age=True, early=30), 10, 0),
        (VerifierFacts("d", waits_for_max_age=True, least=900), 60, 900),
        (VerifierFacts("d", waits_for_max_age=True, most=600), 3600, 600),
        (VerifierFacts("d", waits_for_max_age=True, most=None), 3600, None),
        (VerifierFacts("d", waits_for_max_age=True), None, None),
        (VerifierFacts("d", waits_for_max_age=True, without=1800), None, 1800),
    ],
)
def test_a_verifier_waits_as_long_as_max_age_says_within_its_limits(
    facts: VerifierFacts, max_age: int | None, wait: float | None
) -> None:
    assert facts.wait(max_age) == wait


@pytest.mark.parametrize(
    ("name", "wait", "timeout"),
    [
        ("kube-apiserver", 7170, 30),
        ("aws-sts", None, 5),
        ("hcl-domino", 7200, None),
        ("jwx-cache", 7200, None),
        ("nimbus-jwk-source", None, 0.5),
        ("oathkeeper", None, 1),
        ("grafana", None, None),
        ("tibco-ems", None, None),
    ],
)
def test_the_table_says_who_waits_for_max_age_and_when_it_gives_up_a_fetch(
    name: str, wait: float | None, timeout: float | None
) -> None:
    (facts,) = facts_of([name])

    assert (facts.name, facts.wait(7200), facts.fetch_timeout) == (name, wait, timeout)


def test_a_name_that_is_in_no_table_has_no_facts() -> None:
    assert facts_of(["nobody"]) == ()
