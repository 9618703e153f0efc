"""What the provider remembers: sessions, codes, tokens and consents, in memory and bounded."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

T = TypeVar("T")


class Bounded(Generic[T]):
    """A mapping that forgets its oldest entries. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, T] = OrderedDict()

    def put(self, key: str, value: T) -> None:
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._limit:
                self._entries.popitem(last=False)

    def get(self, key: str) -> T | None:
        with self._lock:
            return self._entries.get(key)

    def pop(self, key: str) -> T | None:
        with self._lock:
            return self._entries.pop(key, None)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def __iter__(self) -> Iterator[T]:
        with self._lock:
            return iter(list(self._entries.values()))

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session. Replaced, never changed, as the person proceeds."""

    sid: str
    username: str = ""
    """Whose first factor was accepted, or who was named on the first of two pages."""
    methods: tuple[str, ...] = ()
    """Authentication methods passed so far (RFC 8176: `pwd`, `otp`)."""
    auth_time: int = 0
    """UNIX seconds of the complete sign-in; 0 while it is not complete."""
    fresh_for: str = ""
    """The authorization request that this sign-in was made for: answers prompt=login and max_age."""
    consented_for: str = ""
    terms_accepted: bool = False

    @property
    def signed_in(self) -> bool:
        return self.auth_time > 0


@dataclass(frozen=True, slots=True)
class Authentication:
    """The authentication event that a code and its tokens descend from (OIDC Core §2)."""

    username: str
    auth_time: int
    methods: tuple[str, ...]
    sid: str
    nonce: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code; the methods are the interface that Authlib asks of one."""

    code: str = field(repr=False)
    client_id: str
    redirect_uri: str
    scope: str
    code_challenge: str
    resource: str
    authentication: Authentication
    family: str
    expires_at: float
    code_challenge_method: str = "S256"
    spent: bool = False

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass(frozen=True, slots=True)
class Issued:
    """An access token with its refresh token; the methods are the interface that Authlib asks of one. UNIX seconds."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    client_id: str
    subject: str
    scope: str
    audience: tuple[str, ...]
    issued_at: float
    expires_at: float
    refresh_expires_at: float
    family: str
    authentication: Authentication | None = None
    refresh_spent: bool = False
    revoked: bool = False

    def check_client(self, client: object) -> bool:
        return bool(getattr(client, "client_id", None) == self.client_id)

    def get_scope(self) -> str:
        return self.scope


class Store:
    """Everything remembered. Thread-safe; families are revoked as a whole."""

    def __init__(self) -> None:
        self.sessions: Bounded[Session] = Bounded(2_000)
        self.codes: Bounded[Code] = Bounded(2_000)
        self.consents: Bounded[str] = Bounded(2_000)
        self._tokens: Bounded[Issued] = Bounded(10_000)
        self._by_refresh: Bounded[str] = Bounded(10_000)
        self._lock = threading.RLock()

    def new_session(self) -> Session:
        return Session(secrets.token_urlsafe(24))

    def new_session_like(self, session: Session) -> Session:
        """The same progress under a fresh id."""
        return replace(session, sid=self.new_session().sid)

    def claim_code(self, value: str, client_id: str) -> tuple[Code | None, bool]:
        """The code and whether it was redeemed before, marking it redeemed.

        Only its own client may spend it: another client's attempt must not burn it (RFC 6749 §4.1.2).
        """
        with self._lock:
            code = self.codes.get(value)
            if code is None or code.client_id != client_id:
                return None, False
            self.codes.put(value, replace(code, spent=True))
            return code, code.spent

    def save(self, token: Issued) -> None:
        with self._lock:
            self._tokens.put(token.access_token, token)
            if token.refresh_token:
                self._by_refresh.put(token.refresh_token, token.access_token)

    def by_access_token(self, value: str) -> Issued | None:
        return self._tokens.get(value)

    def by_refresh_token(self, value: str) -> Issued | None:
        with self._lock:
            access_token = self._by_refresh.get(value)
            return self._tokens.get(access_token) if access_token else None

    def spend_refresh_token(self, value: str) -> bool:
        """Mark it used; False when it was used before (two requests cannot both win)."""
        with self._lock:
            token = self.by_refresh_token(value)
            if token is None or token.refresh_spent:
                return False
            self._tokens.put(token.access_token, replace(token, refresh_spent=True))
            return True

    def revoke_family(self, family: str) -> None:
        """Revoke everything that descends from one authorization (RFC 9700 §4.14.2)."""
        with self._lock:
            for token in self._tokens:
                if token.family == family:
                    self._tokens.put(token.access_token, replace(token, revoked=True, refresh_spent=True))

    def revoke_access_token(self, value: str) -> None:
        """Revoke that access token alone (RFC 7009 §2.1)."""
        with self._lock:
            token = self._tokens.get(value)
            if token is not None:
                self._tokens.put(value, replace(token, revoked=True))

    def clear(self) -> None:
        """Forget every session, consent, code and token."""
        with self._lock:
            for part in (self.sessions, self.codes, self.consents, self._tokens, self._by_refresh):
                part.clear()

    def sizes(self) -> dict[str, int]:
        return {"sessions": len(self.sessions), "codes": len(self.codes), "tokens": len(self._tokens)}
