"""The table of canaries: names that predictions know, and options in the units of their libraries."""

from __future__ import annotations

import pytest

from drills.canaries.registry import CANARIES, Setting, Time
from drills.verifiers import verifiers


def test_options_are_given_in_the_unit_of_the_library() -> None:
    assert CANARIES["pyjwt"].shortened(ttl=5, cooldown=2) == {"lifespan": 5, "cooldown_duration": 2}
    assert CANARIES["jose"].shortened(ttl=5, cooldown=2) == {"cacheMaxAge": 5000, "cooldownDuration": 2000}


def test_a_time_that_a_library_has_no_option_for_stays_as_it_is() -> None:
    assert CANARIES["node-jwks-rsa"].shortened(ttl=5, cooldown=2) == {"cacheMaxAge": 5000}
    assert CANARIES["openid-client"].shortened(ttl=5, cooldown=2) == {}


def test_a_time_is_never_shorter_than_the_library_allows() -> None:
    assert CANARIES["mod-auth-openidc"].shortened(ttl=5) == {"OIDCJWKSRefreshInterval": 300}


def test_an_unknown_time_is_refused() -> None:
    with pytest.raises(ValueError, match="lead"):
        CANARIES["pyjwt"].shortened(lead=5)


@pytest.mark.parametrize("name", CANARIES)
def test_every_canary_is_a_verifier_that_predictions_know(name: str) -> None:
    assert name in verifiers()


@pytest.mark.parametrize(
    ("name", "setting"), [(name, setting) for name, row in CANARIES.items() for setting in row.settings]
)
def test_the_default_of_an_option_is_what_the_prediction_counts_with(name: str, setting: Setting) -> None:
    row = verifiers()[name]

    predicted = {Time.TTL: row.ttl, Time.COOLDOWN: row.cooldown}[setting.bounds]

    assert setting.default_seconds == predicted


def test_the_canaries_are_written_in_five_languages() -> None:
    assert {row.language for row in CANARIES.values()} == {"Python", "JavaScript", "Go", "Java", "C"}
