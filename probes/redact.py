"""The one place that removes secrets from text: whatever leaves a run or a log goes through here."""

from __future__ import annotations

import json
import logging
import re
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "[redacted]"
_REMEMBERED = 2048
_REMEMBERED_CHARACTERS = 16 * 1024 * 1024  # a provider chooses how long its tokens are
_LONGEST_ENCODED = 16 * 1024  # characters; what is longer is no password, and nobody encodes it once more
_SHORTEST = 4  # a shorter value would mask ordinary words; a one-time code has six digits

# Members and parameters whose values are secret wherever they appear (RFC 6749, OIDC Core, RFC 7662, RFC 8693).
_NAMES = (
    "access_token|refresh_token|id_token|id_token_hint|client_secret|client_assertion|code|code_verifier|password|"
    "subject_token|actor_token|assertion|device_code|user_code|auth_req_id|logout_token|session_state|otp|totp|"
    "registration_access_token|request_uri|credential"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # A JWS or JWE in compact form: its header always starts with the base64url of '{"'.
    (re.compile(r"eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*){1,4}"), MASK),
    (re.compile(rf"(?i)(\b(?:{_NAMES})=)[^&\s\"'<>#;]+"), rf"\1{MASK}"),
    (re.compile(rf"(?i)(%26|%3F|\b)((?:{_NAMES})%3D)[^&\s\"'<>#;]+?(?=%26|[&\s\"'<>#;]|$)"), rf"\1\2{MASK}"),
    (re.compile(rf"(?i)(([\"'])(?:{_NAMES})\2\s*:\s*([\"']))(?:(?!\3)[^\\]|\\.)*"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|dpop)\s+)[^\s\"',;]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b((?:basic|bearer|dpop)\s+)[A-Za-z0-9._~+/=-]{16,}"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b((?:set-)?cookie[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(otpauth://)\S+"), rf"\1{MASK}"),
    (re.compile(r"(?i)(://[^/\s:@]+:)[^/\s@]+@"), rf"\1{MASK}@"),
)  # fmt: skip


class Redactor:
    """Removes known secret values and everything that has the form of one.

    `learn` is called with every secret that is read and every token that is received; the newest 2048 are remembered,
    fewer when they are long.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._characters = 0

    def __repr__(self) -> str:
        return f"Redactor({len(self._known)} known)"

    def learn(self, values: Iterable[str]) -> None:
        """Remember values that must never be seen again, in every form that they may take."""
        for value in values:
            if len(value) < _SHORTEST:
                continue
            if value not in self._known:
                self._known[value] = _forms(value)
                self._characters += sum(map(len, self._known[value]))
            self._known.move_to_end(value)
        while len(self._known) > _REMEMBERED or self._characters > _REMEMBERED_CHARACTERS:
            _, oldest = self._known.popitem(last=False)
            self._characters -= sum(map(len, oldest))

    def __call__(self, text: str) -> str:
        """The text without secrets."""
        # Searching each form beats one large pattern: most texts hold none of them, and values come and go.
        found = {form for forms in self._known.values() for form in forms if form in text}
        for form in sorted(found, key=len, reverse=True):
            text = text.replace(form, MASK)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


def _forms(value: str) -> frozenset[str]:
    """The value as it may appear: plain, percent-encoded (with %20 and with +), in JSON, in a repr, as base64."""
    # An environment variable that is not UTF-8 arrives with surrogates (PEP 383), which cannot be encoded strictly.
    encoded = {quote(value, safe=safe, errors="replace") for safe in ("", "/")}
    encoded.add(quote_plus(value, errors="replace"))
    if len(value) <= _LONGEST_ENCODED:
        octets = value.encode("utf-8", "replace")
        # Without the padding, which not everybody writes.
        encoded |= {encode(octets).rstrip(b"=").decode() for encode in (b64encode, urlsafe_b64encode)}
    quoted = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    # An error with two arguments shows them as reprs, and so one that quotes another is escaped twice.
    return frozenset({value, *encoded, *quoted, *(repr(form)[1:-1] for form in quoted)})


class RedactingFilter(logging.Filter):
    """Redacts message and traceback of every log record; install it on handlers, so that no logger escapes it."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record in place; always lets it pass."""
        record.msg = self._redact(record.getMessage())
        record.args = None
        if record.exc_info:
            record.exc_text = self._redact("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        elif record.exc_text:
            record.exc_text = self._redact(record.exc_text)
        return True
