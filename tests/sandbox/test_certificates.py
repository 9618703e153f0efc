"""Good and bad certificates, as a strict client judges them, and a sign-in over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import httpx
import pytest

from sandbox.certificates import KINDS
from sandbox.launch import Sandbox, start_sandbox
from sandbox.visitor import Visitor

pytestmark = pytest.mark.process

COMPLAINTS = {
    "expired": "certificate has expired",
    "not_yet_valid": "certificate is not yet valid",
    "wrong_name": "certificate is not valid for '127.0.0.1'",
    "untrusted": "unable to get local issuer certificate",
    "self_signed": "self-signed certificate",
}


@pytest.fixture(scope="module")
def secure_sandbox() -> Iterator[Sandbox]:
    with start_sandbox(tls=True) as sandbox:
        yield sandbox


def get(sandbox: Sandbox) -> httpx.Response:
    context = ssl.create_default_context(cafile=sandbox.ca_file)
    with httpx.Client(verify=context, trust_env=False) as client:
        return client.get(f"{sandbox.issuer}/jwks")


def test_a_sign_in_over_tls_works_with_the_ca(secure_sandbox: Sandbox) -> None:
    with Visitor(secure_sandbox) as visitor:
        tokens = visitor.sign_in("portal", "alice")
        cookie = next(iter(visitor.http.cookies.jar))

    assert "id_token" in tokens
    assert cookie.secure


def test_resources_over_tls_work_with_the_ca(secure_sandbox: Sandbox) -> None:
    with Visitor(secure_sandbox) as visitor:
        token = visitor.token("machine", grant_type="client_credentials").json()["access_token"]
        answer = visitor.http.get(secure_sandbox.resources["a"], headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 200


@pytest.mark.parametrize("kind", COMPLAINTS)
def test_a_bad_certificate_is_refused_for_its_own_reason(secure_sandbox: Sandbox, kind: str) -> None:
    secure_sandbox.control.certificate(kind)

    with pytest.raises(httpx.ConnectError, match=COMPLAINTS[kind]):
        get(secure_sandbox)
    secure_sandbox.control.certificate("good")


def test_the_good_certificate_can_come_back(secure_sandbox: Sandbox) -> None:
    secure_sandbox.control.certificate("expired")
    secure_sandbox.control.certificate("good")

    assert get(secure_sandbox).status_code == 200


def test_a_renewed_certificate_is_trusted_too(secure_sandbox: Sandbox) -> None:
    secure_sandbox.control.certificate("renewed")

    assert get(secure_sandbox).status_code == 200
    secure_sandbox.control.certificate("good")


def test_every_kind_is_covered_here() -> None:
    assert {*COMPLAINTS, "good", "renewed"} == set(KINDS)


def test_key_files_are_for_their_owner_only(secure_sandbox: Sandbox) -> None:
    assert secure_sandbox.ca_file is not None
    modes = {path.name: path.stat().st_mode & 0o777 for path in secure_sandbox.ca_file.parent.iterdir()}

    assert {modes[f"{kind}.pem"] for kind in KINDS} == {0o600}


def test_the_files_are_gone_afterwards() -> None:
    with start_sandbox(tls=True) as sandbox:
        ca_file = sandbox.ca_file

    assert ca_file is not None
    assert not ca_file.exists()
