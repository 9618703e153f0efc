"""The client credentials probe: a token is asked for, judged, and verified as a resource server would."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from probes.model import Outcome, ProbeResult, Quantity, Reason, Stage
from probes.reasons import outcome
from probes.subjects import AuthMethod

if TYPE_CHECKING:
    from tests.probes.conftest import Lab, Signer

DOCUMENT, KEYS, TOKEN = "/.well-known/openid-configuration", "/jwks", "/token"
HEADERS: dict[str, Any] = {"cache_control": "no-store", "pragma": "no-cache"}


def why(result: ProbeResult) -> tuple[Reason, Stage] | None:
    return (result.failure.reason, result.failure.stage) if result.failure else None


def counted(result: ProbeResult, quantity: Quantity) -> list[dict[str, str]]:
    return [dict(each.labels) for each in result.measurements if each.quantity is quantity]


def issue(lab: Lab, *access_tokens: str, **members: Any) -> None:
    lab.provider.json(TOKEN, *({**lab.tokens(token), **members} for token in access_tokens), **HEADERS)


async def test_a_jws_is_verified_against_a_fresh_key_set(lab: Lab) -> None:
    result = await lab.run("client_credentials")

    assert result.ok
    assert [step.name for step in result.steps] == [Stage.DISCOVERY, Stage.TOKEN, Stage.JWKS, Stage.ACCESS_TOKEN]
    assert counted(result, Quantity.TOKEN_RESPONSE) == [{"grant": "client_credentials", "outcome": "ok"}]
    assert counted(result, Quantity.TOKEN_VALIDATION) == [{"result": "success", "reason": ""}]


async def test_an_opaque_token_ends_the_run_after_the_token_step(lab: Lab) -> None:
    issue(lab, "opaque")

    result = await lab.run("client_credentials")

    assert result.ok
    assert [step.name for step in result.steps] == [Stage.DISCOVERY, Stage.TOKEN]


@pytest.mark.parametrize(
    ("audience", "typ", "judged"),
    [("", "JWT", False), ("", "at+jwt", True), ("orders", "JWT", True)],
)
async def test_a_jws_of_another_issuer_is_judged_only_when_something_promises_that_it_is_ours(
    lab: Lab, audience: str, typ: str, judged: bool
) -> None:
    lab.client = replace(lab.client, audience=audience)
    issue(lab, lab.signer.sign({"iss": "https://sts.windows.net/tenant/", "aud": "graph"}, typ=typ))

    result = await lab.run("client_credentials")

    assert why(result) == ((Reason.ISSUER_MISMATCH, Stage.ACCESS_TOKEN) if judged else None)
    assert [finding.check_id for finding in result.findings if finding.reason is Reason.ISSUER_MISMATCH] == ["ACC-01"]


async def test_basic_authentication_encodes_both_parts_before_it_joins_them(lab: Lab) -> None:
    lab.client = replace(lab.client, client_id="a:b c")

    await lab.run("client_credentials")

    header = lab.provider.asked[1].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(header) == b"a%3Ab+c:canary-client-secret"


async def test_post_authentication_puts_the_secret_into_the_form(lab: Lab) -> None:
    lab.client = replace(lab.client, auth_method=AuthMethod.POST)

    await lab.run("client_credentials")

    request = lab.provider.asked[1]
    assert b"client_secret=canary-client-secret" in request.content
    assert "authorization" not in request.headers


REFUSALS = [
    ({"error": "invalid_client"}, 401, Reason.CLIENT_AUTH_FAILED, "invalid_client"),
    ({"error": "invalid_scope"}, 400, Reason.REQUEST_REJECTED, "invalid_scope"),
    ({}, 429, Reason.RATE_LIMITED, "http_4xx"),
    ({}, 503, Reason.SERVER_ERROR, "http_5xx"),
]


@pytest.mark.parametrize(("document", "status", "reason", "label"), REFUSALS)
async def test_a_refusal_is_counted_under_its_outcome(
    lab: Lab, document: dict[str, str], status: int, reason: Reason, label: str
) -> None:
    lab.provider.json(TOKEN, document, status=status)

    result = await lab.run("client_credentials")

    assert why(result) == (reason, Stage.TOKEN)
    assert counted(result, Quantity.TOKEN_RESPONSE) == [{"grant": "client_credentials", "outcome": label}]


async def test_an_answer_that_never_came_is_counted_as_network(lab: Lab) -> None:
    lab.provider.on(TOKEN, httpx.ReadError("reset"))

    result = await lab.run("client_credentials")

    assert why(result) == (Reason.CONNECT_FAILURE, Stage.TOKEN)
    assert counted(result, Quantity.TOKEN_RESPONSE) == [{"grant": "client_credentials", "outcome": "network"}]


async def test_a_token_by_an_unpublished_key_is_looked_for_in_further_samples(lab: Lab, other_signer: Signer) -> None:
    issue(lab, other_signer.sign({"iss": lab.issuer.url}))

    result = await lab.run("client_credentials")

    assert why(result) == (Reason.KID_UNKNOWN, Stage.ACCESS_TOKEN)
    assert [step.name for step in result.steps].count(Stage.JWKS) == 3
    assert counted(result, Quantity.TOKEN_VALIDATION) == [{"result": "failure", "reason": "kid_unknown"}]


async def test_a_key_that_only_some_samples_have_is_an_inconsistent_set(lab: Lab, other_signer: Signer) -> None:
    issue(lab, other_signer.sign({"iss": lab.issuer.url}))
    lab.provider.json(KEYS, {"keys": [lab.signer.jwk()]}, {"keys": [lab.signer.jwk(), other_signer.jwk()]})

    result = await lab.run("client_credentials")

    assert why(result) == (Reason.JWKS_INCONSISTENT, Stage.ACCESS_TOKEN)


async def test_a_key_set_that_dies_is_no_failed_validation(lab: Lab) -> None:
    lab.provider.json(KEYS, {}, status=503)

    result = await lab.run("client_credentials")

    assert why(result) == (Reason.SERVER_ERROR, Stage.JWKS)
    assert counted(result, Quantity.TOKEN_VALIDATION) == []


async def test_a_provider_without_token_endpoint_fails_at_discovery(lab: Lab) -> None:
    document = {
        "issuer": lab.issuer.url,
        "authorization_endpoint": f"{lab.issuer.url}/authorize",
        "jwks_uri": f"{lab.issuer.url}/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    lab.provider.json(DOCUMENT, document)

    assert why(await lab.run("client_credentials")) == (Reason.DISCOVERY_INVALID, Stage.DISCOVERY)


async def test_neither_secret_nor_token_is_in_a_result_even_when_the_provider_repeats_them(lab: Lab) -> None:
    basic = base64.b64encode(b"machine:canary-client-secret").decode()
    said = {"error": "invalid_client", "error_description": f"wrong: canary-client-secret or {basic}"}
    lab.provider.json(TOKEN, said, status=401)

    result = await lab.run("client_credentials")

    assert result.failure is not None
    assert "canary" not in repr(result)
    assert basic not in repr(result)
    assert outcome(result.failure.reason) is Outcome.FAILURE
