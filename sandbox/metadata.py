"""The provider's metadata (OpenID Connect Discovery 1.0 §3, RFC 8414 §2)."""

from __future__ import annotations

from typing import Any

from sandbox.accounts import CODE, EXCHANGE, MACHINE, MACHINE_SCOPES, REFRESH, USER_SCOPES
from sandbox.keys import ALGORITHMS
from sandbox.tokens import ACR_VALUES

ENDPOINTS = {
    "authorization_endpoint": "/authorize",
    "token_endpoint": "/token",
    "userinfo_endpoint": "/userinfo",
    "jwks_uri": "/jwks",
    "introspection_endpoint": "/introspect",
    "revocation_endpoint": "/revoke",
    "end_session_endpoint": "/logout",
}

_PROTOCOL_CLAIMS = ("iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "sid")
_PERSON_CLAIMS = ("name", "preferred_username", "email", "email_verified", "groups")
_CONFIDENTIAL = ["client_secret_basic", "client_secret_post"]


def discovery_document(issuer: str) -> dict[str, Any]:
    """The complete document; the same for both well-known locations."""
    return {
        "issuer": issuer,
        **{member: f"{issuer}{path}" for member, path in ENDPOINTS.items()},
        "scopes_supported": sorted({*USER_SCOPES, *MACHINE_SCOPES}),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [CODE, REFRESH, MACHINE, EXCHANGE],
        "acr_values_supported": list(ACR_VALUES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "token_endpoint_auth_methods_supported": [*_CONFIDENTIAL, "none"],
        "introspection_endpoint_auth_methods_supported": _CONFIDENTIAL,
        "revocation_endpoint_auth_methods_supported": [*_CONFIDENTIAL, "none"],
        "display_values_supported": ["page"],
        "claim_types_supported": ["normal"],
        "claims_supported": [*_PROTOCOL_CLAIMS, *_PERSON_CLAIMS],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,  # true when left out (Discovery §3)
        "require_request_uri_registration": False,
        "prompt_values_supported": ["none", "login", "consent"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
