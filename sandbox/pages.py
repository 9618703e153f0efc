"""The provider's HTML pages: Jinja templates of `sandbox/templates`, always escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader("sandbox"), autoescape=True, undefined=StrictUndefined)


def render(template: str, **values: object) -> str:
    """The page as HTML. Raises jinja2.UndefinedError when the template needs a value that is not given."""
    return _environment().get_template(template).render(**values)
