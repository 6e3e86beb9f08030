"""How well do the shipped weights restore, against the blurred input and classical methods?

    .venv/bin/python benchmarks/restoration.py [more.tflite …]

Pictures nothing was trained on: synthetic shake and filmed motion from calibration/, and the same sharp pictures under
one known kernel each, where Wiener and Richardson-Lucy are told the kernel. Writes recipes/results/restoration.json
(every figure of every picture) and restoration.png. About 3 minutes on 2 cores.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.defects import border_loss, colour_shift, grid
from benchmarks.keypoints import PROTOCOL as KEYPOINTS
from benchmarks.keypoints import keypoint_matches
from exporter.data.baselines import richardson_lucy, uniform_blur, unsharp_mask, wiener
from exporter.data.evaluation import Pair, open_evaluation
from exporter.data.images import to_uint8
from exporter.data.metrics import PROTOCOLS, ci95, psnr_db, ssim
from exporter.errors import ExportError
from exporter.inspect.model_file import artifact_of_file
from exporter.runs.environment import environment
from exporter.runtimes import runtime
from exporter.runtimes.base import Image

REPO = Path(__file__).parent.parent
WEIGHTS = REPO / "recipes" / "weights"
RESULTS = REPO / "recipes" / "results"
SIDE = 256
UNIFORM_SEED = 7000
RUNTIMES = {".safetensors": "torch_cpu", ".tflite": "litert_cpu"}
# Figures where more is worse; the worst picture is the largest.
SMALL_IS_GOOD = frozenset({"st_lpips", "colour_shift", "grid", "border_loss"})


@dataclass(frozen=True, slots=True)
class Set:
    """Pairs, and the kernels where one is known."""

    name: str
    about: str
    sha256: str
    pairs: tuple[Pair, ...]
    kernels: tuple[Image, ...] = ()


def main(more: list[Path], sets: tuple[Set, ...], results: Path) -> dict[str, Any]:
    """Measure every method on every set; write restoration.json and restoration.png into `results`."""
    perceptual, why_not = perceptual_metric()
    files = [*sorted(WEIGHTS.glob("*.safetensors")), *more]
    figures = {
        method: {one.name: summary(each) for one in sets if (each := measured(restore(one), one, perceptual))}
        for method, restore in methods(files)
    }
    result = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/restoration.py",
        "environment": environment(),
        "protocols": PROTOCOLS
        | {
            "keypoints": KEYPOINTS,
            "gain_db, keypoints_gain": "minus that of the blurred input, picture by picture",
            "colour_shift, grid, border_loss": "8-bit levels, see benchmarks.defects",
            "st_lpips": why_not or "shift-tolerant LPIPS, AlexNet, of PyPI stlpips-pytorch 0.0.2 (not LPIPS v0.1)",
        },
        "sets": {
            one.name: {
                "about": one.about,
                "sha256": one.sha256,
                "pictures": [pair.name for pair in one.pairs],
                "size_px": SIDE,
            }
            for one in sets
        },
        "methods": figures,
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / "restoration.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    draw(result, results / "restoration.png")
    return result


def shipped_sets() -> tuple[Set, ...]:
    folder = REPO / "calibration"
    synthetic = open_evaluation(folder / "evaluation_256", SIDE, SIDE)
    motion = open_evaluation(folder / "evaluation_motion_256", SIDE, SIDE)
    about = "held-out photographs, synthetic shake that varies over the picture"
    shaken = tuple(synthetic)
    return (
        Set("synthetic", about, synthetic.sha256, shaken),
        Set("motion", "held-out video, real motion, frames averaged", motion.sha256, tuple(motion)),
        uniform_set(shaken, synthetic.sha256),
    )


def uniform_set(pairs: tuple[Pair, ...], digest: str) -> Set:
    """The same sharp pictures under one kernel each: seeds 7000, 7001 …"""
    made = [uniform_blur(pair.sharp, UNIFORM_SEED + i) for i, pair in enumerate(pairs)]
    blurred = tuple(Pair(pair.name, picture, pair.sharp) for pair, (picture, _) in zip(pairs, made, strict=True))
    about = f"sharp pictures of the synthetic set under one shake of 2 to 28 px each, seeds {UNIFORM_SEED} on"
    return Set("uniform", about, digest, blurred, tuple(kernel for _, kernel in made))


Method = tuple[str, Callable[[Set], list[Image]]]


def methods(files: list[Path]) -> Iterator[Method]:
    """Name → what gives the pictures of a set; an empty list where the method cannot be asked."""
    yield "blurred input", lambda one: [pair.blurred for pair in one.pairs]
    yield "unsharp mask", lambda one: [unsharp_mask(pair.blurred) for pair in one.pairs]
    yield "Wiener, true kernel", lambda one: deconvolved(wiener, one)
    yield "Richardson-Lucy, true kernel", lambda one: deconvolved(richardson_lucy, one)
    for file in files:
        yield file.name, lambda one, file=file: restored(file, one)  # type: ignore[misc]


def deconvolved(solve: Callable[[Image, Image], Image], one: Set) -> list[Image]:
    blurred = [pair.blurred for pair in one.pairs][: len(one.kernels)]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(solve, blurred, one.kernels))


def restored(file: Path, one: Set) -> list[Image]:
    artifact = artifact_of_file(file, SIDE, SIDE)
    if (artifact.input.height, artifact.input.width) != (SIDE, SIDE):
        raise ExportError(f"{file} takes {artifact.input.height}×{artifact.input.width} px, the pictures are {SIDE}²")
    with runtime(RUNTIMES[file.suffix]).open(artifact, threads=2) as session:
        return session.infer_all(pair.blurred for pair in one.pairs)


Metric = Callable[[Image, Image], float]


def measured(pictures: list[Image], one: Set, perceptual: Metric | None) -> list[dict[str, Any]]:
    """One row of figures per picture."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda picture, pair: figures_of(picture, pair, perceptual), pictures, one.pairs))


