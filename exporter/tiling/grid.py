"""Where the tiles of a picture lie: `exporter.tiling.tiles`, and what only the exporter asks of it."""

from __future__ import annotations

from dataclasses import replace

from exporter.errors import RecipeError
from exporter.tiling import tiles
from exporter.tiling.tiles import largest_halo

__all__ = ["Tiling", "largest_halo"]


class Tiling(tiles.Tiling):
    """How pictures of any size go through a model of one input size, all in px."""

    __slots__ = ()

    def count(self, extent: int, side: int) -> int:
        """How many tiles of `side` px lie along a side of a picture that is `extent` px long."""
        return len(tiles.starts(extent, side, self))

    def blended(self) -> Tiling:
        """The same tiles, their seams blended over as many px as the halo allows."""
        widest = min(self.halo_px, max(0, self.step(min(self.height, self.width)) // 2))
        return replace(self, blend_px=widest)

    def check(self) -> None:
        """Raises RecipeError when there are pictures that such tiles cannot cover."""
        try:
            tiles.Tiling.check(self)
        except tiles.NoTiles as error:
            raise RecipeError(str(error), hint=error.hint) from None
