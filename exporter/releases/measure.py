"""Both files of a target on the same pictures and on the same clock, in turns."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from exporter.artifact import Artifact
from exporter.data.colour import to_look_at
from exporter.data.evaluation import Pair
from exporter.data.metrics import ci95
from exporter.measure.evaluation import Renderings
from exporter.measure.quality import psnr_each_db
from exporter.measure.turns import Racer, race
from exporter.releases.results import Crop, Pace, QualityChange
from exporter.report.pictures import CROP_PX, worst_window
from exporter.runtimes.base import Image, Runtime, Session

if TYPE_CHECKING:
    from exporter.releases.results import Pixels

TURNS = 10
CALLS = 5  # of each in a turn, fewer where they take long
TURN_MS = 500.0
WARMUP = 1  # in each turn: the other file has had the caches meanwhile


def compare_quality(old: Artifact, new: Artifact, runtime: Runtime, renderings: Renderings) -> QualityChange:
    """PSNR of both against the sharp pictures, and the crop where NEW falls behind most. Raises EngineError."""
    pairs = renderings.evaluation
    made = [renderings.of(file, runtime) for file in (old, new)]
    old_db, new_db = (psnr_each_db(pictures, pairs) for pictures in made)
    loss_db = old_db - new_db
    worst = int(np.argmax(loss_db))  # a NaN counts as the largest
    behind = not loss_db[worst] <= 0
    return QualityChange(
        old_psnr_db=float(np.mean(old_db)),
        new_psnr_db=float(np.mean(new_db)),
        loss_db=float(np.mean(loss_db)),
        loss_ci95_db=float(ci95(loss_db.tolist())),
        crop=_crop(pairs[worst], made[0][worst], made[1][worst], float(loss_db[worst]), new) if behind else None,
    )


def _crop(pair: Pair, old: Image, new: Image, loss_db: float, file: Artifact) -> Crop:
    old, new = (picture[..., -pair.sharp.shape[2] :] for picture in (old, new))  # of a clip the last frame
    squared = [np.nan_to_num(np.square(picture - pair.sharp)).mean(axis=2) for picture in (old, new)]
    y, x = worst_window((squared[1] - squared[0]).astype(np.float64))
    window = np.s_[y : y + CROP_PX, x : x + CROP_PX]
    pictures = (pair.before, old, new, pair.sharp)
    return Crop(pair.name, loss_db, x, y, *(_pixels(picture[window], file) for picture in pictures))


def _pixels(picture: Image, file: Artifact) -> Pixels:
    seen = to_look_at(np.clip(np.nan_to_num(picture), 0, 1), file.output.colour)
    pixels: Pixels = np.rint(seen * 255).astype(np.uint8)
    return pixels


def compare_pace(old: Artifact, new: Artifact, runtime: Runtime, threads: int, image: Image, limit: float) -> Pace:
    """The time of a model call, OLD and NEW in turns, each first in every other one. Raises EngineError.

    What comes out above `limit` is measured again, and the smaller counts: another program may have been in the way of
    one side, hardly twice of the same.
    """
    with runtime.open(old, threads) as first, runtime.open(new, threads) as second:
        trial = Racer("OLD", first, image)
        trial.take(1, WARMUP)
        calls = [max(1, min(CALLS, int(TURN_MS / trial.turns_ms[0][0])))] * TURNS
        pace = _pace(*_race(first, second, image, calls))
        if pace.ratio <= limit:
            return pace
        return min(pace, _pace(*_race(first, second, image, calls)), key=lambda each: each.ratio)


def _pace(old_ms: list[float], new_ms: list[float]) -> Pace:
    ratio = median(other / one for one, other in zip(old_ms, new_ms, strict=True))
    return Pace(old_ms=median(old_ms), new_ms=median(new_ms), ratio=ratio)


def _race(old: Session, new: Session, image: Image, calls: Sequence[int]) -> list[list[float]]:
    """The median of each turn, OLD's and NEW's. Raises EngineError."""
    racers = [Racer("OLD", old, image), Racer("NEW", new, image)]
    race(racers, calls, WARMUP)
    for racer in racers:
        if racer.failed is not None:
            raise racer.failed
    return [list(map(median, racer.turns_ms)) for racer in racers]
