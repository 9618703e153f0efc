"""The verifiers that a configuration names and those that it describes itself, against the table of drills."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from drills.verifiers import Headers, Seconds, Verifier, VerifierClass, Word, contradictions, verifiers
from oidcwatch.config_base import Model
from oidcwatch.config_problem import Loc, closest, found
from oidcwatch.config_scene import Node, Scene
from oidcwatch.config_values import Duration, FreeText, VerifierName
from probes.subjects import VerifierFacts

_Found = Iterator[tuple[Loc, str]]
_DURATIONS = ("ttl", "cooldown", "fetch_timeout", "leeway")


class VerifierModel(Model):
    """A verifier of this deployment: a row of the table with settings of its own."""

    name: VerifierName
    """Name for `issuers[].verifiers`; that of a row replaces the row."""
    like: VerifierName
    """Row of the table that it is like (`oidcwatch drill verifiers`)."""
    product: FreeText = ""
    """What it is; that of the row when absent."""
    ttl: Duration | None = None
    """How long it uses a key without a new fetch; for a row of class C the time between its fetches."""
    cooldown: Duration | None = None
    """Least time between fetches for unknown kids."""
    fetch_timeout: Duration | None = None
    """When it gives up a fetch of the key set."""
    leeway: Duration | None = None
    """How long it accepts a token after its `exp`."""


def own_verifiers(models: Sequence[VerifierModel]) -> tuple[Verifier, ...]:
    """The rows that a configuration describes; it has passed the rules."""
    return tuple(_own(model) for model in models)


def table_with(own: Sequence[Verifier]) -> Mapping[str, Verifier]:
    """The table of the product with these rows added to it, or in place of its own."""
    return MappingProxyType({**verifiers(), **{row.name: row for row in own}})


def facts_of(names: Sequence[str], own: Sequence[Verifier] = ()) -> tuple[VerifierFacts, ...]:
    """What checks of the key set need to know of these verifiers; a name that is in no table is passed over."""
    if not names:
        return ()  # most configurations: the table is not read for them
    table = table_with(own)
    return tuple(_facts(table[name]) for name in names if name in table)


def known_verifiers(scene: Scene) -> _Found:
    """The rule: who is named is in the table, and who is described makes sense."""
    own = scene.root.items("verifiers")
    named = [node for issuer in scene.root.items("issuers") for node in issuer.items("verifiers") if node.text]
    if not own and not named:
        return  # most configurations: the table is not read for them
    for node in own:
        yield from _described(node)
    yield from _among(named, (*verifiers(), *(node.get("name").text for node in own)))


def _described(node: Node) -> _Found:
    like = node.get("like")
    yield from _among([like] if like.text else [], tuple(verifiers()))
    if like.text in verifiers():
        given: dict[str, Any] = {key: span for key in _DURATIONS if (span := node.get(key).seconds) is not None}
        for problem in contradictions(replace(verifiers()[like.text], **given)):
            field, _, wanted = problem.partition(": ")
            key = "cooldown" if field == "anchor" else field  # nobody can write an anchor here
            yield (*node.loc, key), f"does not go with a row like {like.text}: {wanted}"


def _facts(row: Verifier) -> VerifierFacts:
    headers = row.headers or Headers()
    # Class C with `ttl: max-age` waits as class D does: whatever kid a token names (drills.prediction).
    waits = row.class_ is VerifierClass.D or (row.class_ is VerifierClass.C and row.ttl == "max-age")
    return VerifierFacts(
        name=row.name,
        waits_for_max_age=waits,
        least=headers.min,
        most=math.inf if headers.max is Word.NEVER else _known(headers.max),
        without=_known(headers.default),
        early=headers.early,
        fetch_timeout=_known(row.fetch_timeout),
    )


def _known(seconds: Seconds) -> float | None:
    return None if isinstance(seconds, Word) else seconds


def _among(nodes: Sequence[Node], known: tuple[str, ...]) -> _Found:
    for node in nodes:
        if node.text not in known:
            near = closest(node.text, known)
            yield node.loc, f"{found(node.text)} is not a known verifier{near}; see oidcwatch drill verifiers"


def _own(model: VerifierModel) -> Verifier:
    row = verifiers()[model.like]
    given = {key: seconds for key in _DURATIONS if (seconds := getattr(model, key)) is not None}
    return replace(row, name=model.name, product=model.product or row.product, **given)
