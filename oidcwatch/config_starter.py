"""Writes a first configuration for a provider, from what its discovery document says.

Everything in that document is untrusted: names are checked against what a name may be, and text is quoted.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from probes.documents import JsonObject, strings, text
from probes.metadata import ENDPOINTS, host_of

REDIRECT_URI = "https://oidcwatch.example/callback"
_METHODS = ("client_secret_basic", "client_secret_post", "none")  # in order of preference
_SCOPES = ("openid", "profile", "email", "offline_access")
_ALGORITHMS = ("RS256", "ES256", "PS256", "EdDSA", "RS384", "RS512", "ES384", "ES512", "PS384", "PS512")
_COMMON_LABELS = frozenset({"www", "login", "auth", "sso", "id", "idp", "iam", "oidc", "accounts", "keycloak"})
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Starter:
    """What a configuration for this provider starts from."""

    name: str
    issuer: str
    preset: str
    auth_method: str
    scopes: tuple[str, ...]
    id_token_alg: str
    allowed_hosts: tuple[str, ...]
    machine_clients: bool
    """Whether the client credentials grant is advertised."""


def starter(issuer: str, document: JsonObject) -> Starter:
    """Reads a discovery document; what it does not say is what OIDC Discovery §3 and OIDC Core §9 take as default."""
    methods = strings(document, "token_endpoint_auth_methods_supported") or _METHODS[:1]
    scopes = strings(document, "scopes_supported") or _SCOPES[:1]
    algorithms = strings(document, "id_token_signing_alg_values_supported") or _ALGORITHMS[:1]
    hosts = {host_of(text(document, member)) for member in ENDPOINTS} - {host_of(issuer), ""}
    return Starter(
        name=name_of(issuer),
        issuer=issuer,
        preset="keycloak" if _is_keycloak(issuer, document) else "generic",
        auth_method=next((method for method in _METHODS if method in methods), _METHODS[0]),
        scopes=tuple(scope for scope in _SCOPES if scope == "openid" or scope in scopes),
        id_token_alg=next((alg for alg in _ALGORITHMS if alg in algorithms), _ALGORITHMS[0]),
        allowed_hosts=tuple(sorted(host for host in hosts if _HOST.fullmatch(host))),
        machine_clients="client_credentials" in strings(document, "grant_types_supported"),
    )


def name_of(issuer: str) -> str:
    """A name for labels: the first telling word of the host, such as `acme` for login.acme.example."""
    host = host_of(issuer)
    if re.fullmatch(r"[\d.]+|.*:.*|localhost", host):
        return "local"
    words = host.split(".")
    telling = next((word for word in words[:-1] if word not in _COMMON_LABELS), words[0])
    name = re.sub(r"[^a-z0-9-]", "-", telling).strip("-")[:50] or "issuer"
    # YAML would read 365 as a number and null as nothing.
    return f"issuer-{name}" if name[0].isdigit() or name in ("true", "false", "null") else name


def _is_keycloak(issuer: str, document: JsonObject) -> bool:
    return "/realms/" in issuer or "/protocol/openid-connect/" in text(document, "authorization_endpoint")


def render(start: Starter, client_id: str | None, redirect_uri: str = REDIRECT_URI, ca_file: Path | None = None) -> str:
    """The file. Without a client id the clients are there as comments: issuer checks need none."""
    clients = [*_portal(start, client_id or "oidcwatch", redirect_uri), *_machine(start)]
    if client_id is None:
        clients = [_commented(line) for line in clients]
    return "\n".join((*_head(start, ca_file), *clients, *_tail())) + "\n"


def _head(start: Starter, ca_file: Path | None) -> list[str]:
    lines = [
        "# Configuration of oidcwatch. Every key, explained: oidcwatch config schema",
        "",
        "# Where this agent looks from. OIDCWATCH_REGION overrides the name.",
        "region: {name: local}",
        "",
        "issuers:",
        f"  - name: {start.name}",
        "    # Compared character by character with `iss` and with the discovery document.",
        f"    url: {_quoted(start.issuer)}",
        "    # Who is called when it breaks; alerts carry it.",
        "    owner: identity",
    ]
    if start.allowed_hosts:
        lines += [
            "    # Hosts of its endpoints beside the issuer's own. Check that each is yours.",
            f"    allowed_hosts: {_flow(tuple(map(_quoted, start.allowed_hosts)))}",
        ]
    if ca_file:
        lines.append(f"    tls: {{ca_file: {_quoted(str(ca_file.absolute()))}}}")
    if start.issuer.startswith("http://"):
        lines += ["    # Plain http is for test networks only.", "    policy: {allow_http: true}"]
    return [*lines, "    probes:", "      - {type: discovery, every: 30s}", "      - {type: jwks, every: 30s}"]


def _portal(start: Starter, client_id: str, redirect_uri: str) -> list[str]:
    secret = "" if start.auth_method == "none" else ", secret: {env: OIDCWATCH_CLIENT_SECRET}"
    lines = [
        "    clients:",
        "      # A client of its own for monitoring, registered with this redirect URI. Nothing has to listen there:",
        "      # the browser takes the callback before it leaves.",
        "      - name: portal",
        f"        client_id: {_quoted(client_id)}",
        f"        auth: {{method: {start.auth_method}{secret}}}",
        f"        scopes: {_flow(start.scopes)}",
        f"        redirect_uri: {_quoted(redirect_uri)}",
        "        # A user that exists for monitoring only. Add totp: {env: NAME} if it has an authenticator.",
        "        user: {username: synthetic, password: {env: OIDCWATCH_PASSWORD}}",
        f"        login: {{preset: {start.preset}}}",
    ]
    if start.id_token_alg != "RS256":
        lines.append(f"        id_token_alg: {start.id_token_alg}")
    lines += ["        probes:", "          - {type: login, every: 60s, timeout: 30s}"]
    if "offline_access" in start.scopes:
        lines.append("          - {type: refresh, every: 5m}")
    return lines


def _machine(start: Starter) -> list[str]:
    method = "client_secret_basic" if start.auth_method == "none" else start.auth_method
    if not start.machine_clients:
        return []
    return [
        "      # A service account, to watch the token endpoint without a browser:",
        "      # - name: machine",
        "      #   client_id: oidcwatch-machine",
        f"      #   auth: {{method: {method}, secret: {{env: OIDCWATCH_MACHINE_SECRET}}}}",
        "      #   probes: [{type: client_credentials, every: 60s}]",
    ]


def _tail() -> list[str]:
    return [
        "",
        "# Objectives that differ from the defaults:",
        "# slos:",
        "#   - {sli: login-success, objective: 99.9, window: 30d}",
        "",
        "# Addresses that do not depend on the provider: when none answers, our own network is broken, not the provider.",
        '# vantage: {references: ["192.0.2.1:53"]}',
    ]


def _quoted(value: str) -> str:
    """JSON's double quotes are valid YAML, and keep every character from having a meaning."""
    return json.dumps(value)


def _flow(values: tuple[str, ...]) -> str:
    return f"[{', '.join(values)}]"


def _commented(line: str) -> str:
    """As a comment at the depth of `clients:`, so that removing "# " gives the line back."""
    return f"    # {line.removeprefix('    ')}"
