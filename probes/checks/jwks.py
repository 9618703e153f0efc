"""Checks of a key set that one fetch (and a little memory of earlier ones) can make: JWKS-01/02 and single-shot ROT ids."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from probes.checks import jwks_certificates, jwks_delivery
from probes.checks.base import Problem, ProtocolCheck
from probes.checks.jwks_answer import JwksAnswer, name_of
from probes.keys import ALGORITHMS_OF, MAX_KEYS, Key
from probes.ledger import KeyFacts, signature_keys
from probes.model import Reason, Severity

_INVALID = Reason.JWKS_INVALID
_RSA_BITS, _RSA_EXPONENT = 2048, 65_537
_RSA_MOST_BITS = 16_384  # OPENSSL_RSA_MAX_MODULUS_BITS, openssl/rsa.h
_RSA_BITS_FROM_2031 = 3072  # NIST SP 800-57 part 1 rev. 5, table 4: 112 bits of strength end with 2030


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
    # RFC 7517 §4.5 allows one kid for equivalent keys of different types; and a key may be listed for each algorithm.
    distinct = dict.fromkeys((key.kid, key.kty, key.thumbprint or number) for number, key in enumerate(keys) if key.kid)
    for (kid, _), count in Counter((kid, kty) for kid, kty, _ in distinct).items():
        if count > 1:
            yield f"kid {kid[:60]!r} is used by {count} keys"


def _kid_reuse(subject: JwksAnswer) -> Iterator[str]:
    before, ever = defaultdict[str, set[str]](set), defaultdict[tuple[str, str], set[str]](set)
    for key in subject.previous.keys if subject.previous else ():
        before[key.kid].update({key.thumbprint} - {""})
    for record in subject.known.keys.values():
        # RFC 7517 §4.5 allows one kid for equivalent keys of different types.
        for kid in (record.facts.kid, *record.earlier) if record.sights else ():
            ever[kid, record.facts.kty].add(record.facts.thumbprint)
    for key in subject.keys.keys:
        if not key.kid or not key.thumbprint:
            continue
        owners = ever[KeyFacts.of(key).kid, key.kty]
        # Both owners are known afterwards, so that each change is told once.
        if (owners and key.thumbprint not in owners) or (before[key.kid] and key.thumbprint not in before[key.kid]):
            yield f"kid {key.kid[:60]!r} now names another key"


def _consistent_members(subject: JwksAnswer) -> Iterator[str | Problem]:
    for key in subject.keys.keys:
        if (key.kty, key.crv) in ALGORITHMS_OF and key.signs and key.alg and not key.algorithms:
            yield f"{name_of(key)}: alg {key.alg[:20]} does not fit {key.kty} {key.crv}".rstrip()
        if key.use and key.key_ops:
            yield Problem(f"{name_of(key)}: use and key_ops are both given", severity=Severity.WARNING)
    signing = [key for key in subject.keys.keys if key.signs and key.public is not None]
    if len(set(subject.samples)) <= 1:  # else another sample may hold the key that this one lacks: ROT-09 speaks of it
        yield from _promised_algorithms(subject, signing)
    for key in signing if subject.advertised else ():
        # It may sign access tokens only, which Discovery has no member for.
        if key.algorithms and not set(key.algorithms) & set(subject.advertised):
            yield Problem(
                f"{name_of(key)}: {key.algorithms[0]} is not advertised for ID tokens", severity=Severity.INFO
            )


def _promised_algorithms(subject: JwksAnswer, signing: Sequence[Key]) -> Iterator[str | Problem]:
    """Clients of the configuration wait for ID tokens of one algorithm; what is advertised beyond is a lesser promise."""
    signable = {algorithm for key in signing for algorithm in key.algorithms}
    wanted = {client.id_token_alg: client.name for client in subject.issuer.clients if client.redirect_uri}
    for algorithm, client in wanted.items():
        if signable and algorithm not in signable:
            yield f"no published key can verify {algorithm}, which client {client} wants for its ID tokens"
    if "RS256" in subject.advertised and "RS256" not in {*signable, *wanted}:
        yield Problem("RS256 is advertised, and no published key can verify it", severity=Severity.WARNING)


def _strength(subject: JwksAnswer) -> Iterator[str | Problem]:
    for key in subject.keys.keys:
        if key.problem and not key.private:
            yield Problem(f"{name_of(key)}: {key.problem}", severity=Severity.INFO if key.exotic else Severity.FAILURE)
        if key.bits and key.bits < _RSA_BITS:
            yield f"{name_of(key)}: RSA with {key.bits} bits, {_RSA_BITS} is the least allowed"
        elif key.bits and key.bits < _RSA_BITS_FROM_2031 and subject.now.year > 2030:
            yield Problem(
                f"{name_of(key)}: RSA with {key.bits} bits, {_RSA_BITS_FROM_2031} are wanted since 2031",
                severity=Severity.WARNING,
            )
        if key.bits > _RSA_MOST_BITS:
            yield f"{name_of(key)}: RSA with {key.bits} bits, OpenSSL verifies with {_RSA_MOST_BITS} at most"
        if key.exponent and (key.exponent < _RSA_EXPONENT or key.exponent % 2 == 0):
            yield f"{name_of(key)}: RSA exponent {key.exponent} is too small or even"
        other = subject.moduli_elsewhere.get(key.modulus)
        if key.modulus and other is not None and key.thumbprint not in subject.elsewhere:  # else ROT-20 speaks of it
            yield f"{name_of(key)}: has its RSA modulus in common with a key of issuer {other}"


def _private_material(subject: JwksAnswer) -> Iterator[str]:
    for key in subject.keys.keys:
        if key.private:
            yield f"{name_of(key)}: private or symmetric key material is published; treat the key as compromised"


def _shared(subject: JwksAnswer) -> Iterator[Problem]:
    for key in subject.keys.keys:
        other = subject.elsewhere.get(key.thumbprint)
        if other is not None:
            # Entra ID signs for all its tenants with the same keys; only a verifier that compares iss tells them apart.
            # One host may also serve a staging realm that was cloned from production, so that is told unless it is meant.
            message, severity = f"{name_of(key)} is published by issuer {other} as well", Severity.FAILURE
            if other in subject.issuer.shares_keys_with:
                message, severity = f"{message}, as shares_keys_with says", Severity.INFO
            elif other in subject.neighbours:
                severity = Severity.WARNING
            yield Problem(message, severity=severity)


def _replaced(subject: JwksAnswer) -> Iterator[str]:
    watch = subject.known.watches.get(subject.region)
    if watch is not None:
        asleep = (subject.now - watch.last).total_seconds()
        if asleep > subject.issuer.policy.max_token_lifetime:
            return  # a whole, sound rotation fits into the time in which nobody looked
    before = _signing(subject.previous.keys) if subject.previous else _last_seen(subject)
    now = _signing(subject.keys.keys)
    if before and now and not before & now:
        yield "every key was replaced at once: tokens in circulation can no longer be verified"


def _signing(keys: Iterable[Key]) -> frozenset[str]:
    """Keys for encryption change at other times, and none of them verifies a token."""
    return frozenset(facts.thumbprint for facts in signature_keys(keys))


def _last_seen(subject: JwksAnswer) -> frozenset[str]:
    """The last set of this region as the ledger knows it, which a restart does not forget; none when a drill made it."""
    watch = subject.known.watches.get(subject.region)
    if watch is None or watch.drill:
        return frozenset()
    sights = {thumbprint: record.sights.get(subject.region) for thumbprint, record in subject.known.keys.items()}
    return frozenset(thumbprint for thumbprint, sight in sights.items() if sight is not None and sight.gone is None)


_F, _W = Severity.FAILURE, Severity.WARNING
_UNSAFE = Reason.ROTATION_UNSAFE

ANSWER: tuple[ProtocolCheck[JwksAnswer], ...] = (
    ProtocolCheck(
        "ROT-17",
        _F,
        Reason.BAD_RESPONSE,
        "answers 200 with a JSON key set, no redirect",
        "RFC 7517 §8.5.1",
        jwks_delivery.answer,
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
    ProtocolCheck("ROT-13", _F, _INVALID, "certificates fit their keys", "RFC 7517 §4.7, §4.9", jwks_certificates.of_keys, tolerated=True),
    ProtocolCheck("ROT-16", _W, _INVALID, "small and quick enough for consumers", "RFC 7517 §5", jwks_delivery.size),
    ProtocolCheck("ROT-18", _W, _INVALID, "the TLS certificate has time left, and is the known one", "RFC 5280 §4.1.2.5", jwks_certificates.of_connection),
    ProtocolCheck(
        "ROT-19", _F, _INVALID, "served over https from an allowed host", "OpenID Connect Discovery 1.0 §3", jwks_delivery.place
    ),
    ProtocolCheck("ROT-20", _F, _INVALID, "no key is shared with another issuer", "RFC 8725 §3.8", _shared, tolerated=True),
    # What one answer shows comes first; then what differs from the last set, which several samples may contradict.
    ProtocolCheck("ROT-02", _F, _INVALID, "a kid names one key for ever", "RFC 7517 §4.5; RFC 7638", _kid_reuse),
    ProtocolCheck("ROT-09", _F, Reason.JWKS_INCONSISTENT, "samples, and the regions and addresses of one agent, agree", "OIDC Core §10.1.1", jwks_delivery.agreement),
    ProtocolCheck("ROT-07", _F, _UNSAFE, "not every key is replaced at once", "OIDC Core §10.1.1", _replaced),
    ProtocolCheck("ROT-08", _W, _UNSAFE, "cacheable, and not for too long", "RFC 9111 §5.2; OIDC Core §10.1.1", jwks_delivery.caching, tolerated=True),
)  # fmt: skip
