"""Every way to rotate keys, as seen in the published set and in what signs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jwt
import pytest

from sandbox.control_client import ControlError
from sandbox.keys import MODES, KeyRing, RotationRefusedError
from sandbox.launch import Sandbox
from sandbox.visitor import Visitor


@dataclass(frozen=True)
class View:
    """One algorithm as the world sees it."""

    published: dict[str, str]
    """Modulus by key id."""
    signing: str


def view(ring: KeyRing) -> View:
    keys = {key["kid"]: key["x"] for key in ring.jwks()["keys"]}
    return View(keys, ring.active("EdDSA").kid)


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing(["EdDSA"])


CASES: dict[str, tuple[tuple[str, ...], Callable[[View, View], bool]]] = {
    "overlap": (
        (),
        lambda old, new: new.signing != old.signing and {old.signing, new.signing} <= set(new.published),
    ),
    "abrupt": ((), lambda old, new: new.signing != old.signing and set(new.published) == {new.signing}),
    "announce": ((), lambda old, new: new.signing == old.signing and len(new.published) == 2),
    "activate": (("announce",), lambda old, new: new.signing != old.signing and new.published == old.published),
    "unpublished": ((), lambda old, new: new.signing not in new.published and new.published == old.published),
    "publish": (("unpublished",), lambda old, new: new.signing == old.signing and new.signing in new.published),
    "same_kid": (
        (),
        lambda old, new: new.signing == old.signing and new.published[new.signing] != old.published[old.signing],
    ),
    "rollback": (("overlap",), lambda old, new: new.signing != old.signing and new.published == old.published),
    "standby": ((), lambda old, new: new.signing == old.signing and len(new.published) == 2),
    "retire": (("overlap",), lambda old, new: set(new.published) == {old.signing} == {new.signing}),
}


@pytest.mark.parametrize("mode", CASES)
def test_a_rotation_does_what_its_name_says(ring: KeyRing, mode: str) -> None:
    before, holds = CASES[mode]
    for step in before:
        ring.rotate(step)
    old = view(ring)

    ring.rotate(mode)

    assert holds(old, view(ring))


def test_a_removed_key_leaves_the_set_even_if_it_signs(ring: KeyRing) -> None:
    kid = ring.active("EdDSA").kid

    ring.rotate("remove", kid=kid)

    assert view(ring) == View({}, kid)


def test_two_keys_can_be_published_under_the_kid_of_the_one_that_signs(ring: KeyRing) -> None:
    kid, material = ring.active("EdDSA").kid, ring.jwks()["keys"][0]["x"]

    ring.rotate("duplicate_kid")

    assert [key["kid"] for key in ring.jwks()["keys"]] == [kid, kid]
    assert [key["x"] == material for key in ring.jwks()["keys"]] == [True, False]


def test_every_mode_is_covered_here() -> None:
    assert {*CASES, "duplicate_kid", "remove"} == set(MODES)


@pytest.mark.parametrize("mode", ["overlap", "abrupt", "unpublished", "same_kid", "duplicate_kid", "announce"])
def test_a_former_state_can_be_put_back_by_thumbprint(ring: KeyRing, mode: str) -> None:
    before, old = view(ring), ring.describe()["EdDSA"]["thumbprints"]
    ring.rotate(mode)

    ring.place("EdDSA", old["active"], old["published"])

    assert view(ring) == before
    assert ring.describe()["EdDSA"]["announced"] is None
    assert ring.ever_active().as_dict()["keys"][-1]["x"] == before.published[before.signing]


@pytest.mark.parametrize(("alg", "key"), [("EdDSA", "unknown"), ("HS256", "")])
def test_a_key_that_never_was_cannot_be_put_back(ring: KeyRing, alg: str, key: str) -> None:
    before = view(ring)

    with pytest.raises(RotationRefusedError, match=f"algorithm '{alg}'"):
        ring.place(alg, key or ring.active("EdDSA").thumbprint, [])

    assert view(ring) == before


@pytest.mark.parametrize(
    ("mode", "alg", "kid"),
    [
        ("activate", None, ""),
        ("rollback", None, ""),
        ("remove", None, ""),
        ("remove", None, "unknown"),
        ("sideways", None, ""),
        ("overlap", "HS256", ""),
    ],
)
def test_an_impossible_rotation_changes_nothing(ring: KeyRing, mode: str, alg: str | None, kid: str) -> None:
    old = view(ring)

    with pytest.raises(RotationRefusedError):
        ring.rotate(mode, alg, kid)

    assert view(ring) == old


def test_private_keys_do_not_print(ring: KeyRing) -> None:
    assert "material" not in repr(ring.tracks)


@pytest.mark.process
def test_one_algorithm_can_rotate_alone(sandbox: Sandbox) -> None:
    before = sandbox.control.keys()

    after = sandbox.control.rotate("abrupt", alg="ES256")

    assert after["ES256"] != before["ES256"]
    assert after["RS256"] == before["RS256"]


@pytest.mark.process
def test_tokens_are_signed_with_the_key_that_the_control_calls_active(sandbox: Sandbox, visitor: Visitor) -> None:
    sandbox.control.rotate("overlap")

    tokens = visitor.sign_in("portal-es256", "alice")

    assert jwt.get_unverified_header(tokens["id_token"])["kid"] == sandbox.control.keys()["ES256"]["active"]


@pytest.mark.process
def test_the_control_api_refuses_an_unknown_mode(sandbox: Sandbox) -> None:
    with pytest.raises(ControlError, match="unknown mode 'sideways'"):
        sandbox.control.rotate("sideways")
