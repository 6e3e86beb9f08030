"""Saves what every stage makes of a few telling evaluation images, for people to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from exporter.artifact import CHANNELS, Artifact, Colour
from exporter.data.colour import to_look_at
from exporter.measure.evaluation import Renderings
from exporter.measure.results import Picture, Quality
from exporter.runtimes.base import Image, Runtime


def save_pictures(
    folder: Path,
    renderings: Renderings,
    stages: Mapping[str, tuple[Artifact, Runtime]],
    chosen_by: Quality | None,
    count: int = 3,
) -> tuple[Picture, ...]:
    """PNG files `<image>.<stage>.png` in `folder`, `blurred` (or `enlarged`) and `sharp` included, of `count` images.

    `chosen_by`: the quality whose gain tells best, worst and median images apart, in that order; without one they are
    taken by their places.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures: list[Picture] = []
    colour: Colour = next((artifact.output.colour for artifact, _ in stages.values()), "rgb")
    for index in choose(_gains_db(chosen_by, renderings), count):
        pair = renderings.evaluation[index]
        images = {"blurred" if pair.scale == 1 else "enlarged": pair.before, "sharp": pair.sharp}
        images |= {name: renderings.of(artifact, runtime)[index] for name, (artifact, runtime) in stages.items()}
        files = {}
        for stage, image in images.items():
            files[stage] = folder / f"{_file_name(pair.name)}.{_file_name(stage)}.png"
            _save_png(to_look_at(image[..., -CHANNELS[colour] :], colour), files[stage])  # of a clip the last frame
        pictures.append(Picture(pair.name, files))
    return tuple(pictures)


def choose(gains_db: Sequence[float], count: int) -> tuple[int, ...]:
    """Indices of the best, the worst and the median image, then the next best, next worst …; no index twice.

    A NaN counts as worst; equal gains go by position, so the choice is the same every time.
    """
    order = sorted(range(len(gains_db)), key=lambda i: (not np.isnan(gains_db[i]), gains_db[i], i))
    wanted = [order[-1], order[0], order[len(order) // 2]] if order else []
    for best, worst in zip(reversed(order), order, strict=True):
        wanted += [best, worst]
    return tuple(dict.fromkeys(wanted))[:count]


def _gains_db(quality: Quality | None, renderings: Renderings) -> list[float]:
    if quality is None:
        return [0.0] * len(renderings.evaluation)
    return [
        after_db - pair.before_db for after_db, pair in zip(quality.psnr_each_db, renderings.evaluation, strict=True)
    ]


def _save_png(image: Image, path: Path) -> None:
    """8-bit, rounded to nearest; what is not finite becomes magenta, so that it is seen."""
    from PIL import Image as PillowImage

    broken = ~np.isfinite(image).all(axis=2)
    eight_bit = np.rint(np.clip(np.nan_to_num(image), 0, 1) * 255).astype(np.uint8)
    eight_bit[broken] = (255, 0, 255)
    PillowImage.fromarray(eight_bit).save(path, format="PNG")  # whole when the measurements' record says so


def _file_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in text)
