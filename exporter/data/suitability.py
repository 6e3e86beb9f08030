"""Is a set of pictures fit for its use? Judged before the first stage, by what was measured to cost decibels.

calibration/README.md has the table: what sets that lack something lose, and what is said of them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.data.calibration import CalibrationSet, laplacian_variance
from exporter.data.evaluation import EvaluationSet
from exporter.data.fingerprints import NEAR_SHARE, Fingerprint, fingerprints, nearest
from exporter.data.folders import FEWEST_IMAGES
from exporter.errors import DataError

Floats = NDArray[np.float32]
TAIL = 0.005  # of a picture's values at each end that do not count as its range
WARN_MISSING, REFUSE_MISSING = 0.1, 0.5  # of the range that evaluation pictures take
WARN_CHANNEL_MISSING = 0.6  # of one channel's: a grey or a tinted set costs nothing
WARN_DETAIL, REFUSE_DETAIL = 0.15, 0.05  # of the detail in the most detailed evaluation picture
LEAST_CORRELATION = 0.5  # between neighbouring pixels: photographs have 0.9 and more, noise has 0
FLAT = 1 / 255  # standard deviation of a picture's values
LEAST_LIKENESS = 0.5  # correlation of blurred and sharp luma on a coarse grid; shipped pairs have 0.98 and more
GRID = 16


@dataclass(frozen=True, slots=True)
class Character:
    """What a set covers: lowest and highest value of each channel, 0..1; its greatest detail (standard deviation of the
    Laplacian on the 0..255 scale); the median correlation of neighbouring pixels."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    detail: float
    correlation: float


def judge_calibration(calibration: CalibrationSet, evaluation: EvaluationSet) -> tuple[str, ...]:
    """Warnings, one sentence each, of what `calibration` lacks beside `evaluation`.

    Raises DataError for a set that would ruin the INT8 file: fewer than 8 distinct pictures, or no range or detail.
    """
    warnings = [*_distinct(calibration)]
    has, needed = character(calibration), character(pair.blurred for pair in evaluation)
    problems: list[str] = []
    remarks: list[str] = []
    missing = _missing(has.low.min(), has.high.max(), needed.low.min(), needed.high.max())
    if missing > WARN_MISSING:
        span = f"values from {has.low.min():.2f} to {has.high.max():.2f}"
        wanted = f"{needed.low.min():.2f} to {needed.high.max():.2f}"
        sentence = f"brightness: it has {span}, evaluation pictures {wanted}"
        (problems if missing > REFUSE_MISSING else remarks).append(sentence)
    elif colours := [
        name
        for place, name in enumerate(("red", "green", "blue"))
        if _missing(*(ends[place] for ends in (has.low, has.high, needed.low, needed.high))) > WARN_CHANNEL_MISSING
    ]:
        remarks.append(f"colour: there is next to no range in {' and '.join(colours)}")
    share = has.detail / needed.detail if needed.detail else 1.0
    if share < WARN_DETAIL:
        sentence = f"contrast: its most detailed picture has {share:.1%} of the detail of the evaluation pictures'"
        (problems if share < REFUSE_DETAIL else remarks).append(sentence)
    if has.correlation < LEAST_CORRELATION < needed.correlation:
        remarks.append("structure: neighbouring pixels have nothing to do with each other, it is noise")
    if problems:
        raise DataError(
            f"{calibration.folder} cannot calibrate INT8, it lacks {'; '.join([*problems, *remarks])}",
            hint="ranges learned from it would cut off what real pictures hold; take pictures as the network will meet",
        )
    return (*warnings, *(f"{calibration.folder.name} lacks {remark}" for remark in remarks))


