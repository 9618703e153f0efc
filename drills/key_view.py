"""Which key signs and which are published, as seen from outside, and in words what of that is not as it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drills.outside import Outside, kid_of

_LONGEST_KID = 80
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class KeyView:
    """What is seen at one time."""

    signs: str
    """The kid of a new token; empty when tokens name none."""
    published: Mapping[str, str]
    """Kids of signature keys by thumbprint (RFC 7638)."""

    @property
    def kids(self) -> frozenset[str]:
        """Of the published keys."""
        return frozenset(self.published.values())


Unlike = Callable[[KeyView, KeyView], str]
"""What is wrong with the first, which is now, seen from the second, which was before the drill or the move; else empty."""


def look_at_keys(outside: Outside) -> KeyView:
    """What is seen now. Raises what probes raise."""
    return KeyView(kid_of(outside.mint()), published_of(outside))


def published_of(outside: Outside) -> Mapping[str, str]:
    """Kids of the signature keys by thumbprint. Raises what probes raise."""
    return {key.thumbprint: key.kid for key in outside.keys().keys if key.signs and key.thumbprint}


def shown(kid: str) -> str:
    """For people: a provider may choose any kid."""
    return repr(kid[:_LONGEST_KID])


def key_is_added(now: KeyView, before: KeyView) -> str:
    """A key is published that was not."""
    return "" if now.published.keys() - before.published.keys() else "no key was added to the key set"


def new_signs(now: KeyView, before: KeyView) -> str:
    """Another key signs; where tokens name none that is not seen."""
    still = bool(before.signs) and now.signs == before.signs
    return f"new tokens are still signed with {shown(before.signs)}" if still else ""


def old_signs(now: KeyView, before: KeyView) -> str:
    """The key of before goes on signing."""
    if now.signs == before.signs:
        return ""
    return f"new tokens are signed with {shown(now.signs)}, not with {shown(before.signs)}"


def signer_is_published(now: KeyView, before: KeyView) -> str:
    """Tokens that are issued now can be verified."""
    return "" if now.signs in now.kids else f"{shown(now.signs)}, which signs new tokens, is not published"


def old_is_published(now: KeyView, before: KeyView) -> str:
    """Tokens that were issued before can be verified."""
    return "" if before.signs in now.kids else f"{shown(before.signs)} is not published any more"


def old_is_gone(now: KeyView, before: KeyView) -> str:
    """The key that signed before is not published; where tokens name none it is not known which that is."""
    still = bool(before.signs) and before.signs in now.kids
    return f"{shown(before.signs)} is still published" if still else ""


def keys_of_before_are_published(now: KeyView, before: KeyView) -> str:
    """No key that was published before is missing."""
    missing = len(before.published.keys() - now.published.keys())
    return f"{missing} of the keys that were published before the drill are missing" if missing else ""


def nothing_is_added(now: KeyView, before: KeyView) -> str:
    """No key is published that was not before."""
    more = sorted(kid for thumbprint, kid in now.published.items() if thumbprint not in before.published)
    return f"{', '.join(map(shown, more))} of the drill still published" if more else ""


def are_gone(kids: frozenset[str], now: KeyView, before: KeyView) -> str:
    """None of these keys is published."""
    left = sorted(kids & now.kids)
    return f"{', '.join(map(shown, left))} of the drill still published" if left else ""
