"""Verifies with Authlib's OpenID client: keys for the life of the process, fetched again for an unknown key id."""

from __future__ import annotations

import asyncio

from authlib.integrations.starlette_client import OAuth
from authlib.oidc.core import CodeIDToken

from drills.canaries.protocol import ALGORITHMS, Target, Verify, serve, target_of_arguments


def verifier(target: Target) -> Verify:
    client = OAuth().register(
        "canary",
        client_id=target.audience,
        client_kwargs={"verify": target.tls()},
        issuer=target.issuer,
        jwks_uri=target.jwks_uri,
        id_token_signing_alg_values_supported=list(ALGORITHMS),
    )
    claims = {
        "iss": {"essential": True, "values": [target.issuer]},
        "aud": {"essential": True, "values": [target.audience]},
    }
    runner = asyncio.Runner()

    def verify(token: str) -> object:
        # Without a nonce: the token was not requested by this client.
        given = {"id_token": token}
        return runner.run(client.parse_id_token(given, nonce=None, claims_options=claims, claims_cls=CodeIDToken))

    return verify


if __name__ == "__main__":
    serve("authlib", verifier(target_of_arguments()))
