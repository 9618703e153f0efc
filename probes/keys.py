"""A JSON Web Key Set as a verifier reads it: keys with thumbprints, and what makes one unusable (RFC 7517, RFC 7518)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError
from jwt.utils import base64url_decode, base64url_encode

from probes.documents import json_object, strings, text
from probes.model import ProbeFailure, Reason

PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518 §6
MAX_KEYS = 200  # parsed at most: each costs a public key

_RS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS_OF: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("RSA", ""): _RS,
        ("EC", "P-256"): ("ES256",),
        ("EC", "P-384"): ("ES384",),
        ("EC", "P-521"): ("ES512",),
        ("EC", "secp256k1"): ("ES256K",),
        ("OKP", "Ed25519"): ("EdDSA", "Ed25519"),
        ("OKP", "Ed448"): ("EdDSA", "Ed448"),
    }
)
"""Signature algorithms that a key of this type and curve can be used with (RFC 7518 §3.1, RFC 8037, RFC 9864)."""
_KEY_MANAGEMENT = ("RSA", "ECDH-ES", "A128", "A192", "A256", "PBES2", "dir")
"""How the names of algorithms begin that a key encrypts with (RFC 7518 §4.1)."""

_THUMBPRINT_MEMBERS = {"RSA": ("e", "kty", "n"), "EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x")}
_NUMBERS = frozenset({"n", "e"})  # coordinates of a curve have a fixed length instead (RFC 7518 §6.2.1.2)
_BUILDERS: Mapping[str, Callable[[dict[str, Any]], Any]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}


@dataclass(frozen=True, slots=True)
class Key:
    """One published key. `public` is a cryptography public key, or None when `problem` says why there is none."""

    kid: str
    kty: str
    alg: str
    use: str
    crv: str
    key_ops: tuple[str, ...]
    thumbprint: str
    """RFC 7638, base64url of SHA-256; empty when members are missing."""
    bits: int
    private: bool
    """Private or symmetric material was published with it."""
    public: Any = field(repr=False)
    problem: str
    exponent: int = 0
    x5c: tuple[str, ...] = field(default=(), repr=False)
    x5t: str = ""
    x5t_s256: str = ""
    modulus: int = field(default=0, repr=False)
    """Of an RSA key."""

    @property
    def signs(self) -> bool:
        """Whether a verifier may use it for signatures (absent `use`, `key_ops` and `alg` mean: for anything)."""
        allowed = self.use in ("", "sig") and (not self.key_ops or "verify" in self.key_ops)
        # `use` is optional (RFC 7517 §4.2): an encryption key may say what it is by its algorithm alone.
        return allowed and (self.use == "sig" or not self.alg.startswith(_KEY_MANAGEMENT))

    @property
    def exotic(self) -> bool:
        """Whether its type or curve is none that we know: a consumer passes over it (RFC 7517 §5)."""
        return self.kty not in _BUILDERS or bool(self.crv and (self.kty, self.crv) not in ALGORITHMS_OF)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The signature algorithms that it can verify."""
        possible = ALGORITHMS_OF.get((self.kty, self.crv), ())
        return (self.alg,) if self.alg in possible else possible if not self.alg else ()


@dataclass(frozen=True, slots=True)
class KeySet:
    """A parsed key set. `problem` is set when it is no key set at all."""

    keys: tuple[Key, ...]
    problem: str = ""
    total: int = 0

    def find(self, kid: str) -> tuple[Key, ...]:
        """The signature keys with this kid."""
        return tuple(key for key in self.keys if key.kid == kid and key.signs)

    @property
    def thumbprints(self) -> frozenset[str]:
        """Identities of the key material, whatever the kids."""
        return frozenset(key.thumbprint for key in self.keys if key.thumbprint)


@lru_cache(maxsize=64)
def parse_keys(body: bytes) -> KeySet:
    """The key set in a JWKS body. The same bytes are parsed once: a set changes rarely and is polled often.

    Raises ProbeFailure(bad_response) when the body is no JSON object. Broken keys are kept with their `problem`.
    """
    document = json_object(body)
    entries = document.get("keys")
    if not isinstance(entries, list):
        return KeySet((), "keys is missing or no array (RFC 7517 §5)")
    keys = tuple(_key(entry) for entry in entries[:MAX_KEYS] if isinstance(entry, dict))
    if len(keys) < len(entries[:MAX_KEYS]):
        return KeySet(keys, "keys has an entry that is no object (RFC 7517 §5)", len(entries))
    return KeySet(keys, total=len(entries))


def require_keys(body: bytes) -> KeySet:
    """As `parse_keys`, for those who need keys to verify with; raises ProbeFailure(jwks_invalid) when it is no set."""
    found = parse_keys(body)
    if found.problem:
        raise ProbeFailure(Reason.JWKS_INVALID, found.problem)
    return found


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The JWK thumbprint (RFC 7638 §3); empty for an unknown type or missing members."""
    members = _THUMBPRINT_MEMBERS.get(text(jwk, "kty"), ())
    required = {name: _least_octets(text(jwk, name)) if name in _NUMBERS else text(jwk, name) for name in members}
    if not required or not all(required.values()):
        return ""
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True).encode()
    return base64url_encode(hashlib.sha256(canonical).digest()).decode()


def _least_octets(value: str) -> str:
    """A Base64urlUInt as RFC 7518 §2 wants it: with a leading zero octet, as some libraries write it, a key is no other."""
    try:
        octets = base64url_decode(value)
    except ValueError:
        return value
    return base64url_encode(octets.lstrip(b"\0")).decode() or value


def _key(jwk: Mapping[str, Any]) -> Key:
    kty = text(jwk, "kty")
    public, problem = _public(kty, {name: value for name, value in jwk.items() if name not in PRIVATE_MEMBERS})
    rsa = isinstance(public, RSAPublicKey)
    return Key(
        kid=text(jwk, "kid"),
        kty=kty,
        alg=text(jwk, "alg"),
        use=text(jwk, "use"),
        crv=text(jwk, "crv"),
        key_ops=strings(jwk, "key_ops"),
        thumbprint=thumbprint(jwk),
        bits=public.key_size if rsa else 0,
        private=any(jwk.get(name) for name in PRIVATE_MEMBERS),
        public=public,
        problem=problem,
        exponent=public.public_numbers().e if rsa else 0,
        x5c=strings(jwk, "x5c"),
        x5t=text(jwk, "x5t"),
        x5t_s256=text(jwk, "x5t#S256"),
        modulus=public.public_numbers().n if rsa else 0,
    )


def _public(kty: str, jwk: dict[str, Any]) -> tuple[Any, str]:
    builder = _BUILDERS.get(kty)
    if builder is None:
        return None, f"key type {kty[:20]!r} is unknown"
    missing = [name for name in _THUMBPRINT_MEMBERS[kty] if not text(jwk, name)]
    if missing:
        return None, f"{', '.join(missing)} missing or no string"
    try:
        return builder(jwk), ""
    except InvalidKeyError as error:
        return None, str(error)[:120]
    except (ValueError, TypeError, ArithmeticError, AttributeError, KeyError, UnsupportedAlgorithm) as error:
        # Members that are strings but no numbers, points off the curve, and what else cryptography refuses.
        return None, f"no valid {kty} key: {str(error)[:100]}"
