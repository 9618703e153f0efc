"""The provider's metadata as the probes use it (OpenID Connect Discovery 1.0 §3)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from probes.documents import JsonObject, strings, text
from probes.model import ProbeFailure, Reason, Stage
from probes.subjects import Issuer

ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "userinfo_endpoint",
    "end_session_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "pushed_authorization_request_endpoint",
    "device_authorization_endpoint",
    "registration_endpoint",
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The members that probes act on; an absent endpoint is an empty string."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    iss_parameter_supported: bool
    id_token_algs: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: JsonObject) -> Metadata:
        """Reads a document that has passed the discovery checks."""
        return cls(
            issuer=text(document, "issuer"),
            authorization_endpoint=text(document, "authorization_endpoint"),
            token_endpoint=text(document, "token_endpoint"),
            jwks_uri=text(document, "jwks_uri"),
            userinfo_endpoint=text(document, "userinfo_endpoint"),
            end_session_endpoint=text(document, "end_session_endpoint"),
            iss_parameter_supported=document.get("authorization_response_iss_parameter_supported") is True,
            id_token_algs=strings(document, "id_token_signing_alg_values_supported"),
        )


def discovery_url(issuer: str) -> str:
    """Discovery §4: a trailing slash of the issuer is removed before the well-known path is appended."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


def host_allowed(issuer: Issuer, url: str) -> bool:
    """Whether an endpoint may be on this host: the issuer's own, or one that the configuration names ("*": any)."""
    host = host_of(url)
    return bool(host) and (host == host_of(issuer.url) or host in issuer.allowed_hosts or "*" in issuer.allowed_hosts)


def require_endpoint(url: str, member: str) -> str:
    """The URL, or ProbeFailure(discovery_invalid, at discovery) when the provider does not publish it."""
    if not url:
        raise ProbeFailure(Reason.DISCOVERY_INVALID, f"the discovery document has no {member}", stage=Stage.DISCOVERY)
    return url


def host_of(url: str) -> str:
    """The host name in lower case; empty when there is none."""
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def scheme_of(url: str) -> str:
    """The scheme in lower case; empty when the URL cannot be read."""
    try:
        return urlsplit(url).scheme.lower()
    except ValueError:
        return ""


def response_types(document: JsonObject) -> frozenset[frozenset[str]]:
    """The advertised response types, each as the set of its words (their order has no meaning, RFC 6749 §3.1.1)."""
    return frozenset(frozenset(entry.split()) for entry in strings(document, "response_types_supported"))