def judge_pairs(evaluation: EvaluationSet) -> tuple[str, ...]:
    """Warnings of pairs that prove nothing. Raises DataError for a pair of two scenes, and where no pair is left."""
    same: list[str] = []
    flat: list[str] = []
    for pair in evaluation:
        if pair.sharp.std() < FLAT or pair.blurred.std() < FLAT:
            flat.append(pair.name)
        elif np.array_equal(pair.sharp, pair.blurred):
            same.append(pair.name)
        elif (alike := likeness(pair.blurred, pair.sharp)) < LEAST_LIKENESS:
            raise DataError(
                f"{evaluation.folder}: the two pictures of pair {pair.name} do not show the same "
                f"(correlation {alike:.2f})",
                hint="blurred/NAME and sharp/NAME must be one scene, pixel on pixel",
            )
    kinds = ((same, "twice the same picture"), (flat, "flat"))
    told = [
        f"{evaluation.folder.name}: {_named(found)}: {what}, which proves nothing" for found, what in kinds if found
    ]
    if len(same) + len(flat) == len(evaluation):
        raise DataError(
            f"{evaluation.folder} holds nothing to restore: {'; '.join(told)}",
            hint="a pair is a blurred picture and its sharp truth",
        )
    return tuple(told)


def character(pictures: Iterable[Floats]) -> Character:
    """Of (H, W, 3) RGB pictures in 0..1, each read once."""
    ends, detail, correlations = [], 0.0, []
    for picture in pictures:
        ends.append(np.quantile(picture.reshape(-1, 3), (TAIL, 1 - TAIL), axis=0))
        detail = max(detail, laplacian_variance(picture) ** 0.5)
        luma = picture.mean(axis=2)
        if luma.std() >= FLAT:
            correlations.append(np.corrcoef(luma[:, 1:].reshape(-1), luma[:, :-1].reshape(-1))[0, 1])
    low, high = np.min(ends, axis=0)[0], np.max(ends, axis=0)[1]
    return Character(low, high, detail, float(np.median(correlations)) if correlations else 1.0)


def likeness(one: Floats, other: Floats) -> float:
    """Correlation of luma means on a coarse grid, -1 to 1; 1 where either is flat there."""
    coarse = [_coarse(picture) for picture in (one, other)]
    if min(grid.std() for grid in coarse) < FLAT:
        return 1.0
    return float(np.corrcoef(coarse[0].reshape(-1), coarse[1].reshape(-1))[0, 1])


def _coarse(picture: Floats) -> Floats:
    luma = picture.mean(axis=2)
    rows, columns = (np.linspace(0, side, min(GRID, side) + 1).astype(int)[:-1] for side in luma.shape)
    cells = np.add.reduceat(np.add.reduceat(luma, rows, axis=0), columns, axis=1)
    areas = np.diff([*rows, luma.shape[0]])[:, None] * np.diff([*columns, luma.shape[1]])[None, :]
    return np.asarray(cells / areas, np.float32)


def _missing(low: float, high: float, needed_low: float, needed_high: float) -> float:
    """The share of the needed range that lies outside."""
    span = max(needed_high - needed_low, FLAT)
    return float(min((max(low - needed_low, 0) + max(needed_high - high, 0)) / span, 1.0))


def _distinct(calibration: CalibrationSet) -> Iterator[str]:
    """A warning where pictures recur. Raises DataError when too few are left without them."""
    prints = fingerprints(calibration.files)
    groups = same_pictures(prints)
    copies = [group for group in groups if len(group) > 1]
    if not copies:
        return
    shown = "; ".join(_named([print.file.name for print in group]) for group in copies[:3])
    told = f"{len(groups)} different pictures in {len(prints)} files, these show the same: {shown}"
    if len(groups) < FEWEST_IMAGES:
        raise DataError(
            f"{calibration.folder} holds {told}",
            hint=f"at least {FEWEST_IMAGES} different ones are needed; copies that are re-encoded, mirrored, cut or "
            "brightened teach INT8 nothing",
        )
    yield f"{calibration.folder.name} holds {told}"


def same_pictures(prints: Sequence[Fingerprint]) -> list[list[Fingerprint]]:
    """`prints` in groups that show one picture, each like the first of its group."""
    near = nearest(prints, prints) <= NEAR_SHARE
    groups: dict[int, list[Fingerprint]] = {}
    for place, print in enumerate(prints):
        first = next((other for other in groups if near[other, place]), place)
        groups.setdefault(first, []).append(print)
    return list(groups.values())


def _named(names: Sequence[str]) -> str:
    return f"{names[0]} and {len(names) - 1} more" if len(names) > 2 else " and ".join(names)
