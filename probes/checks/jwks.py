"""Checks of a key set that one fetch (and a little memory of earlier ones) can make: JWKS-01/02 and single-shot ROT ids."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.utils import base64url_encode

from probes.cache_control import cache_control
from probes.checks.base import Problem, ProtocolCheck
from probes.documents import problem_of_answer
from probes.http import Response
from probes.keys import ALGORITHMS_OF, MAX_KEYS, Key, KeySet
from probes.metadata import host_allowed, host_of, scheme_of
from probes.model import Reason, Severity
from probes.subjects import Issuer

_INVALID = Reason.JWKS_INVALID
_SMALL, _FEW = 64 * 1024, 20
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_RSA_BITS, _RSA_EXPONENT = 2048, 65_537
_RSA_MOST_BITS = 16_384  # OPENSSL_RSA_MAX_MODULUS_BITS, openssl/rsa.h
_CERTIFICATE_DAYS = 30
SLOW_TO_ADOPT = frozenset({"kube-apiserver"})
"""Verifiers that keep a set for its whole max-age, even when a token names another key (reference: go-oidc v2)."""


@dataclass(frozen=True, slots=True)
class JwksAnswer:
    """One answer of jwks_uri, and what was known before."""

    issuer: Issuer
    response: Response
    keys: KeySet
    seconds: float
    now: datetime
    advertised: tuple[str, ...] = ()
    """id_token_signing_alg_values_supported of the discovery document."""
    previous: KeySet | None = None
    samples: tuple[frozenset[str], ...] = ()
    """Thumbprints of each sample taken in this run, the first one included."""
    elsewhere: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Thumbprints that other issuers of the configuration publish, with the issuer's name."""
    neighbours: frozenset[str] = frozenset()
    """Issuers whose key set the same host serves."""


def _answer(subject: JwksAnswer) -> Iterator[Problem]:
    problem = problem_of_answer(subject.response)
    if problem:
        reason, message = problem
        yield Problem(message, reason)


def _structure(subject: JwksAnswer) -> Iterator[str]:
    if subject.keys.problem:
        yield subject.keys.problem
    if subject.keys.total > MAX_KEYS:
        yield f"the set has {subject.keys.total} keys, no verifier is meant to hold more than {MAX_KEYS}"


def _usable(subject: JwksAnswer) -> Iterator[str]:
    if not any(key.signs and key.public is not None for key in subject.keys.keys):
        yield f"no usable signature key among {len(subject.keys.keys)}"


def _kids(subject: JwksAnswer) -> Iterator[str]:
    keys = subject.keys.keys
    nameless = sum(1 for key in keys if not key.kid)
    if nameless and len(keys) > 1:
        yield f"{nameless} of {len(keys)} keys have no kid"
    # RFC 7517 §4.5 allows one kid for equivalent keys of different types.
    counts = Counter((key.kid, key.kty) for key in keys if key.kid)
    for (kid, _), count in counts.items():
        if count > 1:
            yield f"kid {kid[:60]!r} is used by {count} keys"


def _kid_reuse(subject: JwksAnswer) -> Iterator[str]:
    before = {key.kid: key.thumbprint for key in (subject.previous.keys if subject.previous else ()) if key.kid}
    for key in subject.keys.keys:
        if key.kid and key.thumbprint and before.get(key.kid, key.thumbprint) != key.thumbprint:
            yield f"kid {key.kid[:60]!r} now names another key"


def _caching(subject: JwksAnswer) -> Iterator[str | Problem]:
    caching = cache_control(subject.response.headers)
    age = caching.max_age
    if caching.no_store or caching.no_cache or (age is not None and age < _MINUTE):
        # AWS STS and Hasura then fetch for each token: parallel pipelines fail.
        yield f"Cache-Control {subject.response.headers.get('cache-control', '')[:80]!r} makes consumers fetch each time"
    elif age is None:
        yield Problem("no max-age: each verifier chooses how long it keeps the set", severity=Severity.INFO)
    elif age > _DAY:
        yield f"max-age={age}: a new key may be refused for over a day"
    elif age > _HOUR and SLOW_TO_ADOPT & set(subject.issuer.verifiers):
        named = ", ".join(sorted(SLOW_TO_ADOPT & set(subject.issuer.verifiers)))
        yield Problem(f"max-age={age}: {named} refuses a new key for that long", severity=Severity.FAILURE)


