"""What is each technique of INT8 worth, on a network where it is easy and on three where it is hard?

    .venv/bin/python benchmarks/quantization_ablation.py [--images 64] [--pairs 20] [--only NAME …] [--technique NAME …]

Each technique alone against min-max ranges and rounding to the nearest, then together. Networks:
  student      the shipped student m
  full_v3      the student with squeeze-excite and hard-swish in it, from benchmarks/weights
  deblurgan    DeblurGAN-v2 (MobileNet) with its shipped weights
  compact      Real-ESRGAN's animevideov3 on 64 px crops; parity only
Parity is INT8 against float, dB; "lost" is float minus INT8 against the sharp photograph, dB, over
calibration/evaluation_256. Writes benchmarks/quantization_ablation.json and .md; rows that --only and
--technique leave out stay there, if those were measured with as many pictures and the same student.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from int8_networks import COMPACT, DEBLURGAN_V2, FULL_V3, REPO, RUNNING, STUDENT
from record import record

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.data.calibration import CalibrationSet, open_calibration
from exporter.data.evaluation import EvaluationSet, open_evaluation
from exporter.measure.parity import measure_parity
from exporter.measure.quality import measure_quality
from exporter.progress import Silent
from exporter.runtimes import runtime
from exporter.stages import LoadGenerator, Stage, Workspace
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.reestimate_norm import ReestimateNorm
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx

SIDE, COMPACT_SIDE = 256, 64
FEW_IMAGES = (1, 4, 16)

TECHNIQUES: dict[str, dict[str, Any]] = {
    "min-max, nearest": {},
    "percentile 99.999": {"ranges": "percentile"},
    "percentile 99.99": {"ranges": "percentile", "percentile": 99.99},
    "percentile 99.9": {"ranges": "percentile", "percentile": 99.9},
    "mse": {"ranges": "mse"},
    "entropy": {"ranges": "entropy"},
    "equalize": {"equalize": True},
    "bias correction": {"bias_correction": True},
    "adaptive rounding": {"rounding": "adaptive"},
    "adaptive rounding, bias correction": {"rounding": "adaptive", "bias_correction": True},
    "equalize, adaptive rounding, bias correction": {"equalize": True, "rounding": "adaptive", "bias_correction": True},
    "tune": {"tune": True},
}


@dataclass(frozen=True, slots=True)
class Case:
    """A float network, and whether its pictures are restorations of the evaluation set."""

    name: str
    network: Callable[[Path, Images], Artifact]
    side: int = SIDE
    restores: bool = True
    norms: bool = False  # it has batch norms with running statistics, which can be measured anew


@dataclass(frozen=True, slots=True)
class Images:
    """Calibration and evaluation of one size; `first` calibration images only."""

    calibration: CalibrationSet
    evaluation: EvaluationSet
    first: int
    pairs: int


def main(args: argparse.Namespace) -> None:
    measured_on = {
        "calibration_images": args.images,
        "evaluation_pairs": args.pairs,
        "student_sha256": sha256_of(STUDENT),
    }
    rows = {(row["network"], row["technique"]): row for row in rows_before(measured_on)}
    with tempfile.TemporaryDirectory() as temporary:
        for case in cases():
            if args.only and case.name not in args.only:
                continue
            for row in measured(case, Path(temporary) / case.name, args):
                rows[case.name, row["technique"]] = {"network": case.name, **row}
            figures: dict[str, object] = {
                "runtime": runtime("litert_cpu").device(2),
                **measured_on,
                "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
                "rows": list(rows.values()),
            }
            record("quantization_ablation", figures)  # after each network: the last ones take longest
            Path(__file__).with_suffix(".md").write_text(table(figures))


def rows_before(measured_on: dict[str, Any]) -> list[dict[str, Any]]:
    """What the file holds already, if it was measured on the same pictures and weights."""
    file = Path(__file__).with_suffix(".json")
    known = json.loads(file.read_text()) if file.exists() else {}
    return list(known["rows"]) if measured_on.items() <= known.items() else []


def cases() -> list[Case]:
    return [
        Case("student", lambda folder, images: loaded(STUDENT, SIDE, folder, images), norms=True),
        Case("full_v3", lambda folder, images: loaded(FULL_V3, SIDE, folder, images), norms=True),
        Case("deblurgan", deblurgan, norms=True),
        Case("compact", lambda f, i: loaded(COMPACT, COMPACT_SIDE, f, i), COMPACT_SIDE, restores=False),
    ]


def measured(case: Case, folder: Path, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One row for each technique, and for few calibration images."""
    calibration = open_calibration(REPO / "calibration" / "photos_256", case.side, case.side)
    images = Images(
        calibration,
        open_evaluation(REPO / "calibration" / "evaluation_256", case.side, case.side),
        args.images,
        args.pairs,
    )
    network = case.network(folder, images)
    tflite = converted(network, folder / "float", images)
    reference = pictures(tflite, images)
    chosen = [(name, options, args.images, tflite) for name, options in TECHNIQUES.items()]
    chosen += [(f"min-max, nearest, {count} images", {}, count, tflite) for count in FEW_IMAGES if count < args.images]
    if case.norms:
        anew = run(ReestimateNorm(), network, folder / "norms", images)
        other = converted(anew, folder / "float_norms", images)
        chosen.append(("norms measured anew", {}, args.images, other))
    if args.technique:
        chosen = [one for one in chosen if one[0] in args.technique]
    for number, (name, options, count, source) in enumerate(chosen):
        started_s, processor_s = time.monotonic(), time.process_time()
        int8 = run(QuantizeTflite(**options), source, folder / str(number), replace(images, first=count))
        seconds = {"seconds": time.monotonic() - started_s, "processor_seconds": time.process_time() - processor_s}
        row = {"technique": name, **compared(pictures(int8, images), reference, images, case.restores)}
        row |= {key: round(value, 1) for key, value in seconds.items()}
        sys.stderr.write(f"{case.name}: {row}\n")
        yield row


