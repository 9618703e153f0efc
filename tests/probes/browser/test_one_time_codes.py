"""One-time codes: RFC 6238, fresh, and never twice."""

from __future__ import annotations

import base64
import hmac
import re
from datetime import UTC, datetime

import pytest

from probes.login_pages_otp import OneTimeCodes
from probes.model import ProbeFailure, Reason

# RFC 6238, appendix B: the ASCII secret 12345678901234567890, eight digits at 59 s.
RFC_SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_URI = f"otpauth://totp/op:alice?secret={RFC_SEED}&digits=8&issuer=op"


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_the_code_is_that_of_the_rfc() -> None:
    timed = OneTimeCodes().next(RFC_URI, lambda: at(31))

    assert (timed.code, timed.wait) == ("94287082", 0.0)


def test_a_seed_may_have_spaces_and_small_letters() -> None:
    spaced = re.sub("(.{4})", r"\1 ", RFC_SEED.lower())

    assert OneTimeCodes().next(spaced, lambda: at(31)) == OneTimeCodes().next(RFC_SEED, lambda: at(31))


def test_a_code_about_to_expire_is_left_for_the_next() -> None:
    timed = OneTimeCodes().next(RFC_SEED, lambda: at(58))

    assert timed.wait == 2.0
    assert timed.code == OneTimeCodes().next(RFC_SEED, lambda: at(60)).code


def test_no_code_is_given_twice_within_its_window() -> None:
    codes = OneTimeCodes()

    given = [codes.next(RFC_SEED, lambda: at(31)) for _ in range(3)]

    assert [timed.wait for timed in given] == [0.0, 29.0, 59.0]
    assert len({timed.code for timed in given}) == 3


def test_two_seeds_do_not_wait_for_each_other() -> None:
    codes = OneTimeCodes()

    codes.next(RFC_SEED, lambda: at(31))

    assert codes.next("JBSWY3DPEHPK3PXP", lambda: at(31)).wait == 0.0


@pytest.mark.parametrize(
    "seed", ["", "not base32 canary!", "otpauth://hotp/x?secret=GEZDGNBV&counter=1", "otpauth://x"]
)
def test_a_seed_that_is_none_is_our_mistake_and_is_not_quoted(seed: str) -> None:
    with pytest.raises(ProbeFailure) as refused:
        OneTimeCodes().next(seed, lambda: at(31))

    assert refused.value.reason is Reason.PROBE_ERROR
    assert not seed or seed not in str(refused.value)


def test_a_short_seed_gives_the_codes_of_its_own_bytes() -> None:
    counter, key = 1, base64.b32decode("JBSWY3DPEHPK3PXP")
    digest = hmac.digest(key, counter.to_bytes(8, "big"), "sha1")
    offset = digest[-1] & 15
    wanted = (int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF) % 10**6  # RFC 4226 §5.3

    assert OneTimeCodes().next("JBSWY3DPEHPK3PXP", lambda: at(31)).code == f"{wanted:06}"