def _agreement(subject: JwksAnswer) -> Iterator[str | Problem]:
    distinct = len(set(subject.samples))
    if distinct > 1:
        yield f"{len(subject.samples)} samples gave {distinct} different key sets"
    age = subject.response.headers.get("age", "")
    limit = cache_control(subject.response.headers).max_age
    if age.isascii() and age.isdigit() and len(age) < 12 and limit is not None and int(age) > limit:
        yield Problem(f"a cache serves a set of age {age} beyond max-age={limit}", severity=Severity.WARNING)


def _consistent_members(subject: JwksAnswer) -> Iterator[str | Problem]:
    for key in subject.keys.keys:
        if (key.kty, key.crv) in ALGORITHMS_OF and key.signs and key.alg and not key.algorithms:
            yield f"{_name(key)}: alg {key.alg[:20]} does not fit {key.kty} {key.crv}".rstrip()
        if key.use and key.key_ops:
            yield Problem(f"{_name(key)}: use and key_ops are both given", severity=Severity.WARNING)
    signable = {algorithm for key in subject.keys.keys if key.signs for algorithm in key.algorithms}
    if "RS256" in subject.advertised and "RS256" not in signable:
        yield Problem("RS256 is advertised, and no published key can verify it", severity=Severity.WARNING)


def _strength(subject: JwksAnswer) -> Iterator[str | Problem]:
    for key in subject.keys.keys:
        if key.problem and not key.private:
            yield Problem(f"{_name(key)}: {key.problem}", severity=Severity.INFO if key.exotic else Severity.FAILURE)
        if key.bits and key.bits < _RSA_BITS:
            yield f"{_name(key)}: RSA with {key.bits} bits, {_RSA_BITS} is the least allowed"
        if key.bits > _RSA_MOST_BITS:
            yield f"{_name(key)}: RSA with {key.bits} bits, OpenSSL verifies with {_RSA_MOST_BITS} at most"
        if key.exponent and (key.exponent < _RSA_EXPONENT or key.exponent % 2 == 0):
            yield f"{_name(key)}: RSA exponent {key.exponent} is too small or even"


def _private_material(subject: JwksAnswer) -> Iterator[str]:
    for key in subject.keys.keys:
        if key.private:
            yield f"{_name(key)}: private or symmetric key material is published; treat the key as compromised"


def _certificates(subject: JwksAnswer) -> Iterator[str | Problem]:
    for key in subject.keys.keys:
        if key.x5c:
            yield from _certificate(key, subject.now)


def _certificate(key: Key, now: datetime) -> Iterator[str | Problem]:
    try:
        der = base64.b64decode(key.x5c[0], validate=True)
        certificate = x509.load_der_x509_certificate(der)
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        same = key.public is None or certificate.public_key().public_bytes(*form) == key.public.public_bytes(*form)
    except (binascii.Error, ValueError, TypeError, x509.InvalidVersion) as error:
        yield f"{_name(key)}: x5c holds no certificate: {str(error)[:80]}"
        return
    except UnsupportedAlgorithm as error:  # sound, but exotic
        yield Problem(f"{_name(key)}: x5c cannot be read: {str(error)[:80]}", severity=Severity.WARNING)
        return
    if not same:
        yield f"{_name(key)}: the first certificate of x5c is for another key"
    if key.x5t_s256 and key.x5t_s256 != base64url_encode(certificate.fingerprint(hashes.SHA256())).decode():
        yield f"{_name(key)}: x5t#S256 is not the certificate's"
    left = (certificate.not_valid_after_utc - now).total_seconds() / _DAY
    if left < 0:
        yield f"{_name(key)}: the certificate of x5c expired {-left:.0f} days ago"
    elif left < _CERTIFICATE_DAYS:
        yield Problem(f"{_name(key)}: the certificate of x5c expires in {left:.0f} days", severity=Severity.WARNING)


def _size(subject: JwksAnswer) -> Iterator[str]:
    if subject.keys.total > _FEW:
        yield f"{subject.keys.total} keys; more than {_FEW} slow consumers down"
    if len(subject.response.body) > _SMALL:
        yield f"{len(subject.response.body)} bytes; some consumers stop at {_SMALL}"
    deadline = subject.issuer.policy.max_response_seconds
    if subject.seconds > deadline:
        yield f"took {subject.seconds:.1f} s, some consumers give up after {deadline:g} s"


