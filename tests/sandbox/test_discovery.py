"""The provider's documents: complete, correct and cacheable."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from sandbox.launch import Sandbox
from sandbox.visitor import Visitor

pytestmark = pytest.mark.process

WELL_KNOWN = "/.well-known/openid-configuration"


def test_the_issuer_is_exactly_the_url_that_was_asked(sandbox: Sandbox, visitor: Visitor) -> None:
    document = visitor.http.get(f"{sandbox.issuer}{WELL_KNOWN}").json()

    assert document["issuer"] == sandbox.issuer


def test_every_endpoint_is_on_the_issuers_address_and_answers(sandbox: Sandbox, visitor: Visitor) -> None:
    document = visitor.http.get(f"{sandbox.issuer}{WELL_KNOWN}").json()
    endpoints = {name: url for name, url in document.items() if name.endswith("_endpoint") or name == "jwks_uri"}

    statuses = {name: visitor.http.get(url).status_code for name, url in endpoints.items()}

    assert len(endpoints) == 7
    assert {urlsplit(url).netloc for url in endpoints.values()} == {urlsplit(sandbox.issuer).netloc}
    assert 404 not in statuses.values()


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ("response_types_supported", ["code"]),
        ("subject_types_supported", ["public"]),
        ("id_token_signing_alg_values_supported", ["RS256", "ES256", "EdDSA"]),
        ("code_challenge_methods_supported", ["S256"]),
        ("authorization_response_iss_parameter_supported", True),
        ("request_uri_parameter_supported", False),
    ],
)
def test_the_document_says_what_the_provider_does(
    sandbox: Sandbox, visitor: Visitor, member: str, values: object
) -> None:
    document = visitor.http.get(f"{sandbox.issuer}{WELL_KNOWN}").json()

    assert document[member] == values


def test_both_well_known_documents_agree(sandbox: Sandbox, visitor: Visitor) -> None:
    openid = visitor.http.get(f"{sandbox.issuer}{WELL_KNOWN}").json()

    oauth = visitor.http.get(f"{sandbox.issuer}/.well-known/oauth-authorization-server").json()

    assert oauth == openid


def test_the_keys_may_be_cached_for_as_long_as_configured(sandbox: Sandbox, visitor: Visitor) -> None:
    usual = visitor.http.get(f"{sandbox.issuer}/jwks").headers["cache-control"]
    sandbox.control.settings(jwks_max_age=7)

    changed = visitor.http.get(f"{sandbox.issuer}/jwks").headers["cache-control"]

    assert (usual, changed) == ("public, max-age=300", "public, max-age=7")


def test_published_keys_have_ids_and_no_private_members(sandbox: Sandbox, visitor: Visitor) -> None:
    keys = visitor.http.get(f"{sandbox.issuer}/jwks").json()["keys"]

    assert len({key["kid"] for key in keys}) == len(keys)
    assert {(key["alg"], key["use"]) for key in keys} == {("RS256", "sig"), ("ES256", "sig"), ("EdDSA", "sig")}
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {member for key in keys for member in key}


@pytest.mark.parametrize("path", [WELL_KNOWN, "/jwks", "/token", "/userinfo"])
def test_single_page_applications_may_call(sandbox: Sandbox, visitor: Visitor, path: str) -> None:
    answer = visitor.http.options(f"{sandbox.issuer}{path}", headers={"Origin": "https://spa.example.test"})

    assert answer.headers["access-control-allow-origin"] == "*"


def test_the_authorization_endpoint_has_no_cors(visitor: Visitor) -> None:
    answer = visitor.http.get(visitor.attempt("spa").url, headers={"Origin": "https://spa.example.test"})

    assert "access-control-allow-origin" not in answer.headers
