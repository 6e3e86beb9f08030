"""What int16 activations with int8 weights keep of six networks, beside plain INT8, on LiteRT and on the old runtime.

    .venv/bin/python benchmarks/int16x8.py [--only NAME] [--images 6] [--calibration 32]

Loss: mean PSNR lost against the float file, to the truth, dB. Parity: of the worst picture with the float file, as
shown. `int8_plain_loss_db` is a file in which nothing was mended (float_fallback_s: 0). `old_runtime_codes_apart`: by
how many of 65536 codes tflite-runtime 2.14 gives another picture, at most. Writes benchmarks/int16x8.json.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from int8_networks import SUBJECTS, Subject, calibration_pictures, evaluation_pairs, prepare, run
from record import record

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.data.calibration import open_calibration
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.audit import audit_graph
from exporter.measure.parity import measure_parity
from exporter.measure.quality import measure_quality
from exporter.runtimes import runtime
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite

MOST_LOSS_DB = 0.01


def main(args: argparse.Namespace) -> None:
    subjects = [subject for subject in SUBJECTS if not args.only or subject.name == args.only]
    if args.one:
        sys.stdout.write(json.dumps(figures(subjects[0], Path(args.one), args.images, args.calibration)))
        return
    rows = []
    for subject in subjects:  # a process each: memory is given back
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--only", subject.name, "--one", folder]
            command += ["--images", str(args.images), "--calibration", str(args.calibration)]
            rows.append(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1]))
    record("int16x8", {"images": args.images, "calibration_images": args.calibration, "networks": rows})
    lost = [row["network"] for row in rows if not row["int16x8_loss_db"] <= MOST_LOSS_DB]
    sys.exit(f"more than {MOST_LOSS_DB} dB lost: {', '.join(lost)}" if lost else 0)


def figures(subject: Subject, folder: Path, images: int, calibration: int) -> dict[str, Any]:
    prepare(subject, folder, calibration_pictures(subject, calibration))
    shown = open_calibration(folder / "calibration", subject.side_px, subject.side_px)
    given = TensorSpec.image(subject.side_px, subject.side_px)
    made = TensorSpec.image(subject.side_px * subject.enlarges, subject.side_px * subject.enlarges)
    onnx = Artifact(Format.ONNX, folder / "clean.onnx", given, made, sha256_of(folder / "clean.onnx"))
    exact = run(OnnxToTflite(), onnx, folder, shown)
    files = {}
    for name, stage in (
        ("int8", QuantizeTflite()),
        ("int8_plain", QuantizeTflite(float_fallback_s=0)),
        ("int16x8", QuantizeTflite(precision="int16x8")),
    ):
        (folder / name).mkdir()
        files[name] = run(stage, exact, folder / name, shown)
    pairs = evaluation_pairs(subject, images)
    litert = runtime("litert_cpu")
    pictures = {name: rendered(litert, file, pairs) for name, file in {"float": exact, **files}.items()}
    row: dict[str, Any] = {"network": subject.name, "float_psnr_db": 0.0}
    for name in files:
        quality = measure_quality(pictures[name], pictures["float"], pairs)
        parity = measure_parity(pictures["float"], pictures[name], [pair.name for pair in pairs], ends_at_range=True)
        row[f"{name}_loss_db"] = round(quality.loss_db, 4)
        row[f"{name}_parity_db"] = round(parity.worst_psnr_db, 1)
        row["float_psnr_db"] = round(quality.psnr_db + quality.loss_db, 3)
    graph = read_tflite(files["int16x8"].path)
    row["int16_mac_share"] = round(audit_graph(graph).int16_mac_share, 4)
    row["in_float"] = dict(Counter(node.kind for node in graph.nodes if in_float(node)))
    old = rendered(runtime("tflite_runtime"), files["int16x8"], pairs[:2])
    step = files["int16x8"].output.scale or 1.0
    apart = max(float(np.abs(a - b).max()) for a, b in zip(old, pictures["int16x8"], strict=False))
    return row | {"old_runtime_codes_apart": round(apart / step)}


def in_float(node: Any) -> bool:
    return node.kind not in ("QUANTIZE", "DEQUANTIZE") and node.outputs[0].dtype == "float32"


def rendered(engine: Any, file: Artifact, pairs: Any) -> list[Any]:
    with engine.open(file, 2) as session:
        return session.infer_all([pair.blurred for pair in pairs])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=[subject.name for subject in SUBJECTS])
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--calibration", type=int, default=32)
    parser.add_argument("--one", metavar="FOLDER", help="what each child process does")
    main(parser.parse_args())
