"""Reports of a finished run, to be changed and compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporter.cli import main

Tree = dict[str, Any]
Bundle = Callable[[str, Tree], str]  # writes a bundle of that name which holds that report


def diff(bundle: Bundle, old: Tree, new: Tree, *words: str) -> int:
    return main(["diff", bundle("old", old), bundle("new", new), *words])
