"""What a recipe is measured on, and how: its `data` and `verify`."""

from __future__ import annotations

from pydantic import Field

from exporter.data.protocol import Protocol
from exporter.files.recipe_path import RecipeFolder
from exporter.recipes.values import Part, Threads, is_empty


class Data(Part):
    """Folders of images; see calibration/README.md."""

    calibration: RecipeFolder
    evaluation: RecipeFolder
    training: RecipeFolder | None = None
    protocol: Protocol | None = None  # of a network that enlarges: how small pictures are made of the sharp ones here
    # Sigma of 255: white noise on the sharp pictures of every set, for a denoiser; see exporter/data/view.py.
    noise: float = Field(default=0.0, ge=0, le=255, exclude_if=is_empty)


class Verification(Part):
    """How results are measured."""

    runs: int = Field(default=50, ge=5, le=1_000_000)  # timed model calls
    warmup: int = Field(default=10, ge=1, le=1_000_000)
    threads: Threads = 2
    latency_threads: tuple[Threads, ...] = Field(default=(), max_length=64)  # a table: every file, every runtime
    pictures: int = Field(default=6, ge=1, le=1000)  # evaluation images shown in the report
    demand_all: bool = False  # a runtime of `also_on` that is not installed is a promise not measured
