"""The resource servers: when each cache class accepts a new key and drops an old one, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt
import pytest

from sandbox.launch import Sandbox
from sandbox.resources import POLICIES, Fetched, KeyCache
from sandbox.visitor import Visitor

START = 1000.0


class Issuer:
    """Publishes key ids, and can be unreachable."""

    def __init__(self) -> None:
        self.kids = ["old"]
        self.max_age: float | None = None
        self.down = False
        self.fetches = 0

    def fetch(self) -> Fetched:
        self.fetches += 1
        if self.down:
            raise OSError("unreachable")
        return Fetched({kid: {"kid": kid} for kid in self.kids}, self.max_age)


class Watch:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


def warm(name: str) -> tuple[KeyCache, Issuer, Watch]:
    issuer, watch = Issuer(), Watch()
    cache = KeyCache(POLICIES[name], issuer.fetch, watch)
    cache.find("old")
    issuer.kids = ["new"]
    return cache, issuer, watch


@pytest.mark.parametrize(
    ("name", "too_early", "in_time"),
    [("a", None, 0.0), ("b", 29.0, 30.0), ("c", 599.0, 600.0), ("d", 299.0, 300.0)],
)
def test_a_new_key_is_accepted_when_the_class_says(name: str, too_early: float | None, in_time: float) -> None:
    cache, _issuer, watch = warm(name)

    if too_early is not None:
        watch.now = START + too_early
        assert cache.find("new") is None
    watch.now = START + in_time

    assert cache.find("new") is not None


@pytest.mark.parametrize(("name", "seconds"), [("b", 600.0), ("c", 600.0), ("d", 300.0)])
def test_an_old_key_is_dropped_when_the_set_is_old(name: str, seconds: float) -> None:
    cache, _issuer, watch = warm(name)

    watch.now = START + seconds - 1
    held = cache.find("old")
    watch.now = START + seconds
    dropped = cache.find("old")

    assert held is not None
    assert dropped is None


@pytest.mark.parametrize("name", ["a", "e"])
def test_without_a_period_an_old_key_is_held_for_ever(name: str) -> None:
    cache, _issuer, watch = warm(name)
    watch.now = START + 10**9

    assert cache.find("old") is not None


def test_the_static_class_wants_a_restart() -> None:
    cache, _issuer, watch = warm("e")
    watch.now = START + 10**9
    before = cache.find("new")

    cache.restart()

    assert before is None
    assert cache.find("new") is not None


def test_the_max_age_of_the_answer_bounds_class_d() -> None:
    issuer, watch = Issuer(), Watch()
    issuer.max_age = 7.0
    cache = KeyCache(POLICIES["d"], issuer.fetch, watch)
    cache.find("old")
    issuer.kids = ["new"]

    watch.now = START + 6.0
    early = cache.find("new")
    watch.now = START + 7.0

    assert early is None
    assert cache.find("new") is not None


def test_an_unreachable_issuer_leaves_the_keys_as_they_are() -> None:
    cache, issuer, watch = warm("c")
    issuer.down = True
    watch.now = START + 601.0

    assert cache.find("old") is not None
    assert issuer.fetches == 2


def machine_token(visitor: Visitor, **form: str) -> str:
    return str(visitor.token("machine", grant_type="client_credentials", **form).json()["access_token"])


def ask(visitor: Visitor, url: str, token: str, method: str = "GET") -> tuple[int, str]:
    answer = visitor.http.request(method, url, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.headers.get("www-authenticate", "")


@pytest.mark.process
def test_every_resource_accepts_a_good_token(sandbox: Sandbox, visitor: Visitor) -> None:
    token = machine_token(visitor)

    statuses = {name: ask(visitor, url, token)[0] for name, url in sandbox.resources.items()}

    assert statuses == dict.fromkeys(POLICIES, 200)


@pytest.mark.process
def test_after_an_abrupt_rotation_only_class_a_accepts_at_once(sandbox: Sandbox, visitor: Visitor) -> None:
    for url in sandbox.resources.values():
        ask(visitor, url, machine_token(visitor))
    sandbox.control.rotate("abrupt")
    token = machine_token(visitor)

    statuses = {name: ask(visitor, url, token)[0] for name, url in sandbox.resources.items()}

    assert statuses == {"a": 200, "b": 401, "c": 401, "d": 401, "e": 401}


@pytest.mark.process
def test_a_cooldown_can_be_changed_while_it_runs(sandbox: Sandbox, visitor: Visitor) -> None:
    ask(visitor, sandbox.resources["b"], machine_token(visitor))
    sandbox.control.rotate("abrupt")

    sandbox.control.resource("b", cooldown=0.0)
    status, _ = ask(visitor, sandbox.resources["b"], machine_token(visitor))
    sandbox.control.resource("b", cooldown=POLICIES["b"].cooldown)

    assert status == 200


@pytest.mark.process
def test_without_a_token_the_challenge_has_no_error(sandbox: Sandbox, visitor: Visitor) -> None:
    answer = visitor.http.get(sandbox.resources["a"])

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="orders"')


@pytest.mark.process
def test_a_token_in_the_query_is_not_looked_at(sandbox: Sandbox, visitor: Visitor) -> None:
    answer = visitor.http.get(sandbox.resources["a"], params={"access_token": machine_token(visitor)})

    assert answer.status_code == 401


@pytest.mark.process
def test_a_missing_scope_is_forbidden(sandbox: Sandbox, visitor: Visitor) -> None:
    token = machine_token(visitor, scope="orders.read")

    status, challenge = ask(visitor, sandbox.resources["a"], token, "POST")

    assert status == 403
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="orders.write"' in challenge


FORGERIES: dict[str, Callable[[dict[str, Any], str], str]] = {
    "alg none": lambda claims, kid: jwt.encode(claims, "", "none", headers={"typ": "at+jwt", "kid": kid}),
    "foreign HS256": lambda claims, kid: jwt.encode(claims, "x" * 32, "HS256", headers={"typ": "at+jwt", "kid": kid}),
    "not a JWT": lambda _claims, _kid: "opaque",
}


@pytest.mark.process
@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_tokens_are_refused(sandbox: Sandbox, visitor: Visitor, forgery: str) -> None:
    good = machine_token(visitor)
    claims = jwt.decode(good, options={"verify_signature": False})
    forged = FORGERIES[forgery](claims, jwt.get_unverified_header(good)["kid"])

    status, challenge = ask(visitor, sandbox.resources["a"], forged)

    assert status == 401
    assert 'error="invalid_token"' in challenge


@pytest.mark.process
def test_an_id_token_is_no_access_token(sandbox: Sandbox, visitor: Visitor) -> None:
    tokens = visitor.sign_in("portal", "alice")

    status, _ = ask(visitor, sandbox.resources["a"], tokens["id_token"])

    assert status == 401


@pytest.mark.process
@pytest.mark.parametrize(
    "fault",
    [
        "access-token-wrong-issuer",
        "access-token-wrong-audience",
        "access-token-wrong-typ",
        "access-token-bad-signature",
        "access-token-unpublished-key",
        "access-token-expired",
    ],
)
def test_faulty_access_tokens_are_refused(sandbox: Sandbox, visitor: Visitor, fault: str) -> None:
    sandbox.control.fault(fault)

    status, challenge = ask(visitor, sandbox.resources["a"], machine_token(visitor))

    assert status == 401
    assert 'error="invalid_token"' in challenge


@pytest.mark.process
def test_a_token_for_another_api_is_refused(sandbox: Sandbox, visitor: Visitor) -> None:
    status, _ = ask(visitor, sandbox.resources["a"], machine_token(visitor, resource="invoices"))

    assert status == 401
