"""JWKS and ROT checks: a good set is silent, each mistake has its finding, and no set makes one raise."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from probes.checks.base import run_checks
from probes.checks.jwks import ANSWER, KEYS
from probes.checks.jwks_answer import JwksAnswer
from probes.keys import parse_keys
from probes.ledger import Ledger, SetSeen, observe, signature_keys
from probes.model import Reason, Severity
from probes.subjects import Client, VerifierFacts

if TYPE_CHECKING:
    from tests.probes.checks.conftest import Build
    from tests.probes.conftest import Signer

F, W, I = Severity.FAILURE, Severity.WARNING, Severity.INFO
R = Reason
CACHEABLE = {"cache-control": "max-age=300"}
DAY = 86_400
X25519 = {"kty": "OKP", "crv": "X25519", "kid": "enc", "use": "enc", "x": "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"}


@dataclass(frozen=True, slots=True)
class World:
    """Keys to make sets of."""

    build: Build
    rsa: Signer
    other: Signer
    ec: Signer
    weak: Signer

    def answer(self, *keys: Any, answer: dict[str, Any] | None = None, **around: Any) -> JwksAnswer:
        """An answer with these keys (the good one when there are none)."""
        document = {"keys": list(keys) or [self.rsa.jwk()]}
        response = self.build.answer(document, **{"headers": CACHEABLE, **(answer or {})})
        issuer = self.build.issuer(**around.pop("issuer", {}))
        parsed = parse_keys(json.dumps(document).encode())
        seconds, now = around.pop("seconds", 0.1), around.pop("now", self.build.now)
        return JwksAnswer(issuer, response, around.pop("keys", parsed), seconds, now, **around)

    def ledger(self, *keys: Any) -> Ledger:
        """Has seen these keys, and that they are gone."""
        facts = signature_keys(self.answer(*keys).keys.keys)
        seen, _ = observe(Ledger(), SetSeen(self.build.now, "eu", facts, 60))
        return observe(seen, SetSeen(self.build.now, "eu", (), 60))[0]

    def certificate(self, holder: Signer, days: float, **changes: bytes) -> str:
        """A self-signed certificate as it stands in x5c; `changes` replaces bytes of its DER form."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme")])
        end = self.build.now + timedelta(days=days)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(holder.private.public_key())
            .serial_number(1000)
            .not_valid_before(end - timedelta(days=400))
            .not_valid_after(end)
            .sign(holder.private, hashes.SHA256())
        )
        der = made.public_bytes(Encoding.DER).replace(changes.get("old", b""), changes.get("new", b""), 1)
        return base64.b64encode(der).decode()


@pytest.fixture(scope="session")
def world(build: Build, signer: Signer, other_signer: Signer, ec_signer: Signer) -> World:
    weak = replace(signer, kid="weak", private=rsa.generate_private_key(65_537, 1024))  # noqa: S505 - weak on purpose
    return World(build, signer, other_signer, ec_signer, weak)


@dataclass(frozen=True, slots=True)
class Case:
    """What is wrong, and the one finding that it must lead to."""

    id: str
    severity: Severity
    reason: Reason
    subject: Callable[[World], JwksAnswer] = field(repr=False)


def headers(**values: str) -> dict[str, Any]:
    return {"headers": {name.replace("_", "-"): value for name, value in values.items()}}


APISERVER = VerifierFacts("kube-apiserver", waits_for_max_age=True, without=0, early=30, fetch_timeout=30)
JOSE = VerifierFacts("jose", fetch_timeout=5)
PORTAL = Client("portal", "portal", redirect_uri="https://portal.example/callback", id_token_alg="RS256")


def hexadecimal_x5t(certificate: str) -> dict[str, Any]:
    """As Auth0 encodes it: the digits of the digest, and not the digest."""
    digits = hashlib.sha1(base64.b64decode(certificate)).hexdigest()  # noqa: S324 - RFC 7517 §4.8 defines x5t by it
    return {"x5c": [certificate], "x5t": base64.urlsafe_b64encode(digits.encode()).decode().rstrip("=")}