def compared(made: list[Any], reference: list[Any], images: Images, restores: bool) -> dict[str, float]:
    pairs = list(images.evaluation)[: images.pairs]
    parity = measure_parity(reference, made, [pair.name for pair in pairs])
    row = {"parity_mean_db": round(parity.mean_psnr_db, 2), "parity_worst_db": round(parity.worst_psnr_db, 2)}
    if restores:
        quality = measure_quality(made, reference, pairs)
        row |= {"lost_mean_db": round(quality.loss_db, 4), "lost_worst_db": round(quality.worst_loss_db, 4)}
    return row


def pictures(artifact: Artifact, images: Images) -> list[Any]:
    pairs = list(images.evaluation)[: images.pairs]
    with runtime("litert_cpu").open(artifact, threads=2) as session:
        return [session.infer(pair.blurred) for pair in pairs]


def loaded(weights: Path, side: int, folder: Path, images: Images, **options: Any) -> Artifact:
    spec = TensorSpec.image(side, side)
    return run(LoadGenerator(**options), Artifact(Format.CHECKPOINT, weights, spec, spec, ""), folder / "load", images)


def deblurgan(folder: Path, images: Images) -> Artifact:
    return loaded(DEBLURGAN_V2, SIDE, folder, images, arch="deblurgan_v2_mobilenet", kwargs=RUNNING)


def converted(network: Artifact, folder: Path, images: Images) -> Artifact:
    for stage in (TorchToOnnx(), SimplifyOnnx(), OnnxToTflite()):
        network = run(stage, network, folder / stage.name, images)
    return network


def run(stage: Stage, source: Artifact, folder: Path, images: Images) -> Artifact:
    folder.mkdir(parents=True)
    kept = images.calibration.manifest.images[: images.first]
    manifest = images.calibration.manifest.model_copy(update={"images": kept})
    calibration = replace(images.calibration, manifest=manifest)
    return stage.run(source, Workspace(folder, source, calibration, None, 0, Silent(), nullcontext))


def table(figures: dict[str, Any]) -> str:
    titles = ["network", "technique", "parity dB, mean", "worst", "lost dB, mean", "worst", "s"]
    lines = [titles, ["---"] * len(titles)]
    for row in figures["rows"]:
        lost = [f"{row[key]:.3f}" if key in row else "" for key in ("lost_mean_db", "lost_worst_db")]
        parity = [f"{row['parity_mean_db']:.2f}", f"{row['parity_worst_db']:.2f}"]
        lines.append([row["network"], row["technique"], *parity, *lost, f"{row['processor_seconds']:.0f}"])
    head = (
        f"INT8 against float on {figures['evaluation_pairs']} pictures, {figures['calibration_images']} to calibrate "
        "with; s: processor seconds of the stage. benchmarks/quantization_ablation.py\n\n"
    )
    return head + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--technique", nargs="*", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main(arguments())
