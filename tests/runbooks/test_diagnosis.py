"""One cause is named for whatever was seen, and it is the root of the rest."""

from __future__ import annotations

import pytest

from probes.model import Reason, Stage
from probes.reasons import Owner
from runbooks.diagnosis import Certainty, Evidence, Sighting, Source, diagnose
from runbooks.precedence import PLACE, RANKS

R, S = Reason, Stage
LOGIN, JWKS = "acme/portal/login", "acme//jwks"


def seen(
    reason: Reason, stage: Stage | None, *regions: str, source: Source = Source.PROBE, check: str = LOGIN
) -> tuple[Sighting, ...]:
    """The same from each region."""
    return tuple(Sighting(reason, stage, region, source, check) for region in regions or ("eu",))


def test_every_reason_has_one_place_in_the_order() -> None:
    ranked = [reason for rank in RANKS for reason in rank.reasons]

    assert sorted(ranked) == sorted(Reason)
    assert len(PLACE) == len(Reason)


def test_nothing_seen_is_no_cause() -> None:
    verdict = diagnose(Evidence(passed=frozenset({(LOGIN, "eu"), (LOGIN, "us")})))

    assert (verdict.cause, verdict.owner, verdict.certainty) == (None, None, Certainty.NONE)
    assert verdict.looked == ("eu", "us")


@pytest.mark.parametrize(
    ("root", "symptom"),
    [
        (R.DNS_FAILURE, R.TIMEOUT),
        (R.CONNECT_FAILURE, R.TIMEOUT),
        (R.TLS_INVALID, R.SERVER_ERROR),
        (R.SERVER_ERROR, R.TIMEOUT),
        (R.ISSUER_MISMATCH, R.KID_UNKNOWN),
        (R.DISCOVERY_DRIFT, R.BAD_RESPONSE),
        (R.JWKS_INVALID, R.KID_UNKNOWN),
        (R.JWKS_INCONSISTENT, R.KID_UNKNOWN),
        (R.ROTATION_UNSAFE, R.SIGNATURE_INVALID),
        (R.KID_UNKNOWN, R.RESOURCE_REJECTED),
        (R.TOKEN_NOT_YET_VALID, R.CLOCK_SKEW),
        (R.SERVER_ERROR, R.LOGIN_UI_CHANGED),
        (R.GRANT_REJECTED, R.PROBE_ERROR),
    ],
)
def test_the_root_is_named_and_not_its_symptom(root: Reason, symptom: Reason) -> None:
    evidence = Evidence(seen(symptom, S.TOKEN) + seen(root, S.JWKS, check=JWKS))

    assert diagnose(evidence).cause is root


def test_the_earliest_step_of_the_cause_is_the_failing_one() -> None:
    evidence = Evidence(
        seen(R.SERVER_ERROR, S.USERINFO) + seen(R.SERVER_ERROR, S.TOKEN, check="acme/machine/client_credentials")
    )

    assert diagnose(evidence).stage is S.TOKEN


def test_what_one_region_sees_does_not_explain_what_most_see() -> None:
    evidence = Evidence(seen(R.CONNECT_FAILURE, S.DISCOVERY, "ap") + seen(R.KID_UNKNOWN, S.ID_TOKEN, "eu", "us"))

    verdict = diagnose(evidence)

    assert (verdict.cause, verdict.regions, verdict.looked) == (R.KID_UNKNOWN, ("eu", "us"), ("ap", "eu", "us"))


def test_one_region_alone_is_named_with_its_own_reason() -> None:
    evidence = Evidence(seen(R.CONNECT_FAILURE, S.DISCOVERY, "ap"), frozenset({(LOGIN, "eu"), (LOGIN, "us")}))

    verdict = diagnose(evidence)

    assert (verdict.cause, verdict.regions, verdict.partial) == (R.CONNECT_FAILURE, ("ap",), True)


def test_a_kid_that_only_some_regions_miss_is_an_edge_with_old_keys() -> None:
    evidence = Evidence(seen(R.KID_UNKNOWN, S.ID_TOKEN, "ap"), frozenset({(LOGIN, "eu")}))

    assert diagnose(evidence).cause is R.JWKS_INCONSISTENT


def test_a_kid_that_every_region_misses_is_the_providers() -> None:
    evidence = Evidence(seen(R.KID_UNKNOWN, S.ID_TOKEN, "ap", "eu"), frozenset({(JWKS, "ap"), (JWKS, "eu")}))

    assert diagnose(evidence).cause is R.KID_UNKNOWN


