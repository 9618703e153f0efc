"""Effects on signed tokens before they are signed, and on how they are signed."""

from __future__ import annotations

import hmac
from dataclasses import replace

from sandbox.keys import generate_key
from sandbox.points import Situation
from sandbox.reply import Draft


def set_claims(draft: Draft, at: Situation) -> Draft:
    """Every parameter becomes a claim."""
    return replace(draft, claims={**draft.claims, **at.params})


def shift_claims(draft: Draft, at: Situation) -> Draft:
    """Every parameter names a time claim and the seconds to add; one that is missing starts from `iat`."""
    moved = {name: int(draft.claims.get(name, draft.claims["iat"]) + seconds) for name, seconds in at.params.items()}
    return replace(draft, claims={**draft.claims, **moved})


def drop_claim(draft: Draft, at: Situation) -> Draft:
    return replace(draft, claims={name: draft.claims[name] for name in draft.claims if name != at.params["claim"]})


def set_one_claim(draft: Draft, at: Situation) -> Draft:
    return replace(draft, claims={**draft.claims, at.params["claim"]: at.params["value"]})


def extra_audience(draft: Draft, at: Situation) -> Draft:
    claims = {name: draft.claims[name] for name in draft.claims if name != "azp"}
    return replace(draft, claims={**claims, "aud": [draft.claims["aud"], at.params["audience"]]})


def long_subject(draft: Draft, at: Situation) -> Draft:
    return replace(draft, claims={**draft.claims, "sub": "s" * at.params["length"]})


def set_header(draft: Draft, at: Situation) -> Draft:
    return replace(draft, header={**draft.header, **at.params})


def unknown_critical(draft: Draft, at: Situation) -> Draft:
    """A header extension that must be understood (RFC 7515 §4.1.11)."""
    name = at.params["extension"]
    return replace(draft, header={**draft.header, "crit": [name], name: True})


def drop_key_id(draft: Draft, _at: Situation) -> Draft:
    return replace(draft, header={name: draft.header[name] for name in draft.header if name != "kid"})


def break_signature(draft: Draft, _at: Situation) -> Draft:
    def sign(message: bytes) -> bytes:
        signature = draft.sign(message)
        return bytes([signature[0] ^ 0x01]) + signature[1:]

    return replace(draft, sign=sign)


def unsigned(draft: Draft, _at: Situation) -> Draft:
    """`alg: none` with an empty signature (RFC 7518 §3.6)."""
    return replace(draft, header={"alg": "none", "typ": draft.header["typ"]}, sign=lambda _message: b"")


def signed_with_public_key(draft: Draft, at: Situation) -> Draft:
    """HS256 with the PEM of the public RSA key as the secret: the algorithm confusion of RFC 8725 §2.1."""
    key = at.keys.active("RS256")
    secret = key.material.as_pem(private=False)
    header = {**draft.header, "alg": "HS256", "kid": key.kid}
    return replace(draft, header=header, sign=lambda message: hmac.digest(secret, message, "sha256"))


def foreign_key(draft: Draft, _at: Situation) -> Draft:
    """Signed well, by a key that the JWK Set does not show."""
    key = generate_key(str(draft.header["alg"]))
    return replace(draft, header={**draft.header, "kid": key.kid}, sign=key.sign)


def foreign_key_same_kid(draft: Draft, _at: Situation) -> Draft:
    """Signed well, by a key that is not the published one of that id."""
    return replace(draft, sign=generate_key(str(draft.header["alg"])).sign)
