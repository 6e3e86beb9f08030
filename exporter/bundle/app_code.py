"""The folder `code/` of a bundle: how an app takes pictures of any size through its files, as sources to be copied.

`tiles.py` is what `exporter run` works by; the Java is what the demo app is built upon.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.tiling import tiles

CODE = "code/"
TILES = f"{CODE}python/tiles.py"
SOURCES = Path(__file__).with_name("code")
_PHOTOGRAPHS = ("python/restore.py", "kotlin/*.kt", "java/**/*.java")  # these know RGB in and out alone


def has_tiles(given: TensorSpec) -> bool:
    """Whether its pictures may be cut into tiles; one that carries a state sees whole frames."""
    return given.clip == 1


def runs_photographs(artifacts: Sequence[Artifact]) -> bool:
    """Whether there is a .tflite that takes one RGB photograph and makes one, in floats or eight bits."""
    files = (one for one in artifacts if one.format == Format.TFLITE and one.input.dtype != "int16")
    ends = [(one.input, one.output) for one in files]
    return bool(ends) and all((given.colour, given.frames, made.colour) == ("rgb", 1, "rgb") for given, made in ends)


def write_code(folder: Path, artifacts: Sequence[Artifact]) -> None:
    """Into the bundle `folder`, as much as fits its files."""
    if not has_tiles(artifacts[0].input):
        return
    wanted = {TILES: Path(tiles.__file__)}
    if runs_photographs(artifacts):
        found = [path for pattern in _PHOTOGRAPHS for path in SOURCES.glob(pattern)]
        wanted |= {CODE + path.relative_to(SOURCES).as_posix(): path for path in found}
    for name, source in wanted.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
