"""Verifies with joserfc, which fetches nothing: the keys are those of the start, as in programs that load them once."""

from __future__ import annotations

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet

from drills.canaries.protocol import ALGORITHMS, Target, Verify, serve, target_of_arguments


def verifier(target: Target) -> Verify:
    answer = httpx.get(target.jwks_uri, verify=target.tls())
    keys = KeySet.import_key_set(answer.raise_for_status().json())
    claims = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": target.issuer},
        aud={"essential": True, "value": target.audience},
        exp={"essential": True},
    )

    def verify(token: str) -> None:
        claims.validate(jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims)

    return verify


if __name__ == "__main__":
    serve("joserfc", verifier(target_of_arguments()))
