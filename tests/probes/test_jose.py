"""Signatures are verified with algorithms of our choice and keys of this key set, and with nothing else."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from probes.jose import ASYMMETRIC, Jws, looks_like_jws, parse_jws, verify
from probes.keys import KeySet, parse_keys
from probes.model import ProbeFailure, Reason

if TYPE_CHECKING:
    from tests.probes.conftest import Signer

CLAIMS = {"sub": "alice"}


def key_set(*keys: object) -> KeySet:
    return parse_keys(json.dumps({"keys": list(keys)}).encode())


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: object, claims: object = CLAIMS, signature: bytes = b"") -> str:
    return ".".join([b64(json.dumps(header).encode()), b64(json.dumps(claims).encode()), b64(signature)])


def refusal(token: str, keys: KeySet, allowed: frozenset[str] = ASYMMETRIC) -> Reason:
    with pytest.raises(ProbeFailure) as caught:
        verify(parse_jws(token), keys, allowed)
    assert token not in caught.value.detail
    return caught.value.reason


def test_the_ed25519_example_of_rfc_8037_verifies() -> None:
    signing_input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    jws = Jws({"alg": "EdDSA"}, {}, signing_input, base64.urlsafe_b64decode(signature + "=="))
    keys = key_set({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})

    key = verify(jws, keys, frozenset({"EdDSA"}))

    assert key.thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_each_type_of_key_verifies_what_it_signed(signer: Signer, ec_signer: Signer, ed_signer: Signer) -> None:
    keys = key_set(signer.jwk(), ec_signer.jwk(), ed_signer.jwk())

    used = [verify(parse_jws(each.sign(CLAIMS)), keys, ASYMMETRIC).kid for each in (signer, ec_signer, ed_signer)]

    assert used == ["key-1", "key-ec", "key-ed"]


def test_ed25519_is_another_name_for_eddsa_with_that_curve(ed_signer: Signer) -> None:
    header = b64(json.dumps({"alg": "Ed25519", "kid": ed_signer.kid}).encode())
    signing_input = f"{header}.{b64(b'{}')}"
    token = f"{signing_input}.{b64(ed_signer.private.sign(signing_input.encode()))}"

    key = verify(parse_jws(token), key_set(ed_signer.jwk(alg="Ed25519")), frozenset({"Ed25519"}))

    assert key.kid == "key-ed"


@pytest.mark.parametrize("alg", ["EdDSA", "Ed448"])
def test_ed448_has_two_names_too(ed_signer: Signer, alg: str) -> None:
    signer = replace(ed_signer, kid="key-448", private=ed448.Ed448PrivateKey.generate())
    signing_input = f"{b64(json.dumps({'alg': alg, 'kid': signer.kid}).encode())}.{b64(b'{}')}"
    token = f"{signing_input}.{b64(signer.private.sign(signing_input.encode()))}"

    assert verify(parse_jws(token), key_set(signer.jwk(alg=alg)), frozenset({alg})).kid == "key-448"


def test_an_unsigned_token_is_refused_even_when_none_is_allowed(signer: Signer) -> None:
    reason = refusal(compact({"alg": "none"}), key_set(signer.jwk()), ASYMMETRIC | {"none"})

    assert reason is Reason.ALG_NOT_ALLOWED


def test_a_token_signed_with_the_public_key_as_secret_is_refused(signer: Signer) -> None:
    secret = signer.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unsigned = compact({"alg": "HS256", "kid": signer.kid}).rpartition(".")[0]
    token = f"{unsigned}.{b64(hmac.digest(secret, unsigned.encode(), hashlib.sha256))}"

    assert refusal(token, key_set(signer.jwk()), ASYMMETRIC | {"HS256"}) is Reason.ALG_NOT_ALLOWED


def test_an_algorithm_that_was_not_registered_is_refused(ec_signer: Signer) -> None:
    assert refusal(ec_signer.sign(CLAIMS), key_set(ec_signer.jwk()), frozenset({"RS256"})) is Reason.ALG_NOT_ALLOWED


@pytest.mark.parametrize("alg", [None, 256, ["RS256"], {"a": 1}, "rs256", "RS256 "])
def test_an_alg_that_is_not_exactly_a_known_name_is_refused(signer: Signer, alg: object) -> None:
    assert refusal(compact({"alg": alg, "kid": signer.kid}), key_set(signer.jwk())) is Reason.ALG_NOT_ALLOWED


@pytest.mark.parametrize("crit", [["urn:x"], [], "b64", None])
def test_a_critical_header_is_refused_whatever_it_names(signer: Signer, crit: object) -> None:
    token = signer.sign(CLAIMS, crit=crit)

    assert refusal(token, key_set(signer.jwk())) is Reason.BAD_RESPONSE


def test_a_kid_that_is_not_in_the_set_is_unknown(signer: Signer, other_signer: Signer) -> None:
    assert refusal(other_signer.sign(CLAIMS), key_set(signer.jwk())) is Reason.KID_UNKNOWN


def test_a_known_kid_with_another_key_is_a_wrong_signature(signer: Signer, other_signer: Signer) -> None:
    token = other_signer.sign(CLAIMS, kid=signer.kid)

    assert refusal(token, key_set(signer.jwk())) is Reason.SIGNATURE_INVALID


def test_a_key_for_encryption_verifies_nothing(signer: Signer) -> None:
    assert refusal(signer.sign(CLAIMS), key_set(signer.jwk(use="enc"))) is Reason.KID_UNKNOWN


def test_without_kid_the_only_signature_key_is_meant(signer: Signer, other_signer: Signer) -> None:
    token = signer.sign(CLAIMS, kid="")

    assert verify(parse_jws(token), key_set(signer.jwk(), other_signer.jwk(use="enc")), ASYMMETRIC).kid == "key-1"
    assert refusal(token, key_set(signer.jwk(), other_signer.jwk())) is Reason.KID_UNKNOWN


def test_of_two_keys_with_one_kid_the_one_that_verifies_counts(signer: Signer, other_signer: Signer) -> None:
    keys = key_set(other_signer.jwk(kid="same"), signer.jwk(kid="same"))

    assert verify(parse_jws(signer.sign(CLAIMS, kid="same")), keys, ASYMMETRIC).thumbprint == keys.keys[1].thumbprint


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b",
        "a.b.c.d",
        "a.b.c.d.e",
        "....",
        "eyJhbGciOiJSUzI1NiJ9.e30.\u00e9",
        "eyJhbGciOiJSUzI1NiJ9.e30.a b",
        "eyJhbGciOiJSUzI1NiJ9\n.e30.AA",
        "eyJhbGciOiJSUzI1NiJ9.e30=.AA",
        "eyJhbGciOiJSUzI1NiJ9.e30.A",
        "W10.e30.AA",
        "e30.W10.AA",
        "e30." + "A" * 70_000 + ".AA",
    ],
)
def test_what_is_no_compact_jws_is_a_bad_response(token: str) -> None:
    with pytest.raises(ProbeFailure) as caught:
        parse_jws(token)

    assert caught.value.reason is Reason.BAD_RESPONSE
    assert len(token) < 10 or token not in caught.value.detail


def test_neither_signature_nor_signing_input_is_printed(signer: Signer) -> None:
    token = signer.sign(CLAIMS)

    assert token.split(".")[1] not in repr(parse_jws(token))
    assert token.split(".")[2] not in repr(parse_jws(token))


def test_only_three_parts_that_begin_with_a_json_object_look_like_a_jws(signer: Signer) -> None:
    assert looks_like_jws(signer.sign(CLAIMS))
    assert not looks_like_jws("opaque")
    assert not looks_like_jws("a.b.c")
    assert not looks_like_jws("eyJh.b.c.d.e")


@given(
    st.text()
    | st.text("eyJ.AQ-_", max_size=40)
    | st.lists(st.binary(max_size=30), min_size=3, max_size=3).map(lambda parts: ".".join(map(b64, parts)))
)
def test_no_text_makes_the_parser_raise_anything_else(token: str) -> None:
    with contextlib.suppress(ProbeFailure):
        parse_jws(token)