def figures_of(picture: Image, pair: Pair, perceptual: Metric | None) -> dict[str, Any]:
    shown = to_uint8(picture).astype(np.float32) / 255  # what a phone would show
    score = psnr_db(shown, pair.sharp)
    found = keypoint_matches(shown, pair.sharp)
    row = {
        "name": pair.name,
        "psnr_db": score,
        "gain_db": score - psnr_db(pair.blurred, pair.sharp),
        "ssim": ssim(shown, pair.sharp),
        "keypoints": found,
        "keypoints_gain": found - keypoint_matches(pair.blurred, pair.sharp),
        "colour_shift": colour_shift(shown, pair.blurred),
        "grid": grid(shown, pair.blurred),
        "border_loss": border_loss(shown, pair.blurred, pair.sharp),
    }
    return row if perceptual is None else row | {"st_lpips": perceptual(shown, pair.sharp)}


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean, 95 % interval, worst picture and every picture's value of each figure."""
    result: dict[str, Any] = {"pictures_below_input": sum(row["gain_db"] < 0 for row in rows)}
    for key in (key for key in rows[0] if key != "name"):
        values = [float(row[key]) for row in rows]
        worst = int(np.argmax(values) if key in SMALL_IS_GOOD else np.argmin(values))
        result[key] = {
            "mean": round(float(np.mean(values)), 4),
            "ci95": round(ci95(values), 4),
            "worst": round(values[worst], 4),
            "worst_picture": rows[worst]["name"],
            "each": [round(value, 4) for value in values],
        }
    return result


def perceptual_metric() -> tuple[Metric | None, str]:
    """ST-LPIPS when its package is installed, else why not. It is optional: it pulls in IPython and torchvision."""
    try:
        import torch
        from stlpips_pytorch import stlpips
    except ImportError as error:
        return None, f"not measured: {error}; pip install stlpips-pytorch==0.0.2 torchvision ipython torchsummary"
    network = stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False)

    @torch.no_grad()
    def distance(picture: Image, sharp: Image) -> float:
        sides = (torch.from_numpy(image.transpose(2, 0, 1).copy())[None] for image in (picture, sharp))
        return float(network(*sides, normalize=True))

    return distance, ""


def draw(result: dict[str, Any], path: Path) -> None:
    """Gain in dB and in keypoints over the blurred input: one bar per method and set, with 95 % intervals."""
    from matplotlib.figure import Figure

    methods = {name.removesuffix(".safetensors"): sets for name, sets in result["methods"].items()}
    del methods["blurred input"]
    panels = {"gain_db": "PSNR, dB", "keypoints_gain": "SIFT keypoints found again, per picture"}
    figure = Figure(figsize=(11, 1.4 + 0.55 * len(methods)), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    height = 0.8 / len(result["sets"])
    for axis, (key, title) in zip(axes, panels.items(), strict=True):
        for i, one in enumerate(result["sets"]):
            places = [(y, sets[one][key]) for y, sets in enumerate(methods.values()) if one in sets]
            axis.barh(
                [y + (i - 1) * height for y, _ in places],
                [figures["mean"] for _, figures in places],
                height,
                xerr=[figures["ci95"] for _, figures in places],
                label=f"{one} ({len(result['sets'][one]['pictures'])} pictures)",
                error_kw={"elinewidth": 0.8},
            )
        axis.set_title(title, fontsize=10)
        axis.axvline(0, color="0.3", linewidth=0.8)
        axis.grid(axis="x", alpha=0.3)
    axes[0].set_yticks(range(len(methods)), list(methods))
    axes[0].invert_yaxis()
    figure.suptitle(f"Gain over the blurred input, mean and 95 % interval ({result['date']})", fontsize=11)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
    figure.savefig(path, dpi=110)


def show(result: dict[str, Any]) -> None:
    for method, sets in result["methods"].items():
        for one, found in sets.items():
            shown = ("psnr_db", "gain_db", "ssim", "keypoints_gain")
            parts = (f"{key} {found[key]['mean']:.2f}±{found[key]['ci95']:.2f}" for key in shown)
            sys.stdout.write(f"{method:34} {one:10} {' '.join(parts)}, worst {found['gain_db']['worst']:+.2f} dB\n")


if __name__ == "__main__":
    show(main([Path(word) for word in sys.argv[1:]], shipped_sets(), RESULTS))
