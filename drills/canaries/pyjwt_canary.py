"""Verifies with PyJWT and its PyJWKClient: the set for 300 s, a cooldown of 30 s from the last fetch (2.15)."""

from __future__ import annotations

import jwt

from drills.canaries.protocol import ALGORITHMS, Target, Verify, serve, target_of_arguments


def verifier(target: Target) -> Verify:
    keys = jwt.PyJWKClient(target.jwks_uri, ssl_context=target.tls(), **target.settings)

    def verify(token: str) -> object:
        key = keys.get_signing_key_from_jwt(token)
        return jwt.decode(token, key, algorithms=list(ALGORITHMS), audience=target.audience, issuer=target.issuer)

    return verify


if __name__ == "__main__":
    serve("pyjwt", verifier(target_of_arguments()))
