"""What does a student's millisecond buy? Gain in dB against INT8 time, and how near each is to what the kernels can do.

    .venv/bin/python benchmarks/students.py [--rounds 20] [network.safetensors …]

The shipped students and the network files named, as INT8 .tflite of 256×256 on LiteRT with 2 threads: gain over the
blurred input on held-out photographs, by how hard they are blurred, and on filmed motion. Presets without weights are
timed all the same, with random ones. The yardstick is a stack of plain 3×3 convolutions, 128 channels at a quarter of
the resolution: its multiply-accumulates per second are the kernels' best, and every student's are given as a share of
them. Files take turns, so that what else the machine does falls on all alike. A call's time is its CPU time divided by
its threads, the least of all calls: on a machine that does nothing else that is the wall's. Writes
recipes/results/students.json and students.png. About 2 minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from frame_rate import Entrant, convert, entrant, student_file
from torch import Tensor, nn

from exporter.artifact import Artifact
from exporter.data.calibration import open_calibration
from exporter.data.evaluation import EvaluationSet, open_evaluation
from exporter.data.images import to_uint8
from exporter.data.metrics import PROTOCOLS, ci95, psnr_db
from exporter.generators.mobilenetv3_student import PRESETS, ConvNormAct
from exporter.generators.network_file import Description, read_description, read_network, write_network
from exporter.inspect.model_file import artifact_of_file
from exporter.runs.environment import environment
from exporter.runtimes import runtime
from exporter.training.cost import cost_of

REPO = Path(__file__).parent.parent
WEIGHTS = REPO / "recipes" / "weights"
RESULTS = REPO / "recipes" / "results"
SIDE, THREADS = 256, 2
SETS = {"synthetic": "evaluation_256", "motion": "evaluation_motion_256"}
CLASSES = {"hard": (0.0, 24.0), "middle": (24.0, 30.0), "mild": (30.0, np.inf)}  # PSNR of the blurred input, dB
YARDSTICK = "plain 3×3"


class Yardstick(nn.Module):
    """Eight plain 3×3 convolutions of 128 channels at a quarter of the resolution, (N, 3, H, W) to the same."""

    def __init__(self, channels: int = 128, depth: int = 8) -> None:
        super().__init__()
        first = [ConvNormAct(3, 32, 3, 2, act="relu"), ConvNormAct(32, channels, 3, 2, act="relu")]
        self.body = nn.Sequential(*first, *(ConvNormAct(channels, channels, 3, act="relu") for _ in range(depth)))
        self.head = nn.Conv2d(channels, 48, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.head(self.body(x)), 4).clamp(0, 1)


def main(files: list[Path], rounds: int, results: Path) -> dict[str, Any]:
    """Measure, and write students.json and students.png into `results`."""
    calibration = open_calibration(REPO / "calibration" / "photos_256", SIDE, SIDE)
    sets = {name: open_evaluation(REPO / "calibration" / folder, SIDE, SIDE) for name, folder in SETS.items()}
    rows: dict[str, dict[str, Any]] = {}
    entrants: dict[str, Entrant] = {}
    with TemporaryDirectory() as folder:
        for name, source, about in contestants(files, Path(folder)):
            int8 = convert(source, calibration, Path(folder) / f"made_{len(rows)}")["int8"]
            entrants[name] = entrant(name, "int8", int8, THREADS, calibration)
            rows[name] = about | (measured(int8, sets) if about["weights"] != "random" else {})
        for _ in range(rounds):
            for one in entrants.values():
                one.take_turn()
    for name, row in rows.items():
        row |= timing(entrants[name], row["gmac"])
    best = rows[YARDSTICK]["gmac_per_s"]
    for row in rows.values():
        row["share_of_plain"] = round(row["gmac_per_s"] / best, 3)
    result = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/students.py",
        "environment": environment(),
        "runtime": runtime("litert_cpu").device(THREADS),
        "protocols": {"psnr_db": PROTOCOLS["psnr_db"], "gain_db": "minus that of the blurred input; INT8 on LiteRT"},
        "classes_db": {name: [low, None if np.isinf(high) else high] for name, (low, high) in CLASSES.items()},
        "students": rows,
    }
    results.mkdir(parents=True, exist_ok=True)
    (results / "students.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    draw(result, results / "students.png")
    return result


def contestants(files: list[Path], folder: Path) -> Iterator[tuple[str, Artifact, dict[str, Any]]]:
    """Name, network file at 256×256, and what is known of it before it is measured."""
    for preset in PRESETS:
        source, about = student_file(preset, folder / f"{preset}.safetensors", SIDE, SIDE)
        yield f"student {preset}", source, about
    for file in files:
        source = artifact_of_file(file, SIDE, SIDE)
        kwargs = read_description(file).kwargs
        cost = cost_of(read_network(file).eval(), (1, 3, SIDE, SIDE))
        about = {"weights": file.name, "parameters": cost.parameters, "gmac": round(cost.macs / 1e9, 3)}
        yield f"{file.stem} {kwargs.get('preset', '')}".strip(), source, about
    torch.manual_seed(0)
    yardstick, path = Yardstick().eval(), folder / "yardstick.safetensors"
    ours = f"{__name__}:Yardstick"
    write_network(yardstick, Description(ours, {}, (0.0, 1.0), 4), path)
    cost = cost_of(yardstick, (1, 3, SIDE, SIDE))
    about = {"weights": "random", "parameters": cost.parameters, "gmac": round(cost.macs / 1e9, 3)}
    yield YARDSTICK, artifact_of_file(path, SIDE, SIDE, arch=ours), about


def measured(int8: Artifact, sets: dict[str, EvaluationSet]) -> dict[str, Any]:
    return {name: gains(int8, pairs) for name, pairs in sets.items()}


def gains(artifact: Artifact, pairs: EvaluationSet) -> dict[str, Any]:
    """Gain in dB of 8-bit pictures: mean, 95 % interval, worst, and the mean of each class of blur."""
    kept = list(pairs)
    with runtime("litert_cpu").open(artifact, threads=THREADS) as session:
        shown = [to_uint8(picture).astype(np.float32) / 255 for picture in session.infer_all(p.blurred for p in kept)]
    before_db = np.array([psnr_db(pair.blurred, pair.sharp) for pair in kept])
    after_db = np.array([psnr_db(picture, pair.sharp) for picture, pair in zip(shown, kept, strict=True)])
    each_db = after_db - before_db
    by_class = {name: each_db[(before_db >= low) & (before_db < high)] for name, (low, high) in CLASSES.items()}
    return {
        "mean_db": round(float(each_db.mean()), 4),
        "ci95_db": round(ci95(each_db.tolist()), 4),
        "worst_db": round(float(each_db.min()), 4),
        "by_class": {
            name: {"pictures": len(some), "mean_db": round(float(some.mean()), 4), "worst_db": round(some.min(), 4)}
            for name, some in by_class.items()
            if len(some)
        },
    }


def timing(one: Entrant, gmac: float) -> dict[str, float]:
    ms = min(one.cpu_ms) / THREADS
    return {"ms": round(ms, 3), "wall_min_ms": round(min(one.wall_ms), 3), "gmac_per_s": round(gmac / ms * 1e3, 1)}


def draw(result: dict[str, Any], path: Path) -> None:
    """Gain against time; what has no weights stands on the axis."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axis = figure.subplots()
    students = {name: row for name, row in result["students"].items() if name != YARDSTICK}
    for name, row in students.items():
        known = "synthetic" in row
        gain_db = row["synthetic"]["mean_db"] if known else 0.0
        axis.plot(row["ms"], gain_db, "o" if known else "|", color="C0" if known else "0.5", markersize=9)
        label = f"{name}: {row['gmac_per_s']:.0f} GMAC/s" + ("" if known else ", untrained")
        axis.annotate(label, (row["ms"], gain_db), (6, 4), textcoords="offset points", fontsize=8)
    axis.set(xlabel=f"INT8, {SIDE}×{SIDE}, {THREADS} threads, ms", ylabel="PSNR over the blurred input, dB")
    axis.set(title=f"What a student's millisecond buys ({result['date']})", ylim=(-0.05, None))
    axis.set_xlim(0, 1.5 * max(row["ms"] for row in students.values()))  # room for the names
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


def show(result: dict[str, Any]) -> None:
    for name, row in result["students"].items():
        parts = [f"{name:28} {row['gmac']:6.3f} GMAC {row['ms']:7.2f} ms", f"{row['share_of_plain']:.0%} of plain"]
        if "synthetic" in row:
            parts += [f"{one} {row[one]['mean_db']:+.2f} dB, worst {row[one]['worst_db']:+.2f}" for one in SETS]
        sys.stdout.write("  ".join(parts) + "\n")


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", help="further network files")
    parser.add_argument("--rounds", type=int, default=20)
    return parser.parse_args(words)


if __name__ == "__main__":
    given = arguments()
    show(main(given.files, given.rounds, RESULTS))
