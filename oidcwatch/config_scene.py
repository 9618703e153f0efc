"""The raw data of a configuration as rules look at it: values of unknown shape that know where they were written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from oidcwatch.config_duration import parse_duration
from oidcwatch.config_merge import Tree
from oidcwatch.config_problem import Loc


@dataclass(frozen=True, slots=True)
class Node:
    """A value of unknown shape and its path."""

    value: object
    loc: Loc = ()

    def get(self, key: str) -> Node:
        """The value of this key; None where there is none."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(value, (*self.loc, key))

    def items(self, key: str) -> list[Node]:
        """The entries of the list at this key."""
        node = self.get(key)
        items = node.value if isinstance(node.value, list) else []
        return [Node(item, (*node.loc, index)) for index, item in enumerate(items)]

    def values(self, key: str) -> list[Node]:
        """The values of the mapping at this key, whatever its keys are."""
        node = self.get(key)
        names = node.value if isinstance(node.value, dict) else {}
        return [node.get(name) for name in names]

    @property
    def text(self) -> str:
        """The value if it is text, or nothing."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def seconds(self) -> float | None:
        """The value if it is a duration."""
        try:
            return parse_duration(self.text)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Scene:
    """What the rules look at: the data, and the region that the environment names (empty: the file's)."""

    root: Node
    tree: Tree
    region: str

    @property
    def own_region(self) -> str:
        """Where the agent is."""
        return self.region or self.root.get("region").get("name").text or "local"

    @property
    def regions(self) -> tuple[str, ...]:
        """Every region that a check may name, whichever agent runs there."""
        names = [
            self.own_region,
            self.root.get("region").get("name").text,
            *(item.get("name").text for item in self.root.items("other_regions")),
            *(item.get("region").text for item in self.root.items("egress")),
        ]
        return tuple(dict.fromkeys(filter(None, names)))

    def probes(self) -> Iterator[Node]:
        """Every check, of issuers and of clients."""
        for issuer in self.root.items("issuers"):
            yield from issuer.items("probes")
            for client in issuer.items("clients"):
                yield from client.items("probes")
