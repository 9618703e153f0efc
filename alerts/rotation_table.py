"""The table of rotation findings: what each means, whom it wakes or what ticket it opens, on what evidence, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from alerts.model import Area
from probes.model import Severity


class Seen(Enum):
    """How long a finding must have been there before somebody is told."""

    AT_ALL = "at all"  # a state that each run tells of while it lasts
    EACH_TIME = "each time"  # what one slow answer or one stale edge shows as well: all runs of five minutes tell of it
    ONCE = "once"  # a change, of which one run tells: any in half an hour


class Witness(Enum):
    """Who must see a finding before it wakes somebody."""

    ONE = "one region"  # it rests on what cannot be made up: a published secret, or a token that verified
    MOST = "most regions"  # a change of the set, which one stale edge or a region with another view shows as well


@dataclass(frozen=True, slots=True)
class RotationRow:
    """One check of a rotation. It pages, as a failure, where `pages`; from `ticket` on it opens a ticket, if at all."""

    id: str
    wrong: str
    """What is the matter, as the end of "acme: ROT-05: ..."; bounded text, for it is a label's value of one series."""
    why: str
    do: str
    ticket: Severity | None = Severity.FAILURE
    pages: bool = False
    witness: Witness = Witness.ONE
    """For its page; a ticket is opened on the word of any region."""
    area: Area = Area.KEYS
    seen: Seen = Seen.AT_ALL
    of_https: bool = False
    """Told of issuers on https only: where the issuer itself is on http, that was chosen."""
    drill: str = ""
    """The scenario of `oidcwatch drill run` that rehearses it."""


_WARNING = Severity.WARNING

_LIFE: tuple[RotationRow, ...] = (
    RotationRow(
        "ROT-02", "a kid names another key than before",
        "Verifiers that hold the old key under that kid refuse every new token until their cache ends; many never ask "
        "again, for they do know the kid.",
        "Publish the new key under a new kid and sign with that; publish the old key under its own kid again.",
        pages=True, witness=Witness.MOST, seen=Seen.ONCE, drill="kid-reuse",
    ),
    RotationRow(
        "ROT-03", "a key signs too soon after its publication",
        "Verifiers that keep a set for its whole max-age refuse the new tokens until they fetch again.",
        "Sign with the old key again until the new one has been published for the lead that `oidcwatch drill predict` "
        "names.",
        ticket=_WARNING, drill="zero-lead",
    ),
    RotationRow(
        "ROT-04", "a key left the set within the life of its tokens",
        "Tokens that nobody's probe has seen may still carry it, and verifiers without it in their cache refuse them.",
        "Publish the key again for the longest life of a token and five minutes more.",
        drill="early-removal",
    ),
    RotationRow(
        "ROT-05", "a key left the set before the tokens that it signed",
        "A valid token of that key is known: every verifier that fetches the set now refuses it.",
        "Publish the key again, at once, and leave it there until the last of its tokens has expired. Not when it left "
        "because it is compromised: then end the sessions instead.",
        pages=True, drill="early-removal",
    ),
    RotationRow(
        "ROT-06", "a key signs that is not published",
        "No verifier can know the key: all new tokens are refused, and each of them makes verifiers ask for keys.",
        "Publish the key that signs, or sign with a published one again.",
        pages=True, drill="zero-lead",
    ),
    RotationRow(
        "ROT-07", "every key was replaced at once",
        "All tokens in circulation lose their key, and verifiers with a cached set know none of the new ones.",
        "Publish the former keys beside the new ones, and sign with a former one for as long as caches live.",
        pages=True, witness=Witness.MOST, seen=Seen.ONCE, drill="compromise",
    ),
    RotationRow(
        "ROT-14", "a key signs for too long, or none stands by",
        "The longer a key signs the more a leak is worth; without a next key in the set a rotation has no lead.",
        "Plan a rotation: `oidcwatch drill predict ISSUER` says what it would break.",
        ticket=_WARNING, drill="routine",
    ),
    RotationRow(
        "ROT-15", "a key lies unused in the set",
        "Nothing breaks. Whoever holds the private half of a forgotten key can sign for everybody.",
        "Find out what the key is for, and take it out of the set if nobody knows.",
        ticket=None, drill="routine",
    ),
)  # fmt: skip

