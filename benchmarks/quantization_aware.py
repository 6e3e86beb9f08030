"""What does quantization-aware training win over calibration alone, and is its simulation the file's own arithmetic?

    .venv/bin/python benchmarks/quantization_aware.py [--steps 200] [--images 64] [--pairs 20] [--only NAME …]

The networks are those of quantization_ablation.py, whose measures these are, too. Three INT8 files of each:
  plain     quantize_tflite as it comes: min-max ranges, rounding to the nearest
  tuned     the settings that `tune` chose, which is where training starts
  trained   after training, with the stage's own options unless named here; where training did not win on calibration
            pictures, the stage has kept its start
Training sees photographs of calibration/training_384, blurred on the way; parity and loss are measured on
calibration/evaluation_256. "simulated" is the share of pixels that torch computed exactly as LiteRT does from the
exported file.
Writes benchmarks/quantization_aware.json and .md; networks that --only leaves out keep their rows there, if those were
measured on as many pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from int8_networks import REPO
from quantization_ablation import Case, Images, cases, compared, converted, pictures, run
from record import record

from exporter.artifact import Artifact
from exporter.data.calibration import open_calibration
from exporter.data.evaluation import open_evaluation
from exporter.data.training import open_training
from exporter.progress import Silent
from exporter.runtimes import runtime
from exporter.stages import Workspace
from exporter.stages.quantize_aware_train import QuantizeAwareTrain
from exporter.stages.quantize_tflite import QuantizeTflite


def main(args: argparse.Namespace) -> None:
    measured_on = {"calibration_images": args.images, "evaluation_pairs": args.pairs}
    rows = [row for row in rows_before(measured_on) if args.only and row["network"] not in args.only]
    with tempfile.TemporaryDirectory() as temporary:
        for case in cases():
            if not args.only or case.name in args.only:
                rows += [{"network": case.name, **row} for row in measured(case, Path(temporary) / case.name, args)]
                figures = {"runtime": runtime("litert_cpu").device(2), **measured_on, "rows": rows}
                record("quantization_aware", figures)
                Path(__file__).with_suffix(".md").write_text(table(figures))


def rows_before(measured_on: dict[str, Any]) -> list[dict[str, Any]]:
    """What the file holds already, if it was measured on as many pictures."""
    file = Path(__file__).with_suffix(".json")
    known = json.loads(file.read_text()) if file.exists() else {}
    return list(known["rows"]) if measured_on.items() <= known.items() else []


def measured(case: Case, folder: Path, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    images = Images(
        open_calibration(REPO / "calibration" / "photos_256", case.side, case.side),
        open_evaluation(REPO / "calibration" / "evaluation_256", case.side, case.side),
        args.images,
        args.pairs,
    )
    source = converted(case.network(folder, images), folder / "float", images)
    reference = pictures(source, images)

    def judged(artifact: Artifact) -> dict[str, float]:
        return compared(pictures(artifact, images), reference, images, case.restores)

    yield {"file": "plain", **judged(run(QuantizeTflite(), source, folder / "plain", images))}
    facts, trained = train(source, folder / "trained", images, args, min(args.crop_px, case.side))
    settings = facts["settings"]
    tuned = run(QuantizeTflite(**settings), source, folder / "tuned", images)
    yield {"file": "tuned", "settings": settings, **judged(tuned)}
    row = {"file": "trained", **facts, **judged(run(QuantizeTflite(), trained, folder / "int8", images))}
    sys.stderr.write(f"{case.name}: {row}\n")
    yield row


def train(
    source: Artifact, folder: Path, images: Images, args: argparse.Namespace, crop_px: int
) -> tuple[dict[str, Any], Artifact]:
    """What the stage noted, and its file."""
    folder.mkdir()
    stage = QuantizeAwareTrain(steps=args.steps, batch=args.batch, crop_px=crop_px, learning_rate=args.learning_rate)
    calibration = images.calibration.only(range(images.first))
    photographs = open_training(REPO / "calibration" / "training_384")
    workspace = Workspace(folder, source, calibration, photographs, 0, Silent(), nullcontext)
    started_s = time.process_time()
    trained = stage.run(source, workspace)
    seconds = round(time.process_time() - started_s)
    facts = stage.facts(folder)
    tuning = facts.pop("tuning")
    settings = tuning["trials"][tuning["chosen"]]["settings"]
    return {"processor_seconds": seconds, "settings": settings, **facts}, trained


def table(figures: dict[str, Any]) -> str:
    titles = ["network", "file", "parity dB, mean", "worst", "lost dB, mean", "worst"]
    titles += ["steps", "s", "training won", "simulated exactly"]
    lines = [titles, ["---"] * len(titles)]
    for row in figures["rows"]:
        cells = [row["network"], row["file"], f"{row['parity_mean_db']:.2f}", f"{row['parity_worst_db']:.2f}"]
        cells += [f"{row[key]:.3f}" if key in row else "" for key in ("lost_mean_db", "lost_worst_db")]
        if row["file"] == "trained":
            won, exactly = "yes" if row["trained"] else "no", f"{row['simulated_exactly_percent']:g} %"
            cells += [str(row["steps"]), str(row["processor_seconds"]), won, exactly]
        lines.append(cells + [""] * (len(titles) - len(cells)))
    head = (
        f"INT8 against float on {figures['evaluation_pairs']} pictures that calibration "
        f"({figures['calibration_images']} pictures) and training have not seen; s: processor seconds of training, "
        "choice of settings included. benchmarks/quantization_aware.py\n\n"
    )
    return head + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def arguments() -> argparse.Namespace:
    options = QuantizeAwareTrain()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=options.steps)
    parser.add_argument("--batch", type=int, default=options.batch)
    parser.add_argument("--crop-px", type=int, default=options.crop_px, help="at most; pictures may be smaller")
    parser.add_argument("--learning-rate", type=float, default=options.learning_rate)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
