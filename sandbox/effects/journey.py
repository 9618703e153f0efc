"""Effects on what the browser meets: pages, verdicts on credentials, redirects and callback parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sandbox.pages import render
from sandbox.points import Situation
from sandbox.reply import Reply, page


def show_page(template: str) -> Callable[[Reply | None, Situation], Reply]:
    """This page, with the parameters as its variables; `status` among them is the HTTP status."""

    def effect(_reply: Reply | None, at: Situation) -> Reply:
        return page(render(template, **at.params), at.params.get("status", 200))

    return effect


def append_script(reply: Reply, at: Situation) -> Reply:
    """A script that throws, and that removes the form as a crashed single-page application would."""
    return replace(reply, text=f"{reply.text}{render('script_error.html', **at.params)}")


def message(_verdict: str, at: Situation) -> str:
    return str(at.params["message"])


def error_code(_code: str, at: Situation) -> str:
    return str(at.params["error"])


def yes(_value: bool, _at: Situation) -> bool:
    return True


def set_parameters(parameters: Mapping[str, str], at: Situation) -> Mapping[str, str]:
    """Every parameter of the fault becomes one of the authorization response."""
    return {**parameters, **at.params}


def drop_parameter(parameters: Mapping[str, str], at: Situation) -> Mapping[str, str]:
    return {name: parameters[name] for name in parameters if name != at.params["parameter"]}
