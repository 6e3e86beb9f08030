"""What the user named: a network, and options that a recipe's `model` and `input` have, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from exporter.generators.interface import Carried, Interface
from exporter.probe.sizes import Size


@dataclass(frozen=True, slots=True)
class Wanted:
    """`arch`: a class or an architecture; None: the checkpoint says. None and empty: found out by trying."""

    arch: str | None
    checkpoint: Path | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    size: Size | None = None
    range: tuple[float, float] | None = None
    multiple: int | None = None
    output: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    extra_channels: tuple[float, ...] = ()
    colour: Literal["rgb", "bgr", "grey", "y", "rgba", "rggb"] | None = None
    frames: int = 1
    states: tuple[Carried, ...] = ()
    weights: str | None = None  # the part of the checkpoint
    usual_px: int | None = None  # without `size`: the side that the picture which comes out shall have, if it can

    @property
    def is_own(self) -> bool:
        """Whether it is a class of the user's, of which nothing is known."""
        return self.arch is not None and ":" in self.arch

    @property
    def interface(self) -> Interface:
        return Interface(
            output=self.output,
            inputs=dict(self.inputs),
            extra_channels=self.extra_channels,
            bgr=self.colour == "bgr",
            frames=self.frames,
            states=self.states,
        )
