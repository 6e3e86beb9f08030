"""What a recipe is measured on, and how: its `data` and `verify`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from exporter.data.protocol import Protocol
from exporter.files.recipe_path import RecipeFolder
from exporter.recipes.values import Part, Threads, is_empty
from exporter.runtimes import LITERT_VERSIONS
from exporter.suggestions import did_you_mean


class Data(Part):
    """Folders of images; see calibration/README.md."""

    calibration: RecipeFolder
    """Folder of pictures that ranges of INT8 files are chosen by; see calibration/README.md. Name pictures like those
    that the network will be given; 100 are usual."""
    evaluation: RecipeFolder
    """Folder of pairs, blurred and sharp, that every figure is measured on. Name pictures that no training has seen."""
    training: RecipeFolder | None = None
    """Folder of sharp photographs that stages learn from. Name it where the recipe prunes, distils or trains for
    INT8."""
    protocol: Protocol | None = None
    """How small pictures are made of the sharp ones, for a network that enlarges. Leave it out where the set has pairs
    of two sizes."""
    noise: float = Field(default=0.0, ge=0, le=255, exclude_if=is_empty)
    """Sigma, of 255, of white noise on the sharp pictures of every set, for a denoiser; see exporter/data/view.py. Make
    it the noise that the network was trained for."""


class Verification(Part):
    """How results are measured."""

    runs: int = Field(default=50, ge=5, le=1_000_000)
    """Model calls that are timed. Raise it where times scatter."""
    warmup: int = Field(default=10, ge=1, le=1_000_000)
    """Model calls before these, which are not. Raise it where the first calls are slow, as on GPUs."""
    threads: Threads = 2
    """Threads of the runtimes. Make it what the app will use: two to four on phones."""
    latency_threads: tuple[Threads, ...] = Field(default=(), max_length=64)
    """Numbers of threads of a table that times every file on every runtime. Name several to choose a file and a number
    of threads by."""
    pictures: int = Field(default=6, ge=1, le=1000)
    """Evaluation images that the report shows. Raise it to look at more, lower it for a smaller page."""
    demand_all: bool = False
    """A runtime of `also_on` or `versions` that is not installed is a promise not measured. Turn it on for releases, on
    the machine that has all engines."""
    versions: tuple[str, ...] = Field(default=(), exclude_if=is_empty)
    """LiteRT releases that have to give every .tflite's picture alike: a list of runtimes, or `all`. Name those that
    your users' apps are built with."""

    @field_validator("versions", mode="before", json_schema_input_type=Literal["all"] | tuple[str, ...])
    @classmethod
    def _all_or_some(cls, given: Any) -> Any:
        known = {release.name: release for release in LITERT_VERSIONS}
        names = list(known) if given == "all" else given
        if isinstance(names, list | tuple):
            for place, name in enumerate(names):
                if name not in known:
                    hint = did_you_mean(name, known) if isinstance(name, str) else ""
                    raise ValueError(f"{name!r} is no LiteRT release{hint}; known: all, {', '.join(known)}")
                if name in names[:place]:
                    raise ValueError(f"{name} is named twice")
        return names
