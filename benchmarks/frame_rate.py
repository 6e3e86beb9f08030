"""How many pictures of 1280×720 a second do the students restore on a CPU, and what does INT8 buy?

    .venv/bin/python benchmarks/frame_rate.py [rounds]

Students s, m and l as fp32, fp16 and INT8 .tflite on LiteRT, with 1 and 2 threads, all in one run; INT8 also with
quantize_tflite's device: cpu. Shipped weights
where there are any, else random ones, which take the same time. Files take turns, so that what else the machine does
falls on all of them alike; CPU time a picture (of all threads, their waiting for each other included) is nearly fair
even on a busy one. Writes benchmarks/frame_rate.json and prints a table. About 5 minutes on 2 cores.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from record import record

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.checkpoints.fit import load_into
from exporter.checkpoints.read import read_weights
from exporter.data.calibration import CalibrationSet, open_calibration
from exporter.generators.mobilenetv3_student import PRESETS, MobileNetV3Student
from exporter.generators.network_file import Description, write_network
from exporter.progress import Silent
from exporter.runtimes import runtime
from exporter.stages import Stage, Workspace
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from exporter.training.cost import cost_of

REPO = Path(__file__).parent.parent
HEIGHT, WIDTH = 720, 1280
THREADS = (1, 2)
PICTURES = 8  # calibration: ranges decide how good pictures are, not how fast they come
ROUNDS, RUNS = 15, 2  # in every round each file makes one untimed call and RUNS timed ones
COPIES = "int8_copies"  # INT8 for `device: cpu`
AIMS_FPS = {"s": 60, "m": 25}  # the faster INT8 file, 2 threads


@dataclass
class Entrant:
    """One file on a number of threads, and what its calls have taken."""

    student: str
    precision: str
    threads: int
    interpreter: Interpreter
    wall_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def take_turn(self) -> None:
        self.interpreter.invoke()
        for _ in range(RUNS):
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            self.interpreter.invoke()
            self.wall_ms.append((time.perf_counter() - wall_s) * 1e3)
            self.cpu_ms.append((time.process_time() - cpu_s) * 1e3)

    def figures(self) -> dict[str, Any]:
        p50_ms = float(np.median(self.wall_ms))
        return {
            "student": self.student,
            "precision": self.precision,
            "threads": self.threads,
            "p50_ms": round(p50_ms, 2),
            "p90_ms": round(float(np.percentile(self.wall_ms, 90)), 2),
            "min_ms": round(min(self.wall_ms), 2),
            "cpu_p50_ms": round(float(np.median(self.cpu_ms)), 2),
            "fps": round(1e3 / p50_ms, 1),
        }


def main(rounds: int = ROUNDS) -> dict[str, Any]:
    load_before = os.getloadavg()
    shown = open_calibration(REPO / "calibration" / "photos_256", HEIGHT, WIDTH)
    few = shown.manifest.model_copy(update={"images": shown.manifest.images[:PICTURES]})
    calibration = replace(shown, manifest=few)
    entrants: list[Entrant] = []
    students: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for preset in PRESETS:
            source, students[preset] = student_file(preset, Path(temporary) / f"{preset}.safetensors", HEIGHT, WIDTH)
            files = convert(source, calibration, Path(temporary) / preset)
            students[preset]["size_kb"] = {precision: file.size_bytes // 1000 for precision, file in files.items()}
            entrants += [entrant(preset, *file, threads, calibration) for file in files.items() for threads in THREADS]
    for _ in range(rounds):
        for one in entrants:
            one.take_turn()
    rows = [one.figures() for one in entrants]
    return {
        "runtime": runtime("litert_cpu").device(max(THREADS)),
        "picture_px": [HEIGHT, WIDTH],
        "timed_calls": rounds * RUNS,
        "load_average": {"before": load_before, "after": os.getloadavg()},
        "aims_fps": AIMS_FPS,
        "students": students,
        "rows": rows,
        "int8_over_fp32": {one: speedups(rows, one) for one in students},
    }


def student_file(preset: str, path: Path, height: int, width: int) -> tuple[Artifact, dict[str, Any]]:
    """The student as a network file for pictures of height×width px, and what it is."""
    shipped = REPO / "recipes" / "weights" / f"mobilenetv3_student_{preset}.safetensors"
    torch.manual_seed(0)
    network = MobileNetV3Student(preset)
    if shipped.exists():
        load_into(network, read_weights(shipped), shipped, "mobilenetv3_student")
    else:
        torch.nn.init.normal_(network.head.weight, std=0.02)
    network.eval()
    write_network(network, Description("mobilenetv3_student", {"preset": preset}, (0.0, 1.0), 16), path)
    cost = cost_of(network, (1, 3, height, width))
    about = {"weights": shipped.name if shipped.exists() else "random", "parameters": cost.parameters}
    spec = TensorSpec.image(height, width)
    return Artifact(Format.TORCH, path, spec, spec, sha256_of(path)), about | {"gmac": round(cost.macs / 1e9, 3)}


def convert(student: Artifact, calibration: CalibrationSet, folder: Path) -> dict[str, Artifact]:
    """The student's files, by precision."""

    def run(stage: Stage, source: Artifact, name: str = "") -> Artifact:
        inner = folder / (name or stage.name)
        inner.mkdir(parents=True)
        return stage.run(source, Workspace(inner, student, calibration, None, 0, Silent(), nullcontext))

    fp32 = run(OnnxToTflite(), run(SimplifyOnnx(), run(TorchToOnnx(), student)))
    stages = {
        "fp16": QuantizeTflite(precision="fp16"),
        "int8": QuantizeTflite(),
        COPIES: QuantizeTflite(device="cpu"),
    }
    return {"fp32": fp32} | {precision: run(stage, fp32, precision) for precision, stage in stages.items()}


