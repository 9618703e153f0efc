"""The reference of the configuration file, read from its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from oidcwatch.config_schema import json_schema
from oidcwatch.documentation_markdown import anchor, anchor_of, code, codes, link, table

Schema = Mapping[str, Any]
_DURATION = "30s"  # the example that the schema gives for every duration

_INTRO = (
    "One YAML file, `oidcwatch.yaml` unless `-c` or `OIDCWATCH_CONFIG` says otherwise; the files of `conf.d/*.yaml`",
    "beside it are joined to it. Unknown keys are refused. Durations are written as in Prometheus: `500ms`, `30s`,",
    "`1h30m`, `7d`. `oidcwatch config schema` prints what stands here as JSON Schema for editors,",
    "`oidcwatch config show` prints a file with every default filled in.",
    "",
    "`name[]` is an entry of a list, `name.*` an entry of a mapping with free keys.",
    "",
)


def configuration_page() -> Iterator[str]:
    """The page: the whole file first, then each kind of mapping in the order in which it is met."""
    schema = json_schema()
    definitions: Mapping[str, Schema] = schema["$defs"]
    yield from _INTRO
    yield from ("## The file", "")
    yield from _keys(schema, definitions)
    for name, places in _places(schema, definitions).items():
        yield from (anchor(_short(name)), "", f"## {code(places[0])}", "")
        yield from (definitions[name].get("description", ""), "")
        if places[1:]:
            yield from (f"The same at {codes(places[1:])}.", "")
        yield from _keys(definitions[name], definitions)


def _keys(model: Schema, definitions: Mapping[str, Schema]) -> Iterator[str]:
    required = model.get("required", ())
    rows = (
        (
            code(key),
            _type(part),
            "required" if key in required else _default(part),
            part.get("description") or _description(part, definitions),
        )
        for key, part in model["properties"].items()
    )
    return table(("key", "value", "default", "meaning"), rows)


def _places(schema: Schema, definitions: Mapping[str, Schema]) -> dict[str, list[str]]:
    """Where each definition is used, as paths, in the order in which a reader of the file meets it."""
    found: dict[str, list[str]] = {}

    def visit(model: Schema, prefix: str) -> None:
        for key, part in model["properties"].items():
            for name, suffix in _references(part):
                place = f"{prefix}{key}{suffix}"
                found.setdefault(name, []).append(place)
                visit(definitions[name], f"{place}.")

    visit(schema, "")
    return found


def _references(part: Schema, suffix: str = "") -> Iterator[tuple[str, str]]:
    if "$ref" in part:
        yield _name(part), suffix
    for option in part.get("anyOf", ()):
        yield from _references(option, suffix)
    if "items" in part:
        yield from _references(part["items"], f"{suffix}[]")
    if isinstance(part.get("additionalProperties"), dict):
        yield from _references(part["additionalProperties"], f"{suffix}.*")
    for values in part.get("patternProperties", {}).values():
        yield from _references(values, f"{suffix}.*")


def _type(part: Schema) -> str:
    if "$ref" in part:
        return link("mapping", f"#{anchor_of(_short(_name(part)))}")
    if "anyOf" in part:
        return " or ".join(_type(option) for option in part["anyOf"] if option.get("type") != "null")
    if "enum" in part:
        return codes(part["enum"])
    if part["type"] == "array":
        return f"list of {_type(part['items'])}"
    if part["type"] == "object":
        keys = part.get("propertyNames", {}).get("enum")
        values = part.get("additionalProperties") or next(iter(part["patternProperties"].values()))
        return f"{codes(keys) if keys else 'free keys'}, each a {_type(values)}"
    return _scalar(part)


def _scalar(part: Schema) -> str:
    if part["type"] == "boolean":
        return "`true`, `false`"
    if part["type"] in ("integer", "number"):
        low = part.get("minimum", part.get("exclusiveMinimum"))
        high = part.get("maximum", part.get("exclusiveMaximum"))
        return "number" if low is None and high is None else f"number, {low} to {high}"
    examples = part.get("examples", ())
    if _DURATION in examples:
        return "duration"
    if examples:
        return f"text such as {codes(examples)}"
    return "URL" if part.get("format") == "uri" else "text"


def _default(part: Schema) -> str:
    """Defaults of whole mappings are those of their keys."""
    value = part.get("default")
    return (
        "" if value is None or isinstance(value, dict) else code(value if isinstance(value, str) else json.dumps(value))
    )


def _description(part: Schema, definitions: Mapping[str, Schema]) -> str:
    """A key without words of its own has those of the mapping that it holds."""
    return next((definitions[name].get("description", "") for name, _ in _references(part)), "")


def _name(part: Schema) -> str:
    return str(part["$ref"]).removeprefix("#/$defs/")


def _short(name: str) -> str:
    return name.removesuffix("Model")
