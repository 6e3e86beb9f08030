"""What does quantization-aware training win over calibration alone, and is its simulation the file's own arithmetic?

    .venv/bin/python benchmarks/quantization_aware.py [--steps 300] [--images 64] [--compact FILE] [--only NAME …]

The networks are those of quantization_ablation.py, whose measures these are, too. Calibration alone is min-max ranges
and rounding to the nearest; training starts from them, with the stage's own options unless named here.
"simulated" is the share of pixels that torch computed exactly as LiteRT does from the exported file.
Writes benchmarks/quantization_aware.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
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
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for case in cases():
            if not args.only or case.name in args.only:
                rows += [{"network": case.name, **row} for row in measured(case, Path(temporary) / case.name, args)]
                chosen = {key: value for key, value in vars(args).items() if key not in ("compact", "only")}
                record("quantization_aware", {"runtime": runtime("litert_cpu").device(2), **chosen, "rows": rows})


def measured(case: Case, folder: Path, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The INT8 file of calibration alone, then that of training."""
    sets = (REPO / "calibration" / "photos_256", REPO / "calibration" / "evaluation_256")
    calibration, evaluation = (
        open_calibration(sets[0], case.side, case.side),
        open_evaluation(sets[1], case.side, case.side),
    )
    images = Images(calibration, evaluation, args.images, args.pairs)
    source = converted(case.network(folder, images), folder / "float", images)
    reference = pictures(source, images)
    usual = run(QuantizeTflite(), source, folder / "usual", images)
    yield {"technique": "calibration", **compared(pictures(usual, images), reference, images, case.restores)}
    started_s = time.process_time()
    stage, trained = train(source, folder / "trained", images, args)
    row = {"processor_seconds": round(time.process_time() - started_s), **stage.facts(folder / "trained")}
    int8 = run(QuantizeTflite(), trained, folder / "int8", images)
    row |= {"technique": "training", **compared(pictures(int8, images), reference, images, case.restores)}
    sys.stderr.write(f"{case.name}: {row}\n")
    yield row


def train(
    source: Artifact, folder: Path, images: Images, args: argparse.Namespace
) -> tuple[QuantizeAwareTrain, Artifact]:
    folder.mkdir()
    manifest = images.calibration.manifest
    manifest = manifest.model_copy(update={"images": manifest.images[: images.first]})
    calibration = replace(images.calibration, manifest=manifest)
    photographs = open_training(REPO / "calibration" / "training_384")
    stage = QuantizeAwareTrain(
        steps=args.steps, batch=args.batch, crop_px=args.crop_px, learning_rate=args.learning_rate
    )
    workspace = Workspace(folder, source, calibration, photographs, 0, Silent(), nullcontext)
    return stage, stage.run(source, workspace)


def arguments() -> argparse.Namespace:
    options = QuantizeAwareTrain()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=options.steps)
    parser.add_argument("--batch", type=int, default=options.batch)
    parser.add_argument("--crop-px", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=options.learning_rate)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--compact", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
