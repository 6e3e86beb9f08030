"""Draw training pairs of real motion from video clips:  python tools/training_motion.py CLIPS OUT

CLIPS holds <source>__<clip>.mp4; those whose <source> image_picks.yaml names under training_motion are used: PyPI
pose2sim's demo videos (BSD-3-Clause, 60 frames a second), a package no evaluation set touches. OUT gets blurred/ and
sharp/, PNG, and a manifest; a training recipe names it in data.training. The same clips give the same pixels.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from build_image_sets import PICKS, finish, pair, stem
from motion_pairs import Floats, Frame, frames_of, motion_pair

from exporter.files.atomic import replace_folder

SCALE = 0.5  # compression noise goes, and what moves 15 px a frame moves 7
SIZE = 320
EXPOSURES = 24  # of a clip
WINDOWS = (5, 7, 9, 11, 13)  # frames averaged
CROPS = 2  # of an exposure, where most moves
APART_PX = 120  # between their corners
LEAST_CHANGE = 0.003  # mean |blurred - sharp| of a crop; below it nothing moves
SEED = 5


def main(clips: Path, out: Path) -> None:
    found = sorted(clip for clip in clips.glob("*.mp4") if clip.name.partition("__")[0] in PICKS["training_motion"])
    if not found:
        sys.exit(f"{clips} holds no clip of {', '.join(PICKS['training_motion'])}, named <source>__<clip>.mp4")
    if out.exists():
        sys.exit(f"{out} exists: remove it first, or name another folder")
    rng = np.random.default_rng(SEED)
    with replace_folder(out) as new:
        pairs = [one for clip in found for one in draw(clip, new, rng)]
        finish(new, out.name, "Moving people, filmed: real motion to learn from", SEED, pairs=pairs)
    sys.stdout.write(f"{len(pairs)} pairs of {len(found)} clips\n")


def draw(clip: Path, folder: Path, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """Write the pairs of one clip; their manifest entries."""
    frames = list(frames_of(clip, SCALE))
    tag = clip.name.partition("__")[0].lower()
    for exposure in range(EXPOSURES):
        window, middle = draw_window(rng, frames)
        blurred, sharp = motion_pair(window)
        for crop, (x, y) in enumerate(liveliest(np.abs(blurred - sharp).mean(2))):
            sides = (np.ascontiguousarray(side[y : y + SIZE, x : x + SIZE]) for side in (blurred, sharp))
            how = f"scaled by {SCALE}, {SIZE}x{SIZE} at x {x}, y {y} of frame {middle} (from 0)"
            words = f"real motion: {len(window)} frames and those interpolated between them, averaged in linear light"
            yield pair(folder, f"{tag}_{stem(clip.name)}_{exposure:02d}_{crop}", *sides, clip.name, how, words)


def draw_window(rng: np.random.Generator, frames: Sequence[Frame]) -> tuple[Sequence[Frame], int]:
    """Frames in a row, an odd number of them, and the index of the middle one."""
    count = int(rng.choice(WINDOWS))
    first = int(rng.integers(0, len(frames) - count + 1))
    return frames[first : first + count], first + count // 2


def liveliest(change: Floats) -> Iterator[tuple[int, int]]:
    """Corners (x, y) of the crops in which the exposure changed most; `change` is (H, W), absolute, 0..1."""
    half = SIZE // 2
    mean = cv2.boxFilter(change, -1, (SIZE, SIZE), borderType=cv2.BORDER_CONSTANT)
    mean = mean[half : change.shape[0] - half + 1, half : change.shape[1] - half + 1].copy()
    for _ in range(CROPS):
        y, x = (int(place) for place in np.unravel_index(mean.argmax(), mean.shape))
        if mean[y, x] < LEAST_CHANGE:
            return
        yield x, y
        mean[max(0, y - APART_PX) : y + APART_PX, max(0, x - APART_PX) : x + APART_PX] = 0


if __name__ == "__main__":
    cv2.setNumThreads(1)
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