def _tls(subject: JwksAnswer) -> Iterator[str]:
    expiry = subject.response.phases.certificate_expiry
    if expiry is not None:
        days = (expiry - subject.now.timestamp()) / _DAY
        if days < _CERTIFICATE_DAYS / 2:
            yield f"the TLS certificate of {host_of(subject.response.url)} expires in {days:.0f} days"


def _place(subject: JwksAnswer) -> Iterator[str | Problem]:
    url = subject.response.url
    if scheme_of(url) != "https":
        severity = Severity.WARNING if subject.issuer.policy.allow_http else Severity.FAILURE
        yield Problem("the key set is not fetched over https", severity=severity)
    if not host_allowed(subject.issuer, url):
        yield f"the key set is on {host_of(url)}, neither the issuer's host nor among allowed_hosts"


def _shared(subject: JwksAnswer) -> Iterator[Problem]:
    for key in subject.keys.keys:
        other = subject.elsewhere.get(key.thumbprint)
        if other is not None:
            # Entra ID signs for all its tenants with the same keys; only a verifier that compares iss tells them apart.
            severity = Severity.WARNING if other in subject.neighbours else Severity.FAILURE
            yield Problem(f"{_name(key)} is published by issuer {other} as well", severity=severity)


def _replaced(subject: JwksAnswer) -> Iterator[str]:
    before = subject.previous.thumbprints if subject.previous else frozenset()
    if before and subject.keys.thumbprints and not before & subject.keys.thumbprints:
        yield "every key was replaced at once: tokens in circulation can no longer be verified"


def _name(key: Key) -> str:
    return f"key {key.kid[:60]!r}" if key.kid else f"a key of type {key.kty[:20]!r}"


_F, _W = Severity.FAILURE, Severity.WARNING
_UNSAFE = Reason.ROTATION_UNSAFE

ANSWER: tuple[ProtocolCheck[JwksAnswer], ...] = (
    ProtocolCheck(
        "ROT-17", _F, Reason.BAD_RESPONSE, "answers 200 with a JSON key set, no redirect", "RFC 7517 §8.5.1", _answer
    ),
)

KEYS: tuple[ProtocolCheck[JwksAnswer], ...] = (
    ProtocolCheck("JWKS-01", _F, _INVALID, "is a key set", "RFC 7517 §5", _structure),
    ProtocolCheck(
        "ROT-12", _F, _INVALID, "no private or symmetric material", "RFC 7517 §9.2; RFC 7518 §6", _private_material
    ),
    ProtocolCheck("JWKS-02", _F, _INVALID, "holds a usable signature key", "OIDC Core §10.1", _usable),
    ProtocolCheck(
        "ROT-01", _F, _INVALID, "each key has a kid of its own", "OIDC Core §10.1; RFC 7517 §4.5", _kids
    ),
    ProtocolCheck(
        "ROT-10", _F, _INVALID, "alg, kty, crv, use and key_ops fit", "RFC 7517 §4; RFC 7518 §3.1", _consistent_members
    ),
    ProtocolCheck("ROT-11", _F, _INVALID, "keys are sound and strong enough", "RFC 7518 §3.3, §6", _strength),
    ProtocolCheck("ROT-13", _F, _INVALID, "certificates fit their keys", "RFC 7517 §4.7, §4.9", _certificates),
    ProtocolCheck("ROT-16", _W, _INVALID, "small and quick enough for consumers", "RFC 7517 §5", _size),
    ProtocolCheck("ROT-18", _W, _INVALID, "the TLS certificate has time left", "RFC 5280 §4.1.2.5", _tls),
    ProtocolCheck(
        "ROT-19", _F, _INVALID, "served over https from an allowed host", "OpenID Connect Discovery 1.0 §3", _place
    ),
    ProtocolCheck("ROT-20", _F, _INVALID, "no key is shared with another issuer", "RFC 8725 §3.8", _shared),
    # What one answer shows comes first; then what differs from the last set, which several samples may contradict.
    ProtocolCheck("ROT-02", _F, _INVALID, "a kid names one key for ever", "RFC 7517 §4.5; RFC 7638", _kid_reuse),
    ProtocolCheck("ROT-09", _F, Reason.JWKS_INCONSISTENT, "samples agree", "OIDC Core §10.1.1", _agreement),
    ProtocolCheck("ROT-07", _F, _UNSAFE, "not every key is replaced at once", "OIDC Core §10.1.1", _replaced),
    ProtocolCheck("ROT-08", _W, _UNSAFE, "cacheable, and not for too long", "RFC 9111 §5.2; OIDC Core §10.1.1", _caching),
)  # fmt: skip
