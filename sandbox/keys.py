"""The provider's signing keys, and every way to rotate them, right and wrong."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

Material = RSAKey | ECKey | OKPKey

_FORMER_KEYS_KEPT = 64


@dataclass(frozen=True, slots=True, eq=False)
class SigningKey:
    """One private key with its key id."""

    kid: str
    alg: str
    material: Material = field(repr=False)

    @property
    def thumbprint(self) -> str:
        """Identity of the key material, whatever its kid (RFC 7638)."""
        return str(self.material.thumbprint())

    def public_jwk(self) -> dict[str, Any]:
        """The member of the JWK Set for it (RFC 7517)."""
        return {**self.material.as_dict(private=False), "kid": self.kid, "alg": self.alg, "use": "sig"}

    def sign(self, message: bytes) -> bytes:
        """The JWS signature of these bytes (RFC 7515 §5.1)."""
        signature: bytes = JWSRegistry.algorithms[self.alg].sign(message, self.material)
        return signature


_GENERATORS: Mapping[str, Callable[[], Material]] = MappingProxyType(
    {
        "RS256": lambda: RSAKey.generate_key(2048),
        "ES256": lambda: ECKey.generate_key("P-256"),
        "EdDSA": lambda: OKPKey.generate_key("Ed25519"),
    }
)

ALGORITHMS = tuple(_GENERATORS)


def generate_key(alg: str, kid: str | None = None) -> SigningKey:
    """A fresh key for one of ALGORITHMS. Raises KeyError for another."""
    return SigningKey(kid or f"{alg.lower()}-{secrets.token_hex(6)}", alg, _GENERATORS[alg]())


@dataclass(frozen=True, slots=True)
class Track:
    """The keys of one algorithm: what the JWKS shows, and which one signs."""

    published: tuple[SigningKey, ...]
    active: SigningKey
    announced: SigningKey | None = None
    former: SigningKey | None = None

    def signing_with(self, key: SigningKey) -> Track:
        return replace(self, active=key, former=self.active, announced=None)

    def showing(self, *keys: SigningKey) -> Track:
        return replace(self, published=tuple(dict.fromkeys(keys)))


class RotationRefusedError(ValueError):
    """The rotation is not possible in the present state; the message says why."""


def _fresh(track: Track, kid: str) -> SigningKey:
    return generate_key(track.active.alg, kid or None)


def _overlap(track: Track, kid: str) -> Track:
    new = _fresh(track, kid)
    return track.signing_with(new).showing(new, *track.published)


def _abrupt(track: Track, kid: str) -> Track:
    new = _fresh(track, kid)
    return track.signing_with(new).showing(new)


def _announce(track: Track, kid: str) -> Track:
    new = _fresh(track, kid)
    return replace(track.showing(new, *track.published), announced=new)


def _activate(track: Track, _kid: str) -> Track:
    if track.announced is None:
        raise RotationRefusedError("no key was announced: rotate with `announce` first")
    return track.signing_with(track.announced)


def _unpublished(track: Track, kid: str) -> Track:
    return track.signing_with(_fresh(track, kid))


def _publish(track: Track, _kid: str) -> Track:
    return track.showing(track.active, *track.published)


def _same_kid(track: Track, _kid: str) -> Track:
    new = generate_key(track.active.alg, kid=track.active.kid)
    return track.signing_with(new).showing(new, *(key for key in track.published if key.kid != new.kid))


def _duplicate_kid(track: Track, _kid: str) -> Track:
    return track.showing(*track.published, generate_key(track.active.alg, kid=track.active.kid))


def _rollback(track: Track, _kid: str) -> Track:
    if track.former is None:
        raise RotationRefusedError("no key signed before this one")
    return track.signing_with(track.former)


def _standby(track: Track, kid: str) -> Track:
    return track.showing(*track.published, _fresh(track, kid))


def _retire(track: Track, _kid: str) -> Track:
    keep = [key for key in (track.announced, track.active) if key in track.published and key is not None]
    return track.showing(*keep)


def _remove(track: Track, kid: str) -> Track:
    return track.showing(*(key for key in track.published if key.kid != kid))


Mode = Callable[[Track, str], Track]

MODES: Mapping[str, Mode] = MappingProxyType(
    {
        "overlap": _overlap,  # a new key signs, the old one stays published
        "abrupt": _abrupt,  # a new key signs, every old one leaves the set at once
        "announce": _announce,  # a new key is published, the old one goes on signing
        "activate": _activate,  # the announced key signs
        "unpublished": _unpublished,  # a key signs that the set does not show
        "publish": _publish,  # heals `unpublished` and `remove`: the signing key enters the set
        "same_kid": _same_kid,  # new key material under the old key id
        "duplicate_kid": _duplicate_kid,  # a second published key under the key id of the one that signs
        "rollback": _rollback,  # the key that signed before signs again; the set stays as it is
        "standby": _standby,  # one more published key that does not sign
        "retire": _retire,  # only the signing and the announced key stay in the set
        "remove": _remove,  # the key with the given id leaves the set, even if it signs
    }
)


class KeyRing:
    """One track an algorithm. Thread-safe."""

    def __init__(self, algorithms: Iterable[str] = ALGORITHMS) -> None:
        self._lock = threading.Lock()
        self._tracks: dict[str, Track] = {}
        for alg in algorithms:
            first = generate_key(alg)
            self._tracks[alg] = Track(published=(first,), active=first)
        self._signed = deque((track.active for track in self._tracks.values()), maxlen=_FORMER_KEYS_KEPT)
        self._shown = deque(self._signed, maxlen=_FORMER_KEYS_KEPT)

    @property
    def tracks(self) -> Mapping[str, Track]:
        with self._lock:
            return dict(self._tracks)

    def active(self, alg: str) -> SigningKey:
        """The key that signs now. Raises KeyError for an algorithm that the provider does not offer."""
        return self.tracks[alg].active

    def rotate(self, mode: str, alg: str | None = None, kid: str = "") -> None:
        """Apply one of MODES to one algorithm, or to all. `kid`: of the key that leaves; with `alg`, of one that is made.

        Raises RotationRefusedError for an unknown mode, algorithm or key id, or where the state does not allow it;
        then nothing has changed.
        """
        if mode not in MODES:
            raise RotationRefusedError(f"unknown mode {mode!r}: expected one of {', '.join(MODES)}")
        with self._lock:
            chosen = [alg] if alg else [name for name in self._tracks if not kid or self._holds(name, kid)]
            if not chosen or not set(chosen) <= set(self._tracks) or (mode == "remove" and not kid):
                raise RotationRefusedError(f"no such key: algorithm {alg!r}, key id {kid!r}")
            named = kid if alg or mode == "remove" else ""
            changed = {name: MODES[mode](self._tracks[name], named) for name in chosen}
            self._tracks.update(changed)
            self._remember(changed.values())

    def place(self, alg: str, active: str, published: Sequence[str]) -> None:
        """Put one algorithm into this state: which keys, former ones too, sign and are shown, by thumbprint.

        Raises RotationRefusedError for a key or an algorithm that it never had; then nothing has changed.
        """
        with self._lock:
            known = {key.thumbprint: key for key in (*self._shown, *self._signed) if key.alg == alg}
            unknown = [thumbprint for thumbprint in (active, *published) if thumbprint not in known]
            if unknown:
                raise RotationRefusedError(f"no such key: algorithm {alg!r}, thumbprint {unknown[0]!r}")
            track = self._tracks[alg]
            moved = track if track.active.thumbprint == active else track.signing_with(known[active])
            placed = moved.showing(*(known[thumbprint] for thumbprint in published))
            self._tracks[alg] = placed if placed.announced in placed.published else replace(placed, announced=None)
            self._remember([placed])

    def _remember(self, tracks: Iterable[Track]) -> None:
        for track in tracks:
            if track.active in self._signed:
                self._signed.remove(track.active)
            self._signed.append(track.active)  # the newest: it is what its kid means now
            self._shown.extend(key for key in track.published if key not in self._shown)

    def _holds(self, alg: str, kid: str) -> bool:
        return any(key.kid == kid for key in self._tracks[alg].published)

    def jwks(self) -> dict[str, Any]:
        """The JWK Set as published (RFC 7517 §5)."""
        return {"keys": [key.public_jwk() for track in self.tracks.values() for key in track.published]}

    def ever_active(self) -> KeySet:
        """Every key that signed, also former ones: an `id_token_hint` may be older than a rotation."""
        with self._lock:
            latest = {key.kid: key for key in self._signed}
        return KeySet([type(key.material).import_key(key.public_jwk()) for key in latest.values()])

    def describe(self) -> dict[str, Any]:
        """Key ids and thumbprints (RFC 7638) by state for each algorithm; no key material."""
        return {
            alg: {
                "active": track.active.kid,
                "announced": track.announced.kid if track.announced else None,
                "published": [key.kid for key in track.published],
                "thumbprints": {
                    "active": track.active.thumbprint,
                    "announced": track.announced.thumbprint if track.announced else None,
                    "published": [key.thumbprint for key in track.published],
                },
            }
            for alg, track in self.tracks.items()
        }
