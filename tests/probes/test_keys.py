"""A key set is read as a verifier reads it, and nothing in it raises."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from probes.keys import MAX_KEYS, parse_keys, require_keys, thumbprint
from probes.model import ProbeFailure, Reason

if TYPE_CHECKING:
    from tests.probes.conftest import Signer

RFC_7638_N = (
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
    "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
    "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
    "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
)
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEY_MEMBERS = st.sampled_from(
    ["kty", "kid", "alg", "use", "crv", "key_ops", "n", "e", "x", "y", "d", "k", "x5c", "x5t#S256"]
)
KEY_VALUES = (
    st.sampled_from(
        ["RSA", "EC", "OKP", "oct", "P-256", "P-521", "secp256k1", "Ed25519", "Ed448", "X25519", "AQAB", "sig"]
    )
    | st.binary(max_size=70).map(lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode())
    | JSON_VALUES
)


def body(*keys: object, **members: object) -> bytes:
    return json.dumps({"keys": list(keys), **members}).encode()


def test_the_thumbprint_is_that_of_the_example_of_rfc_7638() -> None:
    jwk = {"kty": "RSA", "n": RFC_7638_N, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}

    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("member", ["n", "e"])
def test_a_number_with_a_leading_zero_octet_is_the_same_key(signer: Signer, member: str) -> None:
    jwk = signer.jwk()
    octets = base64.urlsafe_b64decode(jwk[member] + "==")
    longer = {**jwk, member: base64.urlsafe_b64encode(b"\0" + octets).rstrip(b"=").decode()}

    assert thumbprint(longer) == thumbprint(jwk)


def test_the_thumbprint_is_that_of_the_ed25519_example_of_rfc_8037() -> None:
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X}

    assert thumbprint(jwk) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize(
    "jwk", [{}, {"kty": "oct", "k": "AAAA"}, {"kty": "RSA", "e": "AQAB"}, {"kty": "RSA", "e": 1, "n": "a"}]
)
def test_a_key_without_the_required_members_has_no_thumbprint(jwk: dict[str, Any]) -> None:
    assert thumbprint(jwk) == ""


def test_each_type_of_key_offers_the_algorithms_that_fit_it(
    signer: Signer, ec_signer: Signer, ed_signer: Signer
) -> None:
    found = parse_keys(body(signer.jwk(alg=None), ec_signer.jwk(alg=None), ed_signer.jwk(alg=None)))

    assert [key.algorithms for key in found.keys] == [
        ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        ("ES256",),
        ("EdDSA", "Ed25519"),
    ]
    assert [key.problem for key in found.keys] == ["", "", ""]
    assert found.keys[0].bits == 2048


def test_a_named_algorithm_is_the_only_one_and_a_wrong_one_leaves_none(signer: Signer) -> None:
    found = parse_keys(body(signer.jwk(alg="PS256"), signer.jwk(alg="ES256")))

    assert [key.algorithms for key in found.keys] == [("PS256",), ()]


@pytest.mark.parametrize(
    ("members", "signs"),
    [
        ({"use": None}, True),
        ({"use": "enc"}, False),
        ({"use": None, "key_ops": ["verify"]}, True),
        ({"use": None, "key_ops": ["encrypt"]}, False),
    ],
)
def test_use_and_key_ops_say_whether_a_key_verifies_signatures(
    signer: Signer, members: dict[str, Any], signs: bool
) -> None:
    (key,) = parse_keys(body(signer.jwk(**members))).keys

    assert key.signs is signs


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_private_members_are_seen_and_never_kept(signer: Signer, member: str) -> None:
    (key,) = parse_keys(body(signer.jwk(**{member: "canary-private"}))).keys

    assert key.private
    assert key.public is not None
    assert "canary-private" not in repr(key)


def test_keys_that_cannot_be_used_are_kept_with_their_problem(signer: Signer, ec_signer: Signer) -> None:
    found = parse_keys(
        body(
            {"kty": "oct"},
            {"kty": "RSA", "e": "AQAB"},
            signer.jwk(n="!"),
            ec_signer.jwk(y=ec_signer.jwk()["x"]),
            ec_signer.jwk(crv="P-999"),
            {"kty": "OKP", "crv": "X25519", "x": RFC_8037_X},
        )
    )

    assert all(key.problem for key in found.keys)
    assert all(key.public is None for key in found.keys)
    assert found.keys[1].problem == "n missing or no string"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"{}", "keys is missing or no array (RFC 7517 §5)"),
        (b'{"keys":{}}', "keys is missing or no array (RFC 7517 §5)"),
        (b'{"keys":[1]}', "keys has an entry that is no object (RFC 7517 §5)"),
    ],
)
def test_what_is_no_key_set_says_so(document: bytes, problem: str) -> None:
    assert parse_keys(document).problem == problem
    with pytest.raises(ProbeFailure) as caught:
        require_keys(document)
    assert caught.value.reason is Reason.JWKS_INVALID


def test_no_more_than_the_first_keys_of_a_huge_set_are_parsed() -> None:
    found = parse_keys(body(*({"kty": "oct", "kid": str(number)} for number in range(10_000))))

    assert len(found.keys) == MAX_KEYS
    assert found.total == 10_000


def test_a_modulus_beyond_reason_is_read_without_harm() -> None:
    huge = base64.urlsafe_b64encode(b"\xff" * 500_000).rstrip(b"=").decode()

    (key,) = parse_keys(body({"kty": "RSA", "n": huge, "e": "AQAB"})).keys

    assert key.problem or key.bits == 4_000_000


def test_an_even_exponent_does_not_raise() -> None:
    numbers = rsa.generate_private_key(65_537, 2048).public_key().public_numbers()
    modulus = base64.urlsafe_b64encode(numbers.n.to_bytes(256, "big")).rstrip(b"=").decode()

    (key,) = parse_keys(body({"kty": "RSA", "n": modulus, "e": "Ag"})).keys

    assert key.problem or key.exponent == 2


@given(st.lists(st.dictionaries(KEY_MEMBERS, KEY_VALUES, max_size=8) | JSON_VALUES, max_size=3))
def test_no_key_whatever_its_members_raises(keys: list[object]) -> None:
    found = parse_keys(body(*keys))

    assert all(bool(key.problem) == (key.public is None) for key in found.keys)
