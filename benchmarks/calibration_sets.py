"""What does a bad calibration set cost? The shipped student, quantised with sets that lack something.

    .venv/bin/python benchmarks/calibration_sets.py [--images 32] [--pairs 20] [--only WORD …] [--network NAME …]

Every set is made from calibration/photos_256 and judged on calibration/evaluation_256 as it is displayed (8-bit,
clamped): "lost" is float minus INT8 against the sharp photograph, dB. Sets for another use than ours (grey, night)
are judged on pictures of that use. calibration/README.md shows the figures.
Writes benchmarks/calibration_sets.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from int8_networks import SUBJECTS, Subject, calibration_pictures, evaluation_pairs
from numpy.typing import NDArray
from record import record

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.data.evaluation import Pair
from exporter.data.images import to_uint8
from exporter.data.metrics import psnr_db
from exporter.progress import Silent
from exporter.runtimes import runtime
from exporter.stages import LoadGenerator, Stage, Workspace
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx

Floats = NDArray[np.float32]
Change = Callable[[Floats], Floats]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Shown:
    """A calibration set of arrays; `only` as the real one's, for `tune`."""

    pictures: Sequence[Floats]

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Floats]:
        return iter(self.pictures)

    def only(self, places: Sequence[int]) -> Shown:
        return Shown([self.pictures[place] for place in places])

    @property
    def sha256(self) -> str:
        return sha256(b"".join(picture.tobytes() for picture in self.pictures)).hexdigest()


def same(image: Floats) -> Floats:
    return image


def times(factor: float) -> Change:
    return lambda image: image * np.float32(factor)


def lifted(low: float) -> Change:
    return lambda image: np.float32(low) + image * np.float32(1 - low)


def contrast(factor: float) -> Change:
    return lambda image: np.float32(0.5) + (image - np.float32(0.5)) * np.float32(factor)


def grey(image: Floats) -> Floats:
    return np.repeat((image @ LUMA)[..., None], 3, axis=2)


def cast(red: float, green: float, blue: float) -> Change:
    return lambda image: image * np.array([red, green, blue], np.float32)


def one_tone(image: Floats) -> Floats:
    """Sepia: luma in one hue."""
    return (image @ LUMA)[..., None] * np.array([1.0, 0.8, 0.55], np.float32)


def night(image: Floats) -> Floats:
    """Dark almost everywhere, with lights as bright as ever."""
    return image ** np.float32(4)


def two_levels(image: Floats) -> Floats:
    return (image > 0.5).astype(np.float32)


def soft(image: Floats) -> Floats:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, (12, 12, 0)), np.float32)


