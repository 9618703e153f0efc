"""Who may sign in and who may ask for tokens: clients and users, with secrets made anew at each start."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

import pyotp

AuthMethod = Literal["client_secret_basic", "client_secret_post", "none"]

CODE = "authorization_code"
REFRESH = "refresh_token"
MACHINE = "client_credentials"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"

USER_SCOPES = ("openid", "profile", "email", "groups", "offline_access", "orders.read")
MACHINE_SCOPES = ("orders.read", "orders.write")

REGIONS = ("eu", "us", "ap")


@dataclass(frozen=True, slots=True)
class Client:
    """A registered client; the methods are the interface that Authlib asks of one."""

    client_id: str
    auth_method: AuthMethod
    secret: str = field(repr=False)
    grant_types: tuple[str, ...]
    scopes: tuple[str, ...]
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    id_token_alg: str = "RS256"
    audience: str = ""
    """The API that its access tokens are for by default; empty means the provider itself (userinfo)."""
    wants_consent: bool = False

    @property
    def client_metadata(self) -> Mapping[str, Any]:
        """Registered metadata by its name (OIDC Dynamic Client Registration §2)."""
        return {"post_logout_redirect_uris": list(self.post_logout_redirect_uris)}

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: OIDC Core §3.1.2.1 requires the parameter, so there is no default."""

    def get_allowed_scope(self, scope: str | None) -> str:
        """What of the requested scope it may have; all of its own when nothing was asked (RFC 6749 §3.3)."""
        wanted = (scope or "").split() or self.scopes
        return " ".join(name for name in wanted if name in self.scopes)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Exact comparison (RFC 9700 §2.1)."""
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(self.secret.encode(), client_secret.encode())

    def check_endpoint_auth_method(self, method: str, _endpoint: str) -> bool:
        return method == self.auth_method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and CODE in self.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grant_types


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in."""

    username: str
    subject: str
    password: str = field(repr=False)
    totp_seed: str = field(default="", repr=False)
    """Base32, as authenticator apps read it (RFC 6238); empty means no second factor."""
    groups: tuple[str, ...] = ("customers",)

    def claims(self, scopes: Iterable[str]) -> dict[str, Any]:
        """The claims that these scopes release (OIDC Core §5.4); `sub` always."""
        released: dict[str, dict[str, Any]] = {
            "profile": {"name": self.username.title(), "preferred_username": self.username},
            "email": {"email": f"{self.username}@example.test", "email_verified": True},
            "groups": {"groups": list(self.groups)},
        }
        claims: dict[str, Any] = {"sub": self.subject}
        for scope in scopes:
            claims.update(released.get(scope, {}))
        return claims

    def accepts_password(self, password: str) -> bool:
        return hmac.compare_digest(self.password.encode(), password.encode())

    def accepts_otp(self, code: str, now: float) -> bool:
        """One step of 30 s on either side is accepted (RFC 6238 §5.2)."""
        if not self.totp_seed:
            return False
        return pyotp.TOTP(self.totp_seed).verify(code.strip(), for_time=int(now), valid_window=1)


class Directory:
    """The registered clients and users; passwords can change while it runs. Thread-safe."""

    def __init__(self, clients: Iterable[Client], users: Iterable[User]) -> None:
        self.clients: Mapping[str, Client] = MappingProxyType({client.client_id: client for client in clients})
        self._users = {user.username: user for user in users}
        self._lock = threading.Lock()

    @property
    def users(self) -> Mapping[str, User]:
        with self._lock:
            return dict(self._users)

    def user(self, username: str) -> User | None:
        return self.users.get(username)

    def set_password(self, username: str, password: str) -> None:
        """Change a password. Raises KeyError for an unknown user name."""
        with self._lock:
            self._users[username] = replace(self._users[username], password=password)


def generate_directory() -> Directory:
    """The clients and users of every sandbox, with fresh random secrets."""
    return Directory(_clients(), _users())


def _clients() -> tuple[Client, ...]:
    def web(client_id: str, auth_method: AuthMethod = "client_secret_basic", **more: Any) -> Client:
        origin = f"https://{client_id}.example.test"
        return Client(
            client_id,
            auth_method,
            secret="" if auth_method == "none" else secrets.token_urlsafe(32),
            grant_types=(CODE, REFRESH),
            scopes=USER_SCOPES,
            redirect_uris=(f"{origin}/callback",),
            post_logout_redirect_uris=(f"{origin}/signed-out",),
            **more,
        )

    return (
        web("portal", wants_consent=True),
        web("portal-es256", id_token_alg="ES256"),
        web("portal-eddsa", id_token_alg="EdDSA"),
        web("portal-post", "client_secret_post"),
        web("spa", "none"),
        Client(
            "machine",
            "client_secret_basic",
            secret=secrets.token_urlsafe(32),
            grant_types=(MACHINE, EXCHANGE),
            scopes=MACHINE_SCOPES,
            audience="orders",
        ),
    )


def _users() -> tuple[User, ...]:
    def person(username: str, *, totp: bool = False) -> User:
        return User(
            username,
            subject=f"user-{username}",
            password=secrets.token_urlsafe(18),
            totp_seed=pyotp.random_base32() if totp else "",
        )

    return (person("alice"), person("bob", totp=True), *(person(f"synthetic-{region}") for region in REGIONS))
