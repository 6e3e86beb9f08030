"""Rebuild calibration/ from fetched photographs:  python tools/build_image_sets.py PHOTOS VIDEOS OUT

Which crop of which photograph: image_picks.yaml, chosen by eye. All else follows from the seeds, so the same
photographs give the same pixels (PNG and JPEG bytes may differ between versions of Pillow).
PHOTOS holds files named <source>__<photo>, VIDEOS clips named <source>__<clip>; sources are in image_picks.yaml.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from motion_pairs import Frame, frames_of, motion_pair, shrink
from numpy.typing import NDArray
from PIL import Image

from exporter.artifact import sha256_of
from exporter.data.blur import BlurOptions, blur
from exporter.data.images import read_image, to_uint8, write_png

Floats = NDArray[np.float32]
PICKS = yaml.safe_load(Path(__file__).with_name("image_picks.yaml").read_text())
MARGIN = 48  # a kernel reads what lies around the crop

SHARP = None
NOISE = {"max_noise_gain": 3e-3, "max_read_noise": 8e-3}  # ten times a phone by day
# Shortest and longest shake in px, and what else differs from BlurOptions.
LIGHT, SHORT, MEDIUM, LONG, SHAKEN = ((1, 6, {}), (2, 9, {}), (6, 16, {}), (14, 28, {}), (24, 44, {}))
# What a phone hands to the network: mostly blurred by a hand, now and then sharp, shaken badly or noisy.
CALIBRATION = (SHORT, MEDIUM, LIGHT, LONG, MEDIUM, (6, 16, NOISE), SHORT, SHAKEN, MEDIUM, SHARP)
# About as blurred as GoPro, whose blurred pictures measure 25.6 dB; few blown-out lights, no network restores them.
FEW_LIGHTS = {"highlight_probability": 0.1}
EVALUATION = ((2, 6, FEW_LIGHTS), (4, 10, FEW_LIGHTS), (8, 18, FEW_LIGHTS), (4, 10, FEW_LIGHTS))


@dataclass(frozen=True)
class Crop:
    """size×size px at (x, y) of a photograph scaled to `side` px on its longer edge (never enlarged)."""

    file: str
    side: int
    x: int
    y: int
    size: int

    @property
    def how(self) -> str:
        return f"scaled to {self.side} px (area average), {self.size}x{self.size} at x {self.x}, y {self.y}"


def crops(picks: dict[str, list[list[int]]], size: int) -> Iterator[Crop]:
    for file, places in picks.items():
        yield from (Crop(file, side, x, y, size) for side, x, y in places)


def cut(photos: Path, crop: Crop, margin: int = 0) -> Floats:
    """The crop and `margin` px around it, mirrored where the photograph ends; float32 RGB 0..1 of 8-bit values."""
    photo = read_image(photos / crop.file)
    factor = min(1.0, crop.side / max(photo.shape[:2]))
    size = round(photo.shape[1] * factor), round(photo.shape[0] * factor)
    photo = to_uint8(np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))).astype(np.float32) / 255
    padded = np.pad(photo, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    outer = crop.size + 2 * margin
    return np.ascontiguousarray(padded[crop.y : crop.y + outer, crop.x : crop.x + outer])


def shake(photos: Path, crop: Crop, kind: Any, seed: int, index: int) -> tuple[Floats, str]:
    """The crop, blurred as `kind` says, and the words for the manifest."""
    if kind is SHARP:
        return cut(photos, crop), "not blurred"
    shortest, longest, others = kind
    options = BlurOptions(float(shortest), float(longest), **others)
    blurred = blur(cut(photos, crop, MARGIN), np.random.default_rng((seed, index)), options)
    noisy = ", high ISO noise" if others == NOISE else ""
    words = f"synthetic shake of {shortest} to {longest} px{noisy}, seed {seed}/{index}"
    return np.ascontiguousarray(blurred[MARGIN:-MARGIN, MARGIN:-MARGIN]), words


def origin(file: str) -> dict[str, str]:
    """Source and licence of a fetched file, as a manifest says them."""
    tag, _, name = file.partition("__")
    known = PICKS["sources"][tag]
    return {"source": f"{known['package']}, {name}{known.get('note', '')}", "licence": known["licence"]}


def write_jpeg(path: Path, image: Floats, quality: int) -> None:
    Image.fromarray(to_uint8(image)).save(path, "JPEG", quality=quality, subsampling=0, optimize=True)


def build_calibration(photos: Path, folder: Path, seed: int) -> None:
    entries = []
    for index, crop in enumerate(crops(PICKS["calibration"], 256)):
        image, words = shake(photos, crop, CALIBRATION[index % len(CALIBRATION)], seed, index)
        path = folder / f"{index:03d}_{stem(crop.file)}.jpg"
        write_jpeg(path, image, 95)
        entries.append(entry(path, crop.file, f"{crop.how}; {words}; JPEG quality 95"))
    finish(
        folder,
        "photos_256",
        "What a phone hands to a deblurring network, for INT8 ranges",
        seed,
        images=entries,
    )


def build_training(photos: Path, folder: Path, seed: int) -> None:
    entries = []
    for index, crop in enumerate(crops(PICKS["training"], 384)):
        path = folder / f"{index:03d}_{stem(crop.file)}.jpg"
        write_jpeg(path, cut(photos, crop), 90)
        entries.append(entry(path, crop.file, f"{crop.how}; JPEG quality 90"))
    finish(folder, "training_384", "Sharp crops; training blurs them as it goes", seed, images=entries)


def build_evaluation(photos: Path, folder: Path, seed: int) -> None:
    pairs = []
    for index, crop in enumerate(crops(PICKS["evaluation"], 256)):
        blurred, words = shake(photos, crop, EVALUATION[index % len(EVALUATION)], seed, index)
        name = f"{index:02d}_{stem(crop.file)}"
        pairs.append(pair(folder, name, blurred, cut(photos, crop), crop.file, crop.how, words))
    description = "Photographs of packages that neither calibration nor training uses, with synthetic shake"
    finish(folder, "evaluation_256", description, seed, pairs=pairs)


def build_motion(videos: Path, folder: Path, seed: int) -> None:
    pairs = []
    for clip, picks in PICKS["motion"].items():
        wanted = {i for middle, frames, *_ in picks for i in window(middle, frames)}
        kept: dict[int, Frame] = {i: frame for i, frame in enumerate(frames_of(videos / clip)) if i in wanted}
        for middle, frames, scale, x, y in picks:
            sides = motion_pair([shrink(kept[i], scale) for i in window(middle, frames)])
            blurred, sharp = (np.ascontiguousarray(side[y : y + 256, x : x + 256]) for side in sides)
            how = f"scaled by {scale}, 256x256 at x {x}, y {y} of frame {middle} (from 0)"
            words = f"real motion: {frames} frames and those interpolated between them, averaged in linear light"
            pairs.append(pair(folder, f"{len(pairs):02d}_{stem(clip)}", blurred, sharp, clip, how, words))
    description = "Moving people, filmed: checks that what was trained on synthetic blur works on real motion"
    finish(folder, "evaluation_motion_256", description, seed, pairs=pairs)


def window(middle: int, frames: int) -> range:
    return range(middle - frames // 2, middle - frames // 2 + frames)


def stem(file: str) -> str:
    return Path(file).stem.partition("__")[2].lower().replace(" ", "-")


def entry(path: Path, file: str, how: str) -> dict[str, str]:
    return {"file": path.name, "sha256": sha256_of(path), **origin(file), "how": how}


def pair(folder: Path, name: str, blurred: Floats, sharp: Floats, file: str, how: str, words: str) -> dict[str, str]:
    made: dict[str, str] = {"name": name}
    for side, image in (("blurred", blurred), ("sharp", sharp)):
        path = folder / side / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        write_png(path, image)
        made |= {side: f"{side}/{path.name}", f"{side}_sha256": sha256_of(path)}
    return made | origin(file) | {"how": how, "blur": words}


def finish(folder: Path, name: str, description: str, seed: int, **listed: list[dict[str, str]]) -> None:
    manifest = {"name": name, "description": description, "seed": seed, **listed}
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=1000)
    (folder / "manifest.yaml").write_text(text, encoding="utf-8")


def main(photos: Path, videos: Path, out: Path) -> None:
    builders: dict[str, tuple[Callable[[Path, Path, int], None], Path, int]] = {
        "photos_256": (build_calibration, photos, 256),
        "training_384": (build_training, photos, 384),
        "evaluation_256": (build_evaluation, photos, 2024),
        "evaluation_motion_256": (build_motion, videos, 0),
    }
    for name, (build, source, seed) in builders.items():
        (out / name).mkdir(parents=True)  # an old set is not overwritten: remove it first
        build(source, out / name, seed)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*map(Path, sys.argv[1:]))
