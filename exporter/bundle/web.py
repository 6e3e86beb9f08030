"""The folder `web/` of a bundle: the page that shows it at work, and the engine that the page runs its files with."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exporter.browser.page import engine_files, page_files
from exporter.engines.litert_web import LiteRtWebEngine
from exporter.errors import MissingTool

WEB = "web/"
PAGE = f"{WEB}index.html"
LICENCE = "Apache-2.0"  # of the page and of @litertjs/core


def wants_web(recipe: Mapping[str, Any]) -> bool:
    """Whether the recipe, as resolved, asks for the folder."""
    options = recipe.get("bundle")
    return isinstance(options, dict) and options.get("web") is True


def write_web(folder: Path) -> None:
    """Into the bundle `folder`. Raises MissingTool when the engine is not here."""
    engine = LiteRtWebEngine()
    if not engine.has_files():
        raise MissingTool("the engine for web/ is not here", hint="exporter runtimes --install litert_web")
    for address, file in (page_files(WEB) | engine_files(engine.files, WEB)).items():
        target = folder / address
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
