"""The JSON Schema that editors use: complete, and telling what the loader tells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from oidcwatch.config_schema import json_schema
from probes.registry import PROBES


def _properties(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(part, dict):
        for name, value in part.get("properties", {}).items():
            yield f"{path}.{name}", value
        for key, value in part.items():
            yield from _properties(value, f"{path}.{key}")


def test_every_key_has_a_description() -> None:
    undescribed = [path for path, value in _properties(json_schema()) if not value.get("description")]

    assert undescribed == []


def test_unknown_keys_are_refused_in_editors_too() -> None:
    schema = json_schema()

    models = [schema, *schema["$defs"].values()]

    assert all(model["additionalProperties"] is False for model in models)


def test_every_kind_of_probe_is_offered_where_it_belongs() -> None:
    definitions = json_schema()["$defs"]

    offered = [*definitions["IssuerProbe"]["properties"]["type"]["enum"]]
    offered += definitions["ClientProbe"]["properties"]["type"]["enum"]

    assert sorted(offered) == sorted(PROBES)


def test_a_default_duration_is_written_as_in_a_file() -> None:
    definitions = json_schema()["$defs"]

    assert definitions["AgentModel"]["properties"]["drain"]["default"] == "20s"


def test_the_short_form_of_a_probe_is_allowed() -> None:
    items = json_schema()["$defs"]["IssuerModel"]["properties"]["probes"]["items"]

    assert {"type": "string", "enum": ["discovery", "jwks"]} in items["anyOf"]


def test_one_file_of_several_may_have_no_issuers() -> None:
    assert "required" not in json_schema()
