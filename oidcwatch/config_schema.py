"""Checks the shape of the joined data against the models, in our own words, and publishes it as JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from oidcwatch.config_duration import format_duration
from oidcwatch.config_merge import Tree
from oidcwatch.config_model import Config
from oidcwatch.config_problem import Loc, Problem, closest, found, is_secret, kind_of
from oidcwatch.config_values import REFUSED, REFUSED_IN_FULL

_Words = Callable[[ErrorDetails], str]

# What pydantic found wrong, in the words of someone who edits a YAML file.
_MESSAGES: Mapping[str, _Words] = MappingProxyType(
    {
        REFUSED: lambda error: str(error["ctx"]["message"]),
        REFUSED_IN_FULL: lambda error: str(error["ctx"]["message"]),
        "missing": lambda _: "is required",
        "string_type": lambda _: "must be text",
        "bool_type": lambda _: "must be true or false",
        "int_type": lambda _: "must be a whole number",
        "list_type": lambda _: "must be a list",
        "dict_type": lambda _: "must be a mapping",
        "model_type": lambda _: "must be a mapping",
        "literal_error": lambda error: f"must be one of {error['ctx']['expected'].replace(' or ', ', ')}",
        "greater_than_equal": lambda error: f"must be {error['ctx']['ge']} or more",
        "less_than_equal": lambda error: f"must be {error['ctx']['le']} or less",
        "too_short": lambda _: "must have at least one entry",
    }
)
_IN_FULL = frozenset({REFUSED_IN_FULL, "missing", "too_short"})
_OF_STRUCTURE = frozenset({"list_type", "dict_type", "model_type"})
# Consequences of another error that is reported in its own place.
_SILENT = frozenset({"default_factory_not_called"})


def validate(tree: Tree) -> tuple[Config | None, list[Problem]]:
    """The typed configuration, or None and everything that is wrong with its shape."""
    try:
        return Config.model_validate(tree.data), []
    except ValidationError as error:
        errors = [details for details in error.errors(include_url=False) if details["type"] not in _SILENT]
        return None, [_problem(details, tree) for details in errors]


def _problem(error: ErrorDetails, tree: Tree) -> Problem:
    loc: Loc = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        return tree.problem(loc, _unknown_key(loc))
    message = _MESSAGES[error["type"]](error) if error["type"] in _MESSAGES else error["msg"]
    if error["type"] not in _IN_FULL and not is_secret(loc):
        what = kind_of(error["input"]) if error["type"] in _OF_STRUCTURE else found(error["input"])
        message = f"{message}, found {what}"
    return tree.problem(loc, message)


def _unknown_key(loc: Loc) -> str:
    allowed = sorted(_model_at(loc[:-1]).model_fields)
    key = str(loc[-1])
    if key == "<<":
        return "merge keys are not supported; write the keys out"
    if is_secret(loc[:-1]):
        return f"unknown key; allowed here: {', '.join(allowed)}"
    return f"unknown key {key!r}{closest(key, allowed)}; allowed here: {', '.join(allowed)}"


def _model_at(loc: Loc) -> type[BaseModel]:
    """The model that describes the mapping at this path. Keys of plain mappings (regions) name no field."""
    model: type[BaseModel] = Config
    for part in loc:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        if field:
            model = next(_models_in(field.annotation), model)
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one configuration file, for editors."""
    schema = Config.model_json_schema()
    # A file of conf.d may hold a part only; that all files together have issuers is checked when they are loaded.
    schema.pop("required", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_readable(schema), "title": "oidcwatch"}


def _readable(part: Any) -> Any:
    """Without generated titles, and with the defaults of durations as they are written in a file."""
    if isinstance(part, list):
        return [_readable(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {key: _readable(value) for key, value in part.items() if not (key == "title" and isinstance(value, str))}
    if kept.get("type") == "string" and isinstance(kept.get("default"), float):
        kept["default"] = format_duration(kept["default"])
    return kept
