"""What every part of the configuration file is built on: the strict model, and references to secrets."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from oidcwatch.config_values import EnvName, Text, refuse


class Model(BaseModel):
    """What all parts of the file have in common: no unknown key, no conversion, descriptions for editors."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


def exactly_one(model: Model, keys: tuple[str, ...]) -> None:
    """Refuses a model in which none or several of these keys are given."""
    given = [key for key in keys if getattr(model, key) is not None]
    if len(given) != 1:
        refuse(f"needs exactly one of {', '.join(keys)}; has {' and '.join(given) or 'none'}", in_full=True)


def _reference_only(value: Any) -> Any:
    if value is None or isinstance(value, dict):
        return value
    refuse(
        "a secret must not be written into the file; refer to it: "
        '{env: NAME}, {file: /run/secrets/name} or {exec: "command"}',
        in_full=True,
    )


class SecretReference(Model):
    """Where a secret lives. The secret itself is never written into the file."""

    env: EnvName | None = None
    """Name of the environment variable that holds the secret."""
    file: Text | None = None
    """Path of the file that holds it; a relative path starts at the configuration's folder."""
    exec: Text | None = None
    """Command that prints it; run without a shell, 10 s at most."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        exactly_one(self, ("env", "file", "exec"))
        return self


Secret = Annotated[SecretReference, BeforeValidator(_reference_only)]
