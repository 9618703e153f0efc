"""What login pages look like and what they say, as data: presets, page kinds and the phrases that tell why it failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from probes.model import ProbeFailure, Reason
from probes.subjects import LoginForm


class PageKind(StrEnum):
    """What a page wants next."""

    LOGIN = "login"  # user name, password, or both
    OTP = "otp"
    CONSENT = "consent"
    LOGOUT = "logout"  # a confirmation of RP-initiated logout
    INTERACTION = "interaction"  # something that only a person can decide
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Preset:
    """CSS selectors of one product's pages; what is empty or not there is found by semantics."""

    username: str = ""
    password: str = ""
    otp: str = ""
    submit: str = ""
    accept: str = ""
    refuse: str = ""


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "generic": Preset(),
        # The ids of Keycloak's login theme, kept by its v1 and v2 themes and by most that are derived from them.
        "keycloak": Preset(
            username="#username",
            password="#password",
            otp="#otp, #totp",
            submit="#kc-login",
            accept="#kc-login[name=accept], #kc-logout",
            refuse="#kc-cancel",
        ),
    }
)

ALERTS = "[role=alert], [role=alertdialog], [aria-live=assertive], .error, .alert, .alert-error, .error-message, [id^=input-error]"
_USERNAME = r"user|login|e-?mail|identifier|account"
_OTP = r"\b[ot]?otp\b|one.?time|authenticat(?:or|ion) code|verification.?code|security.?code|passcode|two.?factor|\b[2m]fa\b"
_SUBMIT = r"log.?in|sign.?in|continue|next|verify|submit|confirm"
_ACCEPT = r"\b(?:accept|allow|approve|authori[sz]e|consent|continue|grant|agree|confirm|yes|sign.?out|log.?out)\b"
_REFUSE = r"\b(?:cancel|deny|decline|refuse|reject|abort|disagree|back|not now|no)\b"