def sets(photos: Sequence[Floats]) -> Iterator[tuple[str, list[Floats], Change]]:
    """(name, calibration pictures, what the evaluation pictures of that use go through)."""
    rng = np.random.default_rng(0)
    count, shape = len(photos), photos[0].shape

    def drawn(low: float, high: float) -> list[Floats]:
        return [rng.uniform(low, high, shape).astype(np.float32) for _ in range(count)]

    def of(change: Change) -> list[Floats]:
        return [change(photo) for photo in photos]

    def flat(draw: Callable[[], Any]) -> list[Floats]:
        return [np.zeros(shape, np.float32) + np.asarray(draw(), np.float32) for _ in range(count)]

    yield "as shipped", list(photos), same
    for number in (16, 8, 4, 2):
        yield f"{number} of them", list(photos[:: max(1, count // number)][:number]), same
    for place in (0, count // 3, 2 * count // 3):
        yield f"one picture, number {place}, {count} times", [photos[place]] * count, same
    yield "black", flat(lambda: 0), same
    yield "white", flat(lambda: 1), same
    yield "mid-grey", flat(lambda: 0.5), same
    yield "flat greys from black to white", flat(lambda: rng.uniform()), same
    yield "flat colours", flat(lambda: rng.uniform(size=3)), same
    yield "noise 0..1", drawn(0, 1), same
    yield "noise 0.45..0.55", drawn(0.45, 0.55), same
    yield "noise 0..0.02", drawn(0, 0.02), same
    for factor in (0.8, 0.6, 0.4, 0.25, 0.1, 0.02):
        yield f"darkened to {factor:g}", of(times(factor)), same
    for low in (0.2, 0.5, 0.75, 0.9):
        yield f"lifted to {low:g}..1", of(lifted(low)), same
    for factor in (0.8, 0.6, 0.4, 0.25, 0.1, 0.02):
        yield f"contrast {factor:g}", of(contrast(factor)), same
    yield "grey", of(grey), same
    yield "sepia", of(one_tone), same
    yield "red only", of(cast(1, 0, 0)), same
    yield "blue only", of(cast(0, 0, 1)), same
    yield "warm cast", of(cast(1, 0.8, 0.5)), same
    yield "two levels", of(two_levels), same
    yield "out of focus", of(soft), same
    yield "night", of(night), same
    yield "grey for a grey use", of(grey), grey
    yield "night for a night use", of(night), night
    yield "darkened to 0.25 for such a use", of(times(0.25)), times(0.25)
    yield "contrast 0.25 for such a use", of(contrast(0.25)), contrast(0.25)


def main(args: argparse.Namespace) -> None:
    known = {row["network"]: row for row in rows_before()}
    for subject in SUBJECTS:
        if subject.name in args.network:
            known[subject.name] = {"network": subject.name, "sets": list(measured(subject, args))}
            record("calibration_sets", {"images": args.images, "pairs": args.pairs, "rows": list(known.values())})


def rows_before() -> list[dict[str, Any]]:
    file = Path(__file__).with_suffix(".json")
    return list(json.loads(file.read_text())["rows"]) if file.exists() else []


def measured(subject: Subject, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    photos, pairs = calibration_pictures(subject, args.images), evaluation_pairs(subject, args.pairs)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = converted(subject, folder / "float", Shown(photos))
        for number, (name, pictures, use) in enumerate(sets(photos)):
            if args.only and not any(word in name for word in args.only):
                continue
            int8 = run(QuantizeTflite(device="cpu"), source, folder / str(number), Shown(pictures))
            judged = [Pair(pair.name, use(pair.blurred), use(pair.sharp)) for pair in pairs]
            row = {"set": name, **compared(shown(int8, judged), shown(source, judged), judged)}
            sys.stderr.write(f"{subject.name}: {row}\n")
            yield row


def compared(made: list[Floats], reference: list[Floats], pairs: Sequence[Pair]) -> dict[str, float]:
    """Of pictures as they are displayed: 8-bit, clamped."""
    losses, parities = [], []
    for one, other, pair in zip(made, reference, pairs, strict=True):
        one, other = (to_uint8(picture).astype(np.float32) / 255 for picture in (one, other))
        losses.append(psnr_db(other, pair.sharp) - psnr_db(one, pair.sharp))
        parities.append(min(psnr_db(one, other), 99.0))
    return {
        "lost_db": round(float(np.mean(losses)), 3),
        "worst_db": round(float(np.max(losses)), 3),
        "parity_db": round(float(np.mean(parities)), 1),
    }


def shown(artifact: Artifact, pairs: Sequence[Pair]) -> list[Floats]:
    with runtime("litert_cpu").open(artifact, threads=2) as session:
        return [session.infer(pair.blurred) for pair in pairs]


def converted(subject: Subject, folder: Path, images: Shown) -> Artifact:
    assert subject.weights is not None
    spec = TensorSpec.image(subject.side_px, subject.side_px)
    made = Artifact(Format.CHECKPOINT, subject.weights, spec, spec, "")
    for stage in (
        LoadGenerator(arch=subject.arch, kwargs=subject.kwargs), TorchToOnnx(), SimplifyOnnx(), OnnxToTflite()
    ):  # fmt: skip
        made = run(stage, made, folder / stage.name, images)
    return made


def run(stage: Stage, source: Artifact, folder: Path, images: Shown) -> Artifact:
    folder.mkdir(parents=True)
    calibration: Any = images
    return stage.run(source, Workspace(folder, source, calibration, None, 0, Silent(), nullcontext))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--network", nargs="*", default=["student_m", "edsr"])
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