def test_a_timeout_of_some_regions_is_the_networks() -> None:
    evidence = Evidence(seen(R.TIMEOUT, S.DISCOVERY, "ap"), frozenset({(LOGIN, "eu")}))

    assert diagnose(evidence).owner is Owner.NETWORK


def test_a_timeout_of_every_region_is_the_providers() -> None:
    assert diagnose(Evidence(seen(R.TIMEOUT, S.DISCOVERY, "ap", "eu"))).owner is Owner.IDENTITY_PROVIDER


def test_what_fails_now_goes_before_what_was_recorded() -> None:
    recorded = seen(R.SERVER_ERROR, None, source=Source.RECORDED)

    assert diagnose(Evidence(recorded + seen(R.KID_UNKNOWN, S.ID_TOKEN))).cause is R.KID_UNKNOWN


def test_agents_of_other_regions_tell_where_else_the_cause_was_met() -> None:
    recorded = seen(R.SERVER_ERROR, None, "eu", "us", source=Source.RECORDED)

    verdict = diagnose(Evidence(recorded + seen(R.SERVER_ERROR, S.TOKEN, "eu")))

    assert (verdict.regions, verdict.partial) == (("eu", "us"), False)


def test_a_region_that_succeeds_now_is_none_of_those_that_see_the_cause() -> None:
    recorded = seen(R.SERVER_ERROR, None, "eu", "us", source=Source.RECORDED)

    verdict = diagnose(Evidence(recorded + seen(R.SERVER_ERROR, S.TOKEN, "eu"), frozenset({(LOGIN, "us")})))

    assert (verdict.regions, verdict.partial) == (("eu",), True)


def test_a_recorded_change_explains_what_fails_now() -> None:
    recorded = seen(R.ROTATION_UNSAFE, S.JWKS, source=Source.RECORDED, check=JWKS)

    verdict = diagnose(Evidence(recorded + seen(R.KID_UNKNOWN, S.ID_TOKEN)))

    assert (verdict.cause, verdict.certainty) == (R.ROTATION_UNSAFE, Certainty.BEHIND)


def test_what_was_recorded_lately_is_named_as_such_when_nothing_fails_now() -> None:
    evidence = Evidence(seen(R.SERVER_ERROR, S.TOKEN, source=Source.RECORDED), frozenset({(LOGIN, "eu")}))

    verdict = diagnose(evidence)

    assert (verdict.cause, verdict.certainty) == (R.SERVER_ERROR, Certainty.RECENT)


def test_of_what_was_recorded_the_alerts_own_reason_is_meant() -> None:
    evidence = Evidence(
        seen(R.TIMEOUT, None, source=Source.RECORDED) + seen(R.DISCOVERY_DRIFT, S.DISCOVERY, source=Source.RECORDED)
    )

    assert diagnose(evidence, (R.DISCOVERY_DRIFT,)).cause is R.DISCOVERY_DRIFT


def test_a_value_beyond_its_limit_is_the_cause_only_where_nothing_fails() -> None:
    measured = seen(R.TLS_INVALID, S.DISCOVERY, source=Source.THRESHOLD, check="certificate")

    alone = diagnose(Evidence(measured))
    beside = diagnose(Evidence(measured + seen(R.SERVER_ERROR, S.TOKEN)))

    assert (alone.cause, alone.certainty) == (R.TLS_INVALID, Certainty.MEASURED)
    assert beside.cause is R.SERVER_ERROR


def test_an_outage_does_not_explain_an_alert_about_runs_that_spend_no_budget() -> None:
    evidence = Evidence(
        seen(R.LOGIN_UI_CHANGED, S.LOGIN_FORM) + seen(R.REFRESH_REJECTED, S.REFRESH, check="acme/portal/refresh")
    )

    assert diagnose(evidence, (R.LOGIN_UI_CHANGED,)).cause is R.LOGIN_UI_CHANGED
    assert diagnose(evidence).cause is R.REFRESH_REJECTED


def test_an_alert_about_a_symptom_is_explained_by_the_root() -> None:
    evidence = Evidence(seen(R.KID_UNKNOWN, S.ID_TOKEN) + seen(R.JWKS_INVALID, S.JWKS, check=JWKS))

    assert diagnose(evidence, (R.KID_UNKNOWN,)).cause is R.JWKS_INVALID


def test_broken_probes_alone_are_the_cause_and_no_evidence_about_the_provider() -> None:
    verdict = diagnose(Evidence(seen(R.PROBE_ERROR, S.PROBE, "ap")))

    assert (verdict.cause, verdict.owner) == (R.PROBE_ERROR, Owner.PROBE_OWNER)