CASES = (
    Case("ROT-17", F, R.BAD_RESPONSE, lambda w: w.answer(answer={"status": 301})),
    Case("ROT-17", F, R.RATE_LIMITED, lambda w: w.answer(answer={"status": 429})),
    Case("ROT-17", F, R.SERVER_ERROR, lambda w: w.answer(answer={"status": 500})),
    Case("ROT-17", F, R.BAD_RESPONSE, lambda w: w.answer(answer=headers(content_type="text/html"))),
    Case("JWKS-01", F, R.JWKS_INVALID, lambda w: w.answer(keys=parse_keys(b"{}"))),
    Case("JWKS-01", F, R.JWKS_INVALID, lambda w: w.answer(1)),
    Case("JWKS-01", F, R.JWKS_INVALID, lambda w: w.answer(*[w.rsa.jwk()] * 201)),
    Case("ROT-12", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(d="AQAB"))),
    Case("ROT-12", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(), {"kty": "oct", "kid": "s", "k": "AAAA"})),
    Case("JWKS-02", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(use="enc"))),
    Case("JWKS-02", F, R.JWKS_INVALID, lambda w: w.answer({"kty": "unknown"})),
    Case("ROT-01", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(kid=None), w.other.jwk())),
    Case("ROT-01", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(), w.other.jwk(kid=w.rsa.kid))),
    Case("ROT-02", F, R.JWKS_INVALID, lambda w: w.answer(w.other.jwk(kid=w.rsa.kid), previous=w.answer().keys)),
    Case("ROT-07", F, R.ROTATION_UNSAFE, lambda w: w.answer(w.other.jwk(), previous=w.answer().keys)),
    Case("ROT-08", W, R.ROTATION_UNSAFE, lambda w: w.answer(answer=headers(cache_control="no-store"))),
    Case("ROT-08", I, R.ROTATION_UNSAFE, lambda w: w.answer(answer=headers(cache_control="max-age=59"))),
    Case(
        "ROT-08", W, R.ROTATION_UNSAFE,
        lambda w: w.answer(answer=headers(cache_control="max-age=59"), issuer={"verifier_facts": (APISERVER,)}),
    ),
    Case("ROT-08", W, R.ROTATION_UNSAFE, lambda w: w.answer(answer=headers(cache_control=f"max-age={DAY + 1}"))),
    Case("ROT-08", I, R.ROTATION_UNSAFE, lambda w: w.answer(answer=headers())),
    Case(
        "ROT-08", F, R.ROTATION_UNSAFE,
        lambda w: w.answer(answer=headers(cache_control="max-age=3601"), issuer={"verifier_facts": (APISERVER,)}),
    ),
    Case(
        "ROT-09", F, R.JWKS_INCONSISTENT,
        lambda w: w.answer(samples=(w.answer().keys.thumbprints, w.answer(w.other.jwk()).keys.thumbprints)),
    ),
    Case(
        "ROT-08", W, R.ROTATION_UNSAFE,
        lambda w: w.answer(answer=headers(cache_control="max-age=601"), issuer={"policy": {"min_key_lead": 600}}),
    ),
    Case(
        "ROT-08", I, R.ROTATION_UNSAFE,
        lambda w: w.answer(answer=headers(cache_control="no-cache"), issuer={"verifier_facts": (JOSE,)}),
    ),
    Case("ROT-08", I, R.ROTATION_UNSAFE, lambda w: w.answer(answer=headers(cache_control="no-cache"))),
    Case(
        "ROT-08", W, R.ROTATION_UNSAFE,
        lambda w: w.answer(answer=headers(cache_control="no-cache"), issuer={"verifier_facts": (JOSE, APISERVER)}),
    ),
    Case(
        "ROT-09", W, R.JWKS_INCONSISTENT,
        lambda w: w.answer(
            w.rsa.jwk(), w.other.jwk(), answer=headers(etag='"1"'), previous=w.answer().keys, previous_etag='"1"'
        ),
    ),
    Case("ROT-09", W, R.JWKS_INCONSISTENT, lambda w: w.answer(answer=headers(age="301", cache_control="max-age=300"))),
    Case("ROT-10", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(alg="ES256"))),
    Case("ROT-10", F, R.JWKS_INVALID, lambda w: w.answer(w.ec.jwk(alg="ES512"))),
    Case("ROT-10", W, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(key_ops=["verify"]))),
    Case("ROT-10", W, R.JWKS_INVALID, lambda w: w.answer(w.ec.jwk(), advertised=("RS256",))),
    Case("ROT-10", I, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(), w.ec.jwk(), advertised=("RS256",))),
    Case("ROT-10", F, R.JWKS_INVALID, lambda w: w.answer(w.ec.jwk(), issuer={"clients": (PORTAL,)})),
    Case("ROT-11", W, R.JWKS_INVALID, lambda w: w.answer(now=w.build.now.replace(year=2031))),
    Case(
        "ROT-11", F, R.JWKS_INVALID,
        lambda w: w.answer(moduli_elsewhere={w.rsa.private.public_key().public_numbers().n: "staging"}),
    ),
    Case("ROT-02", F, R.JWKS_INVALID, lambda w: w.answer(w.other.jwk(kid=w.rsa.kid), known=w.ledger(w.rsa.jwk()))),
    Case("ROT-16", W, R.JWKS_INVALID, lambda w: w.answer(seconds=5.1, issuer={"verifier_facts": (JOSE, APISERVER)})),
    Case(
        "ROT-13", W, R.JWKS_INVALID,
        lambda w: w.answer(w.rsa.jwk(x5c=[w.certificate(w.rsa, 100)], x5t="AAAAAAAAAAAAAAAAAAAAAAAAAAA")),
    ),
    Case("ROT-13", I, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(**hexadecimal_x5t(w.certificate(w.rsa, 100))))),
    Case("ROT-11", F, R.JWKS_INVALID, lambda w: w.answer(w.weak.jwk())),
    Case("ROT-11", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(e="Aw"))),
    Case("ROT-11", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(n="_" * 2732))),  # 16,392 bits
    Case("ROT-11", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(), w.ec.jwk(y=w.ec.jwk()["x"]))),
    Case("ROT-11", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(n=None))),
    Case("ROT-11", I, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(), {"kty": "AKP", "kid": "pq"})),
    Case("ROT-11", I, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(), X25519)),
    Case("ROT-11", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(), {**X25519, "crv": "Ed25519", "x": "AA"})),
    Case("ROT-13", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(x5c=[w.certificate(w.other, 100)]))),
    Case("ROT-13", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(x5c=[w.certificate(w.rsa, -1)]))),
    Case("ROT-13", W, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(x5c=[w.certificate(w.rsa, 20)]))),
    Case("ROT-13", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(x5c=["AAAA"]))),
    Case("ROT-13", F, R.JWKS_INVALID, lambda w: w.answer(w.rsa.jwk(x5c=["not base64!"]))),
    Case(
        "ROT-13", F, R.JWKS_INVALID,  # a version of X.509 that there is not (RFC 5280 §4.1.2.1)
        lambda w: w.answer(w.rsa.jwk(x5c=[w.certificate(w.rsa, 100, old=b"\2\1\2", new=b"\2\1\x09")])),
    ),
    Case(
        "ROT-13", W, R.JWKS_INVALID,
        lambda w: w.answer(w.rsa.jwk(x5c=[w.certificate(w.rsa, 100)], **{"x5t#S256": "AAAA"})),
    ),
    Case("ROT-16", W, R.JWKS_INVALID, lambda w: w.answer(*(w.rsa.jwk(kid=str(n)) for n in range(21)))),
    Case("ROT-16", W, R.JWKS_INVALID, lambda w: w.answer(answer={"body": b" " * 70_000})),
    Case("ROT-16", W, R.JWKS_INVALID, lambda w: replace(w.answer(), seconds=6.0)),
    Case(
        "ROT-18", W, R.JWKS_INVALID,
        lambda w: w.answer(answer={"certificate_expiry": w.build.now.timestamp() + 10 * DAY}),
    ),
    Case("ROT-19", F, R.JWKS_INVALID, lambda w: w.answer(answer={"url": "http://login.acme.example/jwks"})),
    Case(
        "ROT-19", W, R.JWKS_INVALID,
        lambda w: w.answer(answer={"url": "http://login.acme.example/"}, issuer={"policy": {"allow_http": True}}),
    ),
    Case("ROT-19", F, R.JWKS_INVALID, lambda w: w.answer(answer={"url": "https://keys.example/jwks"})),
    Case(
        "ROT-20", F, R.JWKS_INVALID,
        lambda w: w.answer(elsewhere={w.answer().keys.keys[0].thumbprint: "other"}),
    ),
    Case(
        "ROT-20", W, R.JWKS_INVALID,
        lambda w: w.answer(elsewhere={w.answer().keys.keys[0].thumbprint: "b"}, neighbours=frozenset({"b"})),
    ),
    Case(
        "ROT-20", I, R.JWKS_INVALID,
        lambda w: w.answer(
            elsewhere={w.answer().keys.keys[0].thumbprint: "b"}, issuer={"shares_keys_with": frozenset({"b"})}
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_good_set_leads_to_no_finding(world: World, kind: str) -> None:
    keys = {"rsa": [world.rsa.jwk(), world.other.jwk()], "ec": [world.ec.jwk(), world.rsa.jwk()]}[kind]
    good = world.answer(*keys, previous=world.answer().keys, advertised=("RS256", "ES256"))

    assert run_checks(ANSWER + KEYS, good) == []


def test_a_key_with_its_own_certificate_leads_to_no_finding(world: World) -> None:
    certificate = world.certificate(world.rsa, 100)
    fingerprint = x509.load_der_x509_certificate(base64.b64decode(certificate)).fingerprint(hashes.SHA256())
    hashed = base64.urlsafe_b64encode(fingerprint).rstrip(b"=").decode()

    good = world.answer(world.rsa.jwk(x5c=[certificate], **{"x5t#S256": hashed}))

    assert run_checks(ANSWER + KEYS, good) == []


def test_what_clients_wait_for_is_not_missed_in_a_set_that_other_samples_contradict(world: World) -> None:
    lacking, samples = world.ec.jwk(), [world.answer(jwk).keys.thumbprints for jwk in (world.ec.jwk(), world.rsa.jwk())]

    torn = world.answer(lacking, issuer={"clients": (PORTAL,)}, advertised=("RS256", "ES256"), samples=tuple(samples))

    assert [finding.check_id for finding in run_checks(KEYS, torn)] == ["ROT-09"]


def test_a_long_max_age_is_none_where_keys_are_announced_for_longer(world: World) -> None:
    issuer = {"verifier_facts": (APISERVER,), "policy": {"min_key_lead": 7200}}

    good = world.answer(answer=headers(cache_control="max-age=7200"), issuer=issuer)

    assert run_checks(KEYS, good) == []


def test_an_answer_slower_than_the_default_is_none_where_every_verifier_waits_longer(world: World) -> None:
    assert run_checks(KEYS, world.answer(seconds=6, issuer={"verifier_facts": (APISERVER,)})) == []


def test_the_verifiers_that_would_get_no_key_are_named(world: World) -> None:
    late = run_checks(KEYS, world.answer(seconds=6, issuer={"verifier_facts": (JOSE, APISERVER)}))

    assert [finding.message for finding in late] == ["took 6.0 s: jose (5 s) would have given up"]


def test_a_key_that_comes_back_under_its_kid_is_no_reuse(world: World) -> None:
    known = world.ledger(world.rsa.jwk())

    assert run_checks(KEYS, world.answer(world.rsa.jwk(), known=known)) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_mistake_leads_to_its_finding(world: World, case: Case) -> None:
    findings = run_checks(ANSWER + KEYS, case.subject(world))

    assert (case.id, case.severity, case.reason) in {(f.check_id, f.severity, f.reason) for f in findings}
    assert all(finding.citation and 0 < len(finding.message) <= 500 for finding in findings)


def test_every_check_of_the_tables_is_provoked() -> None:
    assert {case.id for case in CASES} == {check.id for check in ANSWER + KEYS}


def test_one_kid_for_keys_of_two_types_is_allowed(world: World) -> None:
    both = world.answer(world.rsa.jwk(kid="same"), world.ec.jwk(kid="same"))

    assert run_checks(KEYS, both) == []


@pytest.mark.parametrize("alg", ["RSA-OAEP", "RSA-OAEP-256", "RSA1_5"])
def test_an_encryption_key_need_not_say_its_use(world: World, alg: str) -> None:
    both = world.answer(world.rsa.jwk(), world.other.jwk(use=None, alg=alg))

    assert run_checks(KEYS, both) == []
    assert [key.signs for key in both.keys.keys] == [True, False]


def test_an_encryption_key_is_no_usable_signature_key(world: World) -> None:
    findings = run_checks(KEYS, world.answer(world.ec.jwk(use=None, alg="ECDH-ES+A128KW")))

    assert "JWKS-02" in {finding.check_id for finding in findings}


def test_a_private_key_is_told_once_and_not_as_a_broken_key_too(world: World) -> None:
    findings = run_checks(KEYS, world.answer(world.rsa.jwk(), {"kty": "oct", "kid": "s", "k": "AAAA"}))

    assert [finding.check_id for finding in findings] == ["ROT-12"]


@pytest.mark.parametrize("age", ["\u00b2", "-1", "1e9", "9" * 400, "", "x"])
def test_an_age_that_is_no_number_is_ignored(world: World, age: str) -> None:
    assert run_checks(KEYS, world.answer(answer=headers(age=age, cache_control="max-age=300"))) == []


MEMBERS = ["kty", "kid", "alg", "use", "crv", "key_ops", "n", "e", "x", "y", "x5c", "x5t#S256", "d"]
VALUES = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=40)
    | st.sampled_from(["RSA", "EC", "OKP", "P-256", "enc", "AQAB", "AA", "RS256"])
    | st.lists(st.text(max_size=20) | st.integers(), max_size=3)
    | st.lists(st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode()), max_size=2)
)  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=5), max_size=3), st.text(max_size=12))
def test_no_member_of_a_key_makes_a_check_raise(world: World, changes: list[dict[str, Any]], header: str) -> None:
    good = world.answer()
    certified = {"x5c": [world.certificate(world.rsa, 100)]}
    keys = [{**world.rsa.jwk(), **(certified if number else {}), **members} for number, members in enumerate(changes)]
    sent = header.encode("latin-1", "replace").decode("latin-1").strip()

    hostile = world.answer(*keys, answer=headers(age=sent, cache_control=f"max-age={sent}"), previous=good.keys)
    findings = run_checks(ANSWER + KEYS, hostile) + run_checks(KEYS, replace(good, previous=hostile.keys))

    assert all(len(finding.message) <= 500 for finding in findings)
