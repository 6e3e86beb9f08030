"""Where pages find their templates, and the head and the style that all of them have."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def templates_of(package: str) -> Environment:
    """Templates of `package` and of this one; `style`: page.css, which goes in unescaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def text(name: str) -> str | None:
        places = (files(each).joinpath(name) for each in (package, "exporter.report"))
        return next((place.read_text(encoding="utf-8") for place in places if place.is_file()), None)

    environment = Environment(
        loader=FunctionLoader(text), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["style"] = Markup(text("page.css"))
    return environment