def entrant(student: str, precision: str, file: Artifact, threads: int, calibration: CalibrationSet) -> Entrant:
    """The file, loaded, with a photograph in it."""
    interpreter = Interpreter(model_content=file.path.read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    photograph = next(iter(calibration))[None]
    if given["dtype"] == np.int8:
        photograph = (np.rint(photograph * 255) - 128).astype(np.int8)
    interpreter.set_tensor(given["index"], photograph)
    return Entrant(student, precision, threads, interpreter)


def speedups(rows: list[dict[str, Any]], student: str) -> dict[str, dict[str, float]]:
    """How many times faster INT8 is than fp32, by the clock and by CPU time: "int8, 2 threads" → figures."""
    mine = {(row["precision"], row["threads"]): row for row in rows if row["student"] == student}
    return {
        f"{precision}, {threads} threads": {
            key: round(mine["fp32", threads][key] / mine[precision, threads][key], 2)
            for key in ("p50_ms", "cpu_p50_ms")
        }
        for precision in ("int8", COPIES)
        for threads in THREADS
    }


def best_fps(rows: list[dict[str, Any]], student: str) -> float:
    """Of the INT8 files, on all threads."""
    mine = [row for row in rows if row["student"] == student and row["precision"].startswith("int8")]
    return max(row["fps"] for row in mine if row["threads"] == max(THREADS))


def show(result: dict[str, Any]) -> None:
    titles = ("student", "precision", "threads", "p50_ms", "p90_ms", "min_ms", "cpu_p50_ms", "fps")
    lines = [titles, *([row[title] for title in titles] for row in result["rows"])]
    sys.stdout.write("\n".join("".join(f"{cell!s:>12}" for cell in line) for line in lines) + "\n")
    for student, aim in AIMS_FPS.items():
        sys.stdout.write(f"student {student}, INT8: {best_fps(result['rows'], student)} fps, the aim is {aim}\n")


if __name__ == "__main__":
    figures = main(*map(int, sys.argv[1:]))
    record("frame_rate", figures)
    show(figures)
