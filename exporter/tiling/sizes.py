"""Several sizes of one model: which of them a picture goes through."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.tiling.grid import Tiling


def best_size(tilings: Mapping[str, Tiling], height: int, width: int) -> str:
    """Which of the sizes a picture of height×width px goes through.

    The smallest that holds it whole; else the one whose tiles compute the fewest pixels, of equals the largest, whose
    seams are fewer. Raises RecipeError for what are no tiles.
    """
    for tiling in tilings.values():
        tiling.check()
    whole = {name: tiling for name, tiling in tilings.items() if _tiles(tiling, height, width) == 1}
    chosen = whole or tilings

    def cost(name: str) -> tuple[int, int]:
        tiling = chosen[name]
        area = tiling.height * tiling.width
        return _tiles(tiling, height, width) * area, -area

    return min(chosen, key=cost)


def _tiles(tiling: Tiling, height: int, width: int) -> int:
    return tiling.count(height, tiling.height) * tiling.count(width, tiling.width)
