"""What does the student gain from a teacher, the feature term, ReLU6 and width? All on one budget.

    .venv/bin/python benchmarks/ablation.py --steps 4000 [--workers 2] [--photos FOLDER …] [--maxim FILE] [key=value …]

Each variant is recipes/train_student.yaml from random weights, with the same seed, pool of pairs, steps, batch and
crop; `key=value` changes the recipe for all of them, e.g. training.batch=4. Runs lie in BUILD/train and go on where
they were when the command is repeated. Teachers label the pool once. Writes recipes/results/ablation.json, .md and
.png: gain over the blurred input on held-out photographs and on filmed motion.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporter.data.evaluation import EvaluationSet, open_evaluation
from exporter.data.images import to_uint8
from exporter.data.metrics import PROTOCOLS, ci95, psnr_db
from exporter.inspect.model_file import artifact_of_file
from exporter.runs.environment import environment
from exporter.runtimes import runtime

REPO = Path(__file__).parent.parent
RECIPE = REPO / "recipes" / "train_student.yaml"
TEACHER = REPO / "recipes" / "weights" / "deblurgan_v2_mobilenet.safetensors"
RESULTS = REPO / "recipes" / "results"
SETS = {"synthetic": "evaluation_256", "motion": "evaluation_motion_256"}
SIDE = 256
PAIRS = 6000
TILE_PX = 256  # MAXIM takes multiples of 64
POINTS = 20  # of a curve
BASE = "distilled"  # what the others are compared with: DeblurGAN-v2 as teacher, no feature term, ReLU6, width m


@dataclass(frozen=True, slots=True)
class Variant:
    """One training run: what differs from the others."""

    name: str
    about: str
    overrides: dict[str, str]
    teacher: Path | None = None

    def words(self, shared: dict[str, str]) -> list[str]:
        taught = {"teacher": "null", "data.pool.labelled": "false"}
        if self.teacher is not None:
            taught = {"teacher": str(self.teacher.resolve()), "data.pool.labelled": "true"}
        tree = {"recipe": str(RECIPE), "description": self.about, **taught, **shared, **self.overrides}
        return [f"{key}={value}" for key, value in tree.items()]


def variants(teacher: Path, maxim: Path | None) -> list[Variant]:
    found = [
        Variant("from_scratch", "no teacher", {}),
        Variant(BASE, "taught by DeblurGAN-v2; ReLU6, width m", {}, teacher),
        Variant("feature_term", "its bottleneck, too", {"training.feature": "0.1"}, teacher),
        Variant("relu", "ReLU instead of ReLU6", {"model.kwargs.activation": "relu"}, teacher),
        Variant("width_s", "width s", {"model.kwargs.preset": "s"}, teacher),
        Variant("width_l", "width l", {"model.kwargs.preset": "l"}, teacher),
    ]
    if maxim is not None:
        found.insert(2, Variant("distilled_maxim", "taught by MAXIM (GoPro)", {}, maxim))
    return found


def main(args: argparse.Namespace) -> dict[str, Any]:
    """Train what is not trained yet, measure, write the three files into `args.results`."""
    shared = shared_overrides(args)
    wanted = variants(args.teacher, args.maxim)
    train_all(wanted, shared, args)
    rows = {variant.name: measured(variant, args) for variant in wanted}
    for row in rows.values():
        row["against_distilled_db"] = {one: against(row, rows[BASE], one) for one in SETS}
    result = {
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["python benchmarks/ablation.py --steps", str(args.steps), *args.words]),
        "environment": environment(),
        "protocols": {
            "psnr_db": PROTOCOLS["psnr_db"],
            "gain_db": "minus that of the blurred input, picture by picture",
        },
        "budget": shared | {"data.training": [folder.name for folder in args.photos]},
        "variants": rows,
    }
    args.results.mkdir(parents=True, exist_ok=True)
    (args.results / "ablation.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    (args.results / "ablation.md").write_text(table(result))
    draw(result, args.results / "ablation.png")
    return result


def shared_overrides(args: argparse.Namespace) -> dict[str, str]:
    """The budget and the data of every variant."""
    return {
        "model.init": "null",
        "data.training": f"[{','.join(str(folder.resolve()) for folder in args.photos)}]",
        "data.pool.pairs": str(PAIRS),
        "data.pool.size_px": str(TILE_PX),
        "training.steps": str(args.steps),
        "training.validate_every": str(max(1, args.steps // POINTS)),
        "training.tensorboard": "false",
    } | dict(word.split("=", 1) for word in args.words)


def run_name(variant: Variant, args: argparse.Namespace) -> str:
    return f"ablation_{variant.name}_{args.steps}"


def train_all(wanted: list[Variant], shared: dict[str, str], args: argparse.Namespace) -> None:
    """Fill the pool, and each teacher's labels, by a run of one step; then train `args.workers` variants at a time."""
    for teacher in dict.fromkeys(variant.teacher for variant in wanted):
        if any(variant.teacher == teacher and not finished(variant, args) for variant in wanted):
            shutil.rmtree(args.build / "train" / "ablation_pool", ignore_errors=True)
            only_data = Variant("pool", "one step, for its data", {"training.steps": "1"}, teacher)
            run("ablation_pool", only_data.words(shared), args.build, os.cpu_count() or 1)

    def train(variant: Variant) -> None:
        run(run_name(variant, args), variant.words(shared), args.build, max(1, (os.cpu_count() or 1) // args.workers))

    with ThreadPoolExecutor(args.workers) as pool:
        list(pool.map(train, wanted))


def finished(variant: Variant, args: argparse.Namespace) -> bool:
    return (args.build / "train" / run_name(variant, args) / "card.json").exists()


def run(name: str, words: list[str], build: Path, threads: int) -> None:
    """`exporter train`, its output in BUILD/<name>.log. Exits with the log's end when it fails."""
    build.mkdir(parents=True, exist_ok=True)
    log = build / f"{name}.log"
    command = [sys.executable, "-m", "exporter", "train", *words, f"name={name}", "--build", str(build)]
    with log.open("w") as file:
        settings = os.environ | {"OMP_NUM_THREADS": str(threads)}
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=settings).returncode
    if code:
        sys.exit(f"{name} ended with exit code {code}; the end of {log}:\n" + log.read_text()[-2000:])
    sys.stdout.write(f"{name}: {log.read_text().strip().splitlines()[-1]}\n")


def measured(variant: Variant, args: argparse.Namespace) -> dict[str, Any]:
    """The finished run's cost, its curve, and its gain on both sets."""
    folder = args.build / "train" / run_name(variant, args)
    card = json.loads((folder / "card.json").read_text())
    lines = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    artifact = artifact_of_file(folder / card["weights"]["file"], SIDE, SIDE)
    return {
        "about": variant.about,
        "overrides": variant.overrides,
        "teacher": variant.teacher.name if variant.teacher else None,
        "cost_256": card["cost_256"],
        "wall_s": card["wall_s"],
        "sets": {
            one: gains(artifact, open_evaluation(REPO / "calibration" / name, SIDE, SIDE)) for one, name in SETS.items()
        },
        "curve": [[line["step"], round(line["gain_db"], 4)] for line in lines if "gain_db" in line],
    }


def gains(artifact: Any, pairs: EvaluationSet) -> dict[str, Any]:
    """Gain in dB over the blurred input, of 8-bit pictures: mean, 95 % interval, worst, each."""
    kept = list(pairs)
    with runtime("torch_cpu").open(artifact, threads=2) as session:
        pictures = [to_uint8(session.infer(pair.blurred)).astype(np.float32) / 255 for pair in kept]
    each = [
        psnr_db(picture, pair.sharp) - psnr_db(pair.blurred, pair.sharp)
        for picture, pair in zip(pictures, kept, strict=True)
    ]
    return {
        "mean_db": round(float(np.mean(each)), 4),
        "ci95_db": round(ci95(each), 4),
        "worst_db": round(min(each), 4),
        "worst_picture": kept[int(np.argmin(each))].name,
        "each_db": [round(value, 4) for value in each],
    }


def against(row: dict[str, Any], base: dict[str, Any], one: str) -> dict[str, float]:
    """The difference to the base variant, picture by picture: a far narrower interval than that of the gains."""
    differences = np.subtract(row["sets"][one]["each_db"], base["sets"][one]["each_db"]).tolist()
    return {"mean": round(float(np.mean(differences)), 4), "ci95": round(ci95(differences), 4)}


def table(result: dict[str, Any]) -> str:
    titles = ["variant", "", "GMAC at 256²", "synthetic", "worst", f"against {BASE}", "filmed motion", "worst"]
    lines = [titles, ["---"] * len(titles)]
    for name, row in result["variants"].items():
        synthetic, motion = row["sets"]["synthetic"], row["sets"]["motion"]
        difference = row["against_distilled_db"]["synthetic"]
        lines.append(
            [
                name,
                row["about"],
                f"{row['cost_256']['macs'] / 1e9:.2f}",
                f"{synthetic['mean_db']:+.2f} ± {synthetic['ci95_db']:.2f} dB",
                f"{synthetic['worst_db']:+.2f} dB",
                "" if name == BASE else f"{difference['mean']:+.2f} ± {difference['ci95']:.2f} dB",
                f"{motion['mean_db']:+.2f} ± {motion['ci95_db']:.2f} dB",
                f"{motion['worst_db']:+.2f} dB",
            ]
        )
    budget = ", ".join(f"{key} {value}" for key, value in result["budget"].items())
    head = f"Gain over the blurred input, mean and 95 % interval; {result['date']}. Budget of each: {budget}.\n\n"
    return head + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def draw(result: dict[str, Any], path: Path) -> None:
    """Gain against step of every variant."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axis = figure.subplots()
    for name, row in result["variants"].items():
        steps, gain_db = zip(*row["curve"], strict=True)
        axis.plot(steps, gain_db, label=f"{name}: {row['about']}", linewidth=1.5 + (name == BASE))
    axis.axhline(0, color="0.3", linewidth=0.8)
    axis.set(xlabel="step", ylabel="PSNR over the blurred input, dB", title=f"Ablation ({result['date']})")
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="key=value", help="overrides of the recipe, for every variant")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--workers", type=int, default=1, help="variants trained at a time")
    parser.add_argument("--photos", type=Path, nargs="+", default=[REPO / "calibration" / "training_384"])
    parser.add_argument("--teacher", type=Path, default=TEACHER, help="a network file")
    parser.add_argument("--maxim", type=Path, help="a network file of MAXIM; without it that variant is left out")
    parser.add_argument("--build", type=Path, default=REPO / "build" / "ablation")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parsed = parser.parse_intermixed_args(words)
    if wrong := [word for word in parsed.words if "=" not in word]:
        parser.error(f"{wrong[0]!r} is not key=value")
    return parsed


if __name__ == "__main__":
    sys.stdout.write(table(main(arguments())))
