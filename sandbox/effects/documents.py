"""Effects on JSON answers: discovery, the JWK Set, UserInfo and the token endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from joserfc.jwk import RSAKey

from sandbox.keys import generate_key
from sandbox.points import Situation
from sandbox.reply import Reply, base64url, oauth_error


def set_members(reply: Reply, at: Situation) -> Reply:
    """Every parameter becomes a member of the document."""
    return replace(reply, document={**reply.document, **at.params})


def drop_member(reply: Reply, at: Situation) -> Reply:
    kept = {name: reply.document[name] for name in reply.document if name != at.params["member"]}
    return replace(reply, document=kept)


def drop_list_item(reply: Reply, at: Situation) -> Reply:
    items = [item for item in reply.document[at.params["member"]] if item != at.params["item"]]
    return replace(reply, document={**reply.document, at.params["member"]: items})


def slash_issuer(reply: Reply, _at: Situation) -> Reply:
    issuer = str(reply.document["issuer"])
    other = issuer.removesuffix("/") if issuer.endswith("/") else f"{issuer}/"
    return replace(reply, document={**reply.document, "issuer": other})


def swap_host(reply: Reply, at: Situation) -> Reply:
    """The named member points at another host, path and query kept."""
    parts = urlsplit(str(reply.document[at.params["member"]]))
    moved = urlunsplit(parts._replace(scheme="https", netloc=at.params["host"]))
    return replace(reply, document={**reply.document, at.params["member"]: moved})


def drop_header(reply: Reply, at: Situation) -> Reply:
    return reply.without_header(at.params["header"])


def not_json(reply: Reply, at: Situation) -> Reply:
    return replace(reply, text=at.params["body"], content_type=at.params["content_type"])


def bearer_refusal(_reply: Reply, at: Situation) -> Reply:
    """An error as resource servers give it (RFC 6750 §3.1)."""
    error = at.params["error"]
    challenge = (("WWW-Authenticate", f'Bearer realm="sandbox", error="{error}"'),)
    return Reply(at.params["status"], {"error": error}, headers=challenge)


# The JWK Set


KeysEffect = Callable[[list[dict[str, Any]], Situation], list[dict[str, Any]]]


def on_keys(change: KeysEffect) -> Callable[[Reply, Situation], Reply]:
    """Lift a change of the list of keys to one of the whole answer."""

    def effect(reply: Reply, at: Situation) -> Reply:
        return replace(reply, document={**reply.document, "keys": change(list(reply.document["keys"]), at)})

    return effect


def no_keys(_keys: list[dict[str, Any]], _at: Situation) -> list[dict[str, Any]]:
    return []


def duplicate_kid(keys: list[dict[str, Any]], _at: Situation) -> list[dict[str, Any]]:
    return [*keys, {**generate_key(keys[0]["alg"]).public_jwk(), "kid": keys[0]["kid"]}]


def drop_kid(keys: list[dict[str, Any]], _at: Situation) -> list[dict[str, Any]]:
    return [{name: key[name] for name in key if name != "kid"} for key in keys]


def private_member(keys: list[dict[str, Any]], _at: Situation) -> list[dict[str, Any]]:
    """A `d` that looks like a private key; it is random, no real one is ever shown."""
    decoy = base64url(generate_key("EdDSA").sign(b"decoy"))
    return [{**keys[0], "d": decoy}, *keys[1:]]


def small_rsa_key(keys: list[dict[str, Any]], at: Situation) -> list[dict[str, Any]]:
    small = RSAKey.generate_key(at.params["bits"]).as_dict(private=False)
    return [*keys, {**small, "kid": "rs256-small", "alg": "RS256", "use": "sig"}]


def other_material(keys: list[dict[str, Any]], _at: Situation) -> list[dict[str, Any]]:
    return [{**generate_key(key["alg"]).public_jwk(), "kid": key["kid"]} for key in keys]


def hide_signing_keys(keys: list[dict[str, Any]], at: Situation) -> list[dict[str, Any]]:
    signing = {track.active.kid for track in at.keys.tracks.values()}
    return [key for key in keys if key["kid"] not in signing]


def only_encryption(keys: list[dict[str, Any]], _at: Situation) -> list[dict[str, Any]]:
    return [{**key, "use": "enc"} for key in keys]


# The token endpoint


def refuse(_reply: Reply | None, at: Situation) -> Reply | None:
    """The token endpoint answers with an error (RFC 6749 §5.2)."""
    return oauth_error(at.params["error"], at.params["description"], at.params["status"])


def slow(reply: Reply | None, at: Situation) -> Reply | None:
    time.sleep(float(at.params["seconds"]))
    return reply