_CONSENT = re.compile(
    r"\bconsent|\bauthori[sz]e\b|grant access|wants? (?:to )?access|requests? access|permissions?\b", re.IGNORECASE
)
_LOGOUT = re.compile(r"sign.?out|log.?out|end.?session", re.IGNORECASE)
_SIGNED_OUT = re.compile(r"(?:signed|logged)[ -]?out", re.IGNORECASE)
_PERSON = re.compile(
    r"terms (?:and|of|&)|terms.?accept|privacy (?:policy|notice|statement)|update (?:your )?(?:password|profile|account)|"
    r"change (?:your )?password|password (?:has )?expired|verify (?:your )?e-?mail|complete (?:your )?profile|"
    r"set ?up|configure (?:otp|authenticator)|enrol|choose an account",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words on a page and the reason that they stand for."""

    pattern: re.Pattern[str]
    reason: Reason


def _rows(*rows: tuple[str, Reason]) -> tuple[Phrase, ...]:
    return tuple(Phrase(re.compile(pattern, re.IGNORECASE), reason) for pattern, reason in rows)


# On a page that asks for the same again after a submit. Without any of these the question itself is the refusal.
REFUSALS = _rows(
    (r"too many (?:requests|logins)|rate limit", Reason.RATE_LIMITED),
    (r"internal (?:server )?error|temporarily unavailable|unexpected error", Reason.SERVER_ERROR),
    (
        r"invalid|incorrect|wrong|not (?:recogni[sz]ed|found|valid|match)|do(?:es)?n.t match",
        Reason.CREDENTIALS_REJECTED,
    ),
    (r"locked|disabled|blocked|suspended|expired|too many (?:failed )?attempts|denied", Reason.CREDENTIALS_REJECTED),
)

# On a page without fields. The codes are those of RFC 6749 §4.1.2.1 and §5.2 and OIDC Core §3.1.2.6.
ERRORS = _rows(
    (r"redirect[ _-]?ur[il]", Reason.REDIRECT_URI_REJECTED),
    (r"invalid[ _]?client_id|client not found|unknown client|invalid[ _]client\b", Reason.REQUEST_REJECTED),
    (r"\binvalid[ _](?:request(?:_uri|_object)?|scope|target|grant|client_metadata)\b", Reason.REQUEST_REJECTED),
    (
        r"unauthori[sz]ed[ _]client|unsupported[ _](?:response|grant)[ _]type|request_not_supported",
        Reason.REQUEST_REJECTED,
    ),
    (r"registration_not_supported|request_uri_not_supported|(?:missing|invalid) parameter", Reason.REQUEST_REJECTED),
    (r"\baccess[ _]denied\b", Reason.ACCESS_DENIED),
    (r"(?:login|interaction|consent|account_selection)_required", Reason.INTERACTION_REQUIRED),
    (r"too many requests|rate limit|slow_down|temporarily[ _]unavailable", Reason.RATE_LIMITED),
    (r"\bserver_error\b|internal server error", Reason.SERVER_ERROR),
    (r"account (?:is |has been )?(?:locked|disabled|suspended)", Reason.CREDENTIALS_REJECTED),
)


@dataclass(frozen=True, slots=True)
class Page:
    """What a look at the page found. `document` tells one loaded document from the next."""

    document: float
    shape: str = field(repr=False)
    fields: frozenset[str]
    heading: str = field(repr=False)
    alerts: str = field(repr=False)
    marks: str = field(repr=False)
    text: str = field(repr=False)
    invalid: bool
    new_password: bool
    controls: int
    timing: Mapping[str, float]
    """Milliseconds of the document's own navigation (Navigation Timing 2)."""

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Page:
        """From what the script returned."""
        return cls(**{**facts, "fields": frozenset(facts["fields"])})

    def summary(self) -> str:
        """The beginning of what the page says, on one line."""
        return " ".join((self.alerts or self.text).split())[:200]

    def known(self) -> dict[str, Any]:
        """What the next look compares with."""
        return {"document": self.document, "shape": self.shape, "alerts": self.alerts, "invalid": self.invalid}


def rules(form: LoginForm) -> dict[str, Any]:
    """The scripts' argument for a form's preset. Raises ProbeFailure(probe_error) for a preset that does not exist."""
    preset = PRESETS.get(form.preset)
    if preset is None:
        known = ", ".join(PRESETS)
        raise ProbeFailure(Reason.PROBE_ERROR, f"login preset {form.preset!r} does not exist; known: {known}")
    return {
        "selectors": {name: getattr(preset, name) for name in Preset.__slots__},
        "alerts": ALERTS,
        "username": _USERNAME,
        "otp": _OTP,
        "submit": _SUBMIT,
        "accept": _ACCEPT,
        "refuse": _REFUSE,
    }


def kind_of(page: Page) -> PageKind:
    """What the page wants; fields say more than words, and words more than the mere presence of a button."""
    said = f"{page.heading} {page.marks}"
    if page.new_password:
        return PageKind.INTERACTION
    if "otp" in page.fields:
        return PageKind.OTP
    if page.fields & {"password", "username"}:
        return PageKind.LOGIN
    if _PERSON.search(said):
        return PageKind.INTERACTION
    if "accept" in page.fields and _LOGOUT.search(said):
        return PageKind.LOGOUT
    if "accept" in page.fields and _CONSENT.search(f"{said} {page.text[:600]}"):
        return PageKind.CONSENT
    return PageKind.INTERACTION if "accept" in page.fields and not error_of(page, 200) else PageKind.UNKNOWN


def is_signed_out(page: Page) -> bool:
    """Whether the page says that the session has ended."""
    return bool(_SIGNED_OUT.search(f"{page.heading} {page.text}"))


def refusal_of(page: Page) -> Reason | None:
    """Why the page says that what was typed is refused; None when it says nothing."""
    said = page.alerts or page.text
    found = next((phrase.reason for phrase in REFUSALS if phrase.pattern.search(said)), None)
    if found is None and (page.alerts or page.invalid):
        return Reason.CREDENTIALS_REJECTED
    return found


def error_of(page: Page, status: int) -> Reason | None:
    """Why a page without fields is an error page; None when neither its words nor its status say so.

    `status` is that of the navigation. It comes last: providers answer errors with 200 and forms with 401.
    """
    if page.fields & {"username", "password", "otp"}:
        return None
    if status == 429:
        return Reason.RATE_LIMITED
    if status >= 500:
        return Reason.SERVER_ERROR
    said = f"{page.heading} {page.alerts} {page.text}"
    if found := next((phrase.reason for phrase in ERRORS if phrase.pattern.search(said)), None):
        return found
    if status == 400:
        return Reason.REQUEST_REJECTED
    return Reason.BAD_RESPONSE if status > 400 else None
