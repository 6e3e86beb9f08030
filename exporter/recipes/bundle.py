"""The `bundle` of a recipe: what goes along that nobody but its owner asks for."""

from __future__ import annotations

from exporter.recipes.values import Part


class BundleOptions(Part):
    """What goes along that nobody but its owner asks for."""

    web: bool = False
    """The page of `exporter serve` with its engine, 39 MB, in `web/`: any server then shows the bundle at work. Turn it
    on to show the network to people without Python."""

    def __bool__(self) -> bool:
        return self.web
