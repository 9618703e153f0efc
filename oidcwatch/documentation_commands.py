"""The reference of the command line, read from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from typer.core import TyperGroup
from typer.main import get_command

from oidcwatch.cli import make_app
from oidcwatch.documentation_markdown import anchor, code, table

_VERBATIM = "\b\n"
"""Begins a paragraph of a help text that keeps its line breaks (click's own convention)."""


def command_names() -> tuple[str, ...]:
    """Every command that the help lists, subcommands as `config check`."""
    return tuple(name for name, _ in _shown(_program()))


def commands_page() -> Iterator[str]:
    """The page: the program's own options, then each command with its help text and its options."""
    program = _program()
    yield from _entry("", program)
    for name, command in _shown(program):
        yield from (anchor(name), "", f"## oidcwatch {name}", "")
        yield from _entry(name, command)


def all_commands() -> dict[str, str]:
    """Every command with its help text, hidden ones included."""
    return {name: command.help or "" for name, command in _leaves(_program(), "")}


def _program() -> TyperGroup:
    return cast(TyperGroup, get_command(make_app()))


def _shown(program: TyperGroup) -> Iterator[tuple[str, Any]]:
    return ((name, command) for name, command in _leaves(program, "") if not command.hidden)


def _leaves(group: TyperGroup, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _leaves(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _entry(name: str, command: Any) -> Iterator[str]:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    usage = " ".join(
        filter(None, ("oidcwatch", name, "[OPTIONS]", *map(_metavar, arguments), "COMMAND" if not name else ""))
    )
    yield from ("```", usage, "```", "")
    for paragraph in (command.help or "").split("\n\n"):
        yield from _paragraph(paragraph)
    rows = [(_spelling(param), _fallback(param), param.help or "") for param in (*arguments, *options)]
    yield from table(("argument or option", "default", "meaning"), rows)


def _paragraph(text: str) -> Iterator[str]:
    if not text.startswith(_VERBATIM):
        yield from (text, "")
        return
    title, *lines = text.removeprefix(_VERBATIM).splitlines()
    yield from (title, "", "```sh", *(line.strip() for line in lines), "```", "")


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _spelling(param: Any) -> str:
    if param.param_type_name == "argument":
        return code(_metavar(param))
    value = "" if param.is_flag else f" {_metavar(param)}"
    return code(", ".join(param.opts) + value)


def _fallback(param: Any) -> str:
    """What holds when it is not given: a default, an environment variable before it, or that it must be given."""
    if param.required:
        return "required"
    default = param.default
    shown = code(default) if default is not None and default is not False and not callable(default) else ""
    return " or ".join(filter(None, (code(f"${param.envvar}") if param.envvar else "", shown)))