_SET: tuple[RotationRow, ...] = (
    RotationRow(
        "ROT-01", "keys without a kid of their own",
        "Verifiers choose a key by its kid. Without one they try all, or the first, or refuse.",
        "Give each key in the set a kid that no other has.",
        drill="kid-missing",
    ),
    RotationRow(
        "ROT-09", "the key set differs from edge to edge",
        "Whether a token is accepted depends on which edge a verifier has asked.",
        "Purge the set from every cache in front of the provider, and compare again.",
        seen=Seen.EACH_TIME, drill="edge-inconsistency",
    ),
    RotationRow(
        "ROT-10", "a key's members contradict one another",
        "Strict libraries drop such a key, or the whole set with it.",
        "Correct alg, kty, crv, use or key_ops of that key; advertise only algorithms that a published key can do.",
        drill="algorithm-change",
    ),
    RotationRow(
        "ROT-11", "a key is too weak or not sound",
        "Libraries refuse short keys, and short keys can be broken.",
        "Rotate to a key of at least 2048 bits (RSA), or on a standard curve.",
        drill="algorithm-change",
    ),
    RotationRow(
        "ROT-12", "private or symmetric key material is published",
        "Anybody can sign as the provider, since whenever it was published.",
        "Treat the key as compromised: rotate at once, take it out of the set, end sessions, restart verifiers that keep "
        "keys, and look for tokens that nobody issued.",
        ticket=None, pages=True, area=Area.SECURITY, drill="compromise",
    ),
    RotationRow(
        "ROT-13", "a certificate does not fit its key, or ends",
        "Verifiers that go by x5c or x5t refuse the key.",
        "Renew the certificate for this very key, or leave x5c and x5t out of the set.",
        ticket=_WARNING,
    ),
    RotationRow(
        "ROT-20", "a key is shared with another issuer",
        "A token of the one is valid for the other wherever `iss` is not compared, as from staging in production.",
        "Give each issuer keys of its own. Until then treat tokens of the weaker one as valid at the stronger one. Where the "
        "two share their keys on purpose (two names of one provider, tenants of Entra ID), name one of them in "
        "`shares_keys_with` of the other: it is a note then.",
        ticket=_WARNING, pages=True, area=Area.SECURITY, drill="compromise",
    ),
)  # fmt: skip

_DELIVERY: tuple[RotationRow, ...] = (
    RotationRow(
        "ROT-08", "the key set is cached for too short or too long",
        "Too short: verifiers ask with every token, and fail with the provider. Too long: they refuse a new key.",
        "Send a max-age between a minute and the lead that keys are published with, an hour at most. Name the verifiers of "
        "this issuer in `verifiers`: what hurts none of them is a note.",
        ticket=_WARNING, drill="zero-lead",
    ),
    RotationRow(
        "ROT-16", "the key set is too large or too slow",
        "Consumers with a short deadline get no keys at all.",
        "Retire keys that nobody needs, and serve the set from a cache close to its readers.",
        ticket=_WARNING, seen=Seen.EACH_TIME, drill="jwks-outage-slow",
    ),
    RotationRow(
        "ROT-17", "the key set is not answered as JSON with status 200",
        "Libraries that follow no redirect, or look at the content type, get no keys.",
        "Serve the set at jwks_uri itself, as application/json or application/jwk-set+json.",
        seen=Seen.EACH_TIME, drill="jwks-outage-html",
    ),
    RotationRow(
        "ROT-18", "the key set's TLS certificate ends soon or has changed",
        "When it ends nobody can fetch keys. A change that nobody planned may be somebody in between.",
        "Renew it. After a move to another authority, compare the issuer and the public key with what was planned. A renewal "
        "by the same organisation is a note.",
        ticket=_WARNING, area=Area.CERTIFICATE, seen=Seen.ONCE,
    ),
    RotationRow(
        "ROT-19", "the key set is served from elsewhere or without TLS",
        "Whoever can change the set on its way decides who signs.",
        "Serve it over https from the issuer's host, or name its host in `allowed_hosts` if that is yours too.",
        ticket=_WARNING, of_https=True,
    ),
)  # fmt: skip

ROTATION: Mapping[str, RotationRow] = MappingProxyType(
    {row.id: row for row in sorted((*_LIFE, *_SET, *_DELIVERY), key=lambda row: row.id)}
)
"""By id, in their order."""
