"""Rows with what real users meet, from telemetry that gateways, providers and services export, where it is collected.

The names are those projects' own; what a site does not collect stays empty, and the rows are folded.
"""

from __future__ import annotations

from dashboards.grafana import Tile
from dashboards.style import RATE, SECONDS, Look, Query, graph

# These series know nothing of our issuers and clients: they are shown for the whole data source.
_ABSENT = Look(RATE, no_value="not collected here")
_RATE = "[$__rate_interval]"


def users_sign_in() -> tuple[Tile, ...]:
    """Logins of real users: Keycloak's user events, oauth2-proxy, mod_auth_openidc."""
    return keycloak_logins(), oauth2_proxy(), mod_auth_openidc()


def services_validate() -> tuple[Tile, ...]:
    """Tokens of real requests: Envoy, Istio, the Kubernetes API server."""
    return envoy_jwt(), envoy_jwks(), istio(), kube_apiserver(), kube_jwks()


def keycloak_logins() -> Tile:
    """Needs --metrics-enabled and --event-metrics-user-enabled."""
    about = (
        "User events of Keycloak that end a login, by event and error; an empty error is a success. Wrong passwords "
        "are the user's, invalid_code and invalid_client_credentials are not."
    )
    events = 'keycloak_user_events_total{event=~"login|code_to_token|refresh_token"}'
    query = Query(f"sum by (event, error) (rate({events}{_RATE}))", "{{event}} {{error}}")
    return graph(910, "Keycloak: logins and token requests", about, [query], _ABSENT)


def oauth2_proxy() -> Tile:
    """Requests through oauth2-proxy."""
    about = "Requests that oauth2-proxy answered, by status. A rise of 403 or 500 after a deployment is a lost login."
    query = Query(f"sum by (code) (rate(oauth2_proxy_requests_total{_RATE}))", "{{code}}")
    return graph(911, "oauth2-proxy: answers by status", about, [query], _ABSENT)


def mod_auth_openidc() -> Tile:
    """Calls of the Apache module to the provider."""
    about = "Calls of mod_auth_openidc to the provider's token, key set and userinfo endpoints, and refreshes."
    parts = ("token", "jwks", "userinfo", "refresh")
    queries = [Query(f"sum(rate(oidc_provider_{part}_count{_RATE}))", part) for part in parts]
    return graph(912, "mod_auth_openidc: calls to the provider", about, queries, _ABSENT)


def envoy_jwt() -> Tile:
    """Envoy's jwt_authn filter."""
    about = (
        "Requests that Envoy's jwt_authn filter allowed and denied. A step up of denied after a key rotation is ours."
    )
    parts = ("allowed", "denied")
    queries = [Query(f"sum(rate(envoy_http_jwt_authn_{part}{_RATE}))", part) for part in parts]
    return graph(920, "Envoy: tokens allowed and denied", about, queries, _ABSENT)


def envoy_jwks() -> Tile:
    """Envoy's fetches of key sets."""
    about = "Key set fetches of Envoy. Failures do not hurt until the cached set is too old or lacks a key."
    parts = ("jwks_fetch_success", "jwks_fetch_failed")
    queries = [Query(f"sum(rate(envoy_http_jwt_authn_{part}{_RATE}))", part) for part in parts]
    return graph(921, "Envoy: key set fetches", about, queries, _ABSENT)


def istio() -> Tile:
    """401 and 403 by service."""
    about = "Requests that services in the mesh refused with 401 (token) or 403 (claims), by service."
    requests = 'istio_requests_total{response_code=~"401|403"}'
    query = Query(
        f"sum by (destination_service_name, response_code) (rate({requests}{_RATE}))",
        "{{destination_service_name}} {{response_code}}",
    )
    return graph(922, "Istio: requests refused by service", about, [query], _ABSENT)


def kube_apiserver() -> Tile:
    """Authentication at the Kubernetes API server."""
    about = "Authentication attempts at the Kubernetes API server by result; `error` is a token that did not validate."
    query = Query(f"sum by (result) (rate(authentication_attempts{_RATE}))", "{{result}}")
    return graph(923, "kube-apiserver: authentication", about, [query], _ABSENT)


def kube_jwks() -> Tile:
    """When API servers last fetched the keys."""
    name = "apiserver_authentication_jwt_authenticator_jwks_fetch_last_timestamp_seconds"
    about = (
        "Time since each API server last fetched the key set with success. After a rotation it must drop everywhere."
    )
    query = Query(
        f'time() - max by (jwt_issuer_hash, apiserver_id_hash) ({name}{{result="success"}})', "{{apiserver_id_hash}}"
    )
    look = Look(SECONDS, no_value="not collected here")
    return graph(924, "kube-apiserver: age of the key set", about, [query], look)
