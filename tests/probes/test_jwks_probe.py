"""The jwks probe compares with what it saw before and with what other regions see."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from probes.model import ProbeResult, Quantity, Reason, Severity, Stage

if TYPE_CHECKING:
    from tests.probes.conftest import Lab, Signer

KEYS = "/jwks"
CACHING: dict[str, Any] = {"cache_control": "max-age=300"}


def publish(lab: Lab, *sets: list[dict[str, Any]]) -> None:
    lab.provider.json(KEYS, *({"keys": keys} for keys in sets), **CACHING)


def measured(result: ProbeResult, quantity: Quantity, **labels: str) -> list[float]:
    wanted = tuple(sorted(labels.items()))
    return [each.value for each in result.measurements if each.quantity is quantity and each.labels == wanted]


def why(result: ProbeResult) -> tuple[Reason, Stage] | None:
    return (result.failure.reason, result.failure.stage) if result.failure else None


def severities(result: ProbeResult) -> list[tuple[str, Severity]]:
    return [(finding.check_id, finding.severity) for finding in result.findings]


async def test_a_good_set_is_a_success_and_is_measured(lab: Lab) -> None:
    result = await lab.run("jwks")

    assert result.ok
    assert [step.name for step in result.steps] == [Stage.DISCOVERY, Stage.JWKS]
    assert measured(result, Quantity.JWKS_KEYS, state="standby") == [1]
    assert measured(result, Quantity.JWKS_MAX_AGE) == [300]
    assert measured(result, Quantity.JWKS_AGREEMENT) == [1]
    assert measured(result, Quantity.JWKS_FETCHED) == [lab.clock().timestamp()]


async def test_the_metadata_is_fetched_again_only_after_five_minutes(lab: Lab) -> None:
    results = [await lab.run("jwks"), await lab.run("jwks")]
    lab.clock.forward(seconds=301)
    results.append(await lab.run("jwks"))

    assert [len(result.steps) for result in results] == [2, 1, 2]


async def test_a_key_that_signs_counts_as_active(lab: Lab, other_signer: Signer) -> None:
    publish(lab, [lab.signer.jwk(), other_signer.jwk(), other_signer.jwk(kid="enc", use="enc")])
    await lab.run("client_credentials")

    result = await lab.run("jwks")

    found = [measured(result, Quantity.JWKS_KEYS, state=state) for state in ("active", "standby", "other")]
    assert found == [[1], [1], [1]]


async def test_an_added_key_is_a_change_and_no_failure(lab: Lab, other_signer: Signer) -> None:
    await lab.run("jwks")
    lab.clock.forward(seconds=60)
    publish(lab, [lab.signer.jwk(), other_signer.jwk()])

    result = await lab.run("jwks")

    assert result.ok
    assert measured(result, Quantity.JWKS_CHANGED) == [lab.clock().timestamp()]


async def test_a_kid_that_names_another_key_fails_one_run_and_is_then_known(lab: Lab, other_signer: Signer) -> None:
    publish(lab, [lab.signer.jwk(), other_signer.jwk()])
    await lab.run("jwks")
    publish(lab, [other_signer.jwk(kid=lab.signer.kid), other_signer.jwk()])

    changed, after = await lab.run("jwks"), await lab.run("jwks")

    assert why(changed) == (Reason.JWKS_INVALID, Stage.JWKS)
    assert ("ROT-02", Severity.FAILURE) in severities(changed)
    assert after.ok


async def test_a_total_replacement_fails_one_run_and_is_then_known(lab: Lab, other_signer: Signer) -> None:
    await lab.run("jwks")
    publish(lab, [other_signer.jwk()])

    changed, after = await lab.run("jwks"), await lab.run("jwks")

    assert why(changed) == (Reason.ROTATION_UNSAFE, Stage.JWKS)
    assert after.ok


async def test_a_set_that_is_there_in_some_samples_only_is_inconsistent_and_not_accepted(
    lab: Lab, other_signer: Signer
) -> None:
    old, new = [lab.signer.jwk()], [lab.signer.jwk(), other_signer.jwk()]
    await lab.run("jwks")
    publish(lab, new, old, new, new)

    torn, settled = await lab.run("jwks"), await lab.run("jwks")

    assert why(torn) == (Reason.JWKS_INCONSISTENT, Stage.JWKS)
    assert measured(torn, Quantity.JWKS_CHANGED) == []
    assert settled.ok
    assert measured(settled, Quantity.JWKS_CHANGED) == [lab.clock().timestamp()]


async def test_an_invalid_set_is_not_accepted(lab: Lab, other_signer: Signer) -> None:
    await lab.run("jwks")
    publish(lab, [other_signer.jwk(d="AQAB")])
    leaked = await lab.run("jwks")
    publish(lab, [lab.signer.jwk()])

    assert why(leaked) == (Reason.JWKS_INVALID, Stage.JWKS)
    assert (await lab.run("jwks")).ok


async def test_regions_that_disagree_are_a_warning_until_the_patience_is_over(lab: Lab, other_signer: Signer) -> None:
    await lab.run("jwks", region="us")
    publish(lab, [lab.signer.jwk(), other_signer.jwk()])

    early = await lab.run("jwks", region="eu")
    lab.clock.forward(seconds=601)  # twice the max-age
    publish(lab, [lab.signer.jwk()])
    await lab.run("jwks", region="us")
    publish(lab, [lab.signer.jwk(), other_signer.jwk()])
    late = await lab.run("jwks", region="eu")

    assert early.ok
    assert severities(early) == [("ROT-09", Severity.WARNING)]
    assert measured(early, Quantity.JWKS_AGREEMENT) == [0.5]
    assert why(late) == (Reason.JWKS_INCONSISTENT, Stage.JWKS)


async def test_a_region_that_no_longer_looks_contradicts_nobody(lab: Lab, other_signer: Signer) -> None:
    await lab.run("jwks", region="us")
    publish(lab, [lab.signer.jwk(), other_signer.jwk()])
    await lab.run("jwks", region="eu")
    lab.clock.forward(seconds=601)

    result = await lab.run("jwks", region="eu")

    assert result.ok
    assert result.findings == ()
    assert measured(result, Quantity.JWKS_AGREEMENT) == [1]


async def test_regions_that_agree_again_are_no_finding(lab: Lab, other_signer: Signer) -> None:
    await lab.run("jwks", region="us")
    publish(lab, [lab.signer.jwk(), other_signer.jwk()])
    await lab.run("jwks", region="eu")
    await lab.run("jwks", region="us")

    result = await lab.run("jwks", region="eu")

    assert result.findings == ()
    assert measured(result, Quantity.JWKS_AGREEMENT) == [1]


async def test_a_failing_answer_keeps_what_was_known(lab: Lab) -> None:
    await lab.run("jwks")
    lab.provider.json(KEYS, {}, status=503)
    down = await lab.run("jwks")
    publish(lab, [lab.signer.jwk()])

    assert why(down) == (Reason.SERVER_ERROR, Stage.JWKS)
    assert (await lab.run("jwks")).ok


async def test_tenants_of_one_provider_may_share_its_keys(lab: Lab) -> None:
    await lab.run("jwks")
    lab.issuer = replace(lab.issuer, name="another-tenant")

    result = await lab.run("jwks")

    assert result.ok
    assert severities(result) == [("ROT-20", Severity.WARNING)]
