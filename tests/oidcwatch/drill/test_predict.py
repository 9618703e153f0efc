"""`oidcwatch drill predict` looks at the key set once and tells what each named verifier will do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import Result

Predict = Callable[..., Result]


def document(done: Result) -> dict[str, Any]:
    assert done.exit_code in (0, 1), done.output
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def lines(done: Result) -> list[str]:
    """What was printed, with single spaces."""
    return [" ".join(line.split()) for line in done.stdout.splitlines()]


def test_the_max_age_of_the_key_set_bounds_what_follows_it(predict: Predict, provider: Any) -> None:
    told = document(predict(["kube-apiserver"], "--json"))

    assert told["observed"]["max_age"] == 3600
    assert told["observed"]["fetch_seconds"] > 0
    assert told["verifiers"][0]["predicted"] == {"accept": 3570, "reject": None, "outage": None}
    assert provider.paths == ["/.well-known/openid-configuration", "/jwks"]


@pytest.mark.parametrize("caching", ["no-cache", "no-store", "max-age=0"])
def test_a_key_set_that_must_not_be_cached_is_stale_at_once(predict: Predict, provider: Any, caching: str) -> None:
    provider.caching = caching

    assert document(predict(["aws-sts"], "--json"))["verifiers"][0]["predicted"]["outage"] == 0


def test_a_key_set_without_max_age_leaves_it_to_the_verifier(predict: Predict, provider: Any) -> None:
    provider.caching = None

    told = document(predict(["hcl-domino"], "--json"))

    assert (told["observed"]["max_age"], told["verifiers"][0]["predicted"]["accept"]) == (None, 1800)


@pytest.mark.parametrize("arguments", [("--offline",), ("--max-age", "60")])
def test_nothing_is_sent_when_it_need_not_look(predict: Predict, provider: Any, arguments: tuple[str, ...]) -> None:
    document(predict(["kube-apiserver"], "--json", *arguments))

    assert provider.paths == []


def test_headers_that_nobody_looked_at_are_said_to_be_unknown(predict: Predict) -> None:
    row = document(predict(["kube-apiserver"], "--json", "--offline"))["verifiers"][0]

    assert (row["predicted"]["accept"], row["known"]["accept"]) == (None, False)


def test_each_time_has_its_reason(predict: Predict) -> None:
    row = document(predict(["envoy-jwt-authn"], "--json"))["verifiers"][0]

    assert row["predicted"] == {"accept": 600, "reject": 600, "outage": 600}
    assert row["why"]["accept"] == "it fetches every 10m, whatever kid a token names"


def test_the_promised_lead_is_the_one_of_the_policy(predict: Predict) -> None:
    done = predict(["envoy-jwt-authn"], "--json", policy=", min_key_lead: 15m")

    assert (done.exit_code, document(done)["lead"], document(done)["breaks"]) == (0, 900, [])


def test_a_lead_that_is_asked_for_goes_before_the_promised_one(predict: Predict) -> None:
    done = predict(["envoy-jwt-authn"], "--json", "--lead", "4m", policy=", min_key_lead: 15m")

    row = document(done)["verifiers"][0]
    assert (done.exit_code, row["breaks"], row["window"]) == (1, True, 360)


def test_without_a_promise_a_new_key_may_sign_at_once(predict: Predict) -> None:
    told = document(predict(["envoy-jwt-authn"], "--json"))

    assert (told["lead"], told["verifiers"][0]["window"]) == (None, 600)


def test_the_overlap_adds_lifetime_leeway_and_edge(predict: Predict) -> None:
    told = document(predict(["envoy-jwt-authn"], "--json", "--token-lifetime", "1h", "--edge-ttl", "30s"))

    assert told["safe"]["overlap"] == 3600 + 60 + 30


def test_a_row_of_the_configuration_changes_the_prediction(predict: Predict) -> None:
    own = "verifiers: [{name: edge-envoy, like: envoy-jwt-authn, ttl: 5m, product: The gateway}]"

    row = document(predict(["edge-envoy"], "--json", own=own))["verifiers"][0]

    assert (row["product"], row["predicted"]["accept"]) == ("The gateway", 300)


def test_a_row_of_the_configuration_may_replace_one_of_the_table(predict: Predict) -> None:
    own = "verifiers: [{name: jose, like: jose, cooldown: 1s}]"

    assert document(predict(["jose"], "--json", own=own))["verifiers"][0]["predicted"]["accept"] == 1


def test_the_text_tells_times_needs_and_verdict(predict: Predict) -> None:
    done = predict(["envoy-jwt-authn", "spring-nimbus"], "--max-age", "60", "--token-lifetime", "1h")

    assert done.exit_code == 1
    assert lines(done) == [
        "acme: max-age 1m; no lead is promised (policy.min_key_lead), so a new key may sign at once",
        "verifier class time at most why",
        "envoy-jwt-authn C T_accept 10m it fetches every 10m, whatever kid a token names",
        "T_reject 10m it uses a key for 10m without a fetch",
        "T_outage 10m its keys serve for 10m, then it must fetch and refuses every token",
        "refused 10m it fetches every 10m, whatever kid a token names",
        "spring-nimbus A T_accept at once an unknown kid makes it fetch at once: one fetch",
        "T_reject 5m it uses a key for 5m without a fetch; one token with an unknown kid makes it drop the key",
        "T_outage 5m its keys serve for 5m, then it must fetch and refuses every token",
        "refused never the lead is long enough",
        "Safe lead: 10m (envoy-jwt-authn).",
        "Safe overlap: 1h1m from the last token of the old key to its removal.",
        "The next rotation would break envoy-jwt-authn.",
    ]


def test_the_text_tells_no_bound_from_unknown_and_first_requests(predict: Predict) -> None:
    shown = lines(predict(["static-keys", "quarkus-oidc", "microsoft-identitymodel"], "--offline", "--lead", "1h"))

    assert (
        "static-keys E T_accept no bound it reads its keys once: until a restart or a change of its configuration"
        in shown
    )
    assert "T_outage unknown nobody says what it does when a fetch fails" in shown
    assert "refused first ones it refuses the first token of a key that no periodic fetch has brought" in shown
    assert "acme: nobody looked at the key set; a key is published 1h before it signs" in shown


def test_a_key_set_that_cannot_be_had_is_told_with_the_way_around(predict: Predict, provider: Any) -> None:
    provider.status = 503

    done = predict(["kube-apiserver"])

    assert done.exit_code == 3
    assert done.stderr.startswith("oidcwatch: no key set of acme: server_error: HTTP status 503")
    assert done.stderr.endswith("; --max-age or --offline do without\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"issuer": "acne"}, "'acne' is not an issuer of this configuration (did you mean 'acme'?); known: acme"),
        ({"verifiers": []}, "acme names no verifiers; add `verifiers: [...]` with rows of: oidcwatch drill verifiers"),
    ],
)
def test_a_question_about_nothing_is_refused(predict: Predict, arguments: dict[str, Any], words: str) -> None:
    done = predict(**{"verifiers": ["jose"], **arguments})

    assert (done.exit_code, done.stderr) == (2, f"oidcwatch: {words}\n")


def test_a_time_that_is_no_duration_is_refused(predict: Predict) -> None:
    done = predict(["jose"], "--lead", "soon")

    assert (done.exit_code, done.stderr) == (
        2,
        "oidcwatch: --lead: 'soon' is no duration; write it like 90s, 5m or 1h\n",
    )
