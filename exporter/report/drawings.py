"""Charts and photographs of the page as text, remembered by what is drawn: an unchanged run draws none again."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

from exporter.cache.kept import keep, recall
from exporter.files.plain_json import plain
from exporter.sources import code_of
from exporter.sources.installed import installed_version

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Args = ParamSpec("Args")

DRAWN_BY = ("exporter.report.charts", "exporter.report.pictures")
PACKAGES = ("matplotlib", "Pillow")  # matplotlib counts here, whatever it is to stages


class Drawings:
    """`record` holds what the last page showed; without it, and when other code draws, all is drawn."""

    def __init__(self, record: Path | None = None) -> None:
        self._record = record
        self._shown: dict[str, str] = {}
        self._parts = {} if record is None else code_of(*DRAWN_BY).parts() | _versions()
        self._known: dict[str, str] = recall(record, self._parts) or {}

    def chart(self, draw: Callable[Args, str], *args: Args.args, **named: Args.kwargs) -> str:
        """`draw(*args, **named)`, an SVG that depends on nothing else."""
        numbers = json.dumps(plain([args, named]))
        return self._drawn(f"{draw.__name__} {sha256(numbers.encode()).hexdigest()}", lambda: draw(*args, **named))

    def picture(self, encode: Callable[[NDArray[np.uint8]], str], pixels: NDArray[np.uint8]) -> str:
        """`encode(pixels)`, (H, W) or (H, W, 3), which depends on nothing else. Threads may ask at once."""
        digest = sha256(str(pixels.shape).encode() + pixels.tobytes()).hexdigest()
        return self._drawn(f"{encode.__name__} {digest}", lambda: encode(pixels))

    def keep(self) -> None:
        """Remember what was shown, and only that."""
        if self._shown != self._known:
            keep(self._record, self._parts, dict(sorted(self._shown.items())))  # threads came in any order

    def _drawn(self, key: str, draw: Callable[[], str]) -> str:
        self._shown[key] = text = self._known.get(key) or self._shown.get(key) or draw()
        return text


def _versions() -> dict[str, str]:
    return {f"package {name}": installed_version(name) for name in PACKAGES}
