"""`exporter bench MODEL`: latency of a bare model file on a runtime, on noise."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from exporter.commands.words import add_json, show, show_json

DEFAULT_RUNTIMES = {".tflite": "litert_cpu", ".onnx": "onnxruntime_cpu", ".safetensors": "torch_cpu"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, help=".tflite, .onnx or a network file of this project")
    parser.add_argument("--runtime", help="default: litert_cpu, onnxruntime_cpu or torch_cpu by the file's ending")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--warmup", type=int, default=10)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    import numpy as np

    from exporter.errors import MissingTool, RecipeError
    from exporter.runtimes import runtime
    from exporter.verify.latency import measure_latency
    from exporter.verify.model_file import artifact_of_file

    name = args.runtime or DEFAULT_RUNTIMES.get(args.model.suffix)
    if name is None:
        raise RecipeError(
            f"{args.model}: no runtime is known for {args.model.suffix!r} files", hint="name one: --runtime"
        )
    engine = runtime(name)
    if why := engine.missing():
        raise MissingTool(why)
    artifact = artifact_of_file(args.model)
    if artifact.format != engine.takes:
        raise RecipeError(f"{args.model}: {engine.name} runs {engine.takes}, this file is {artifact.format}")
    noise = np.random.default_rng(0).random((artifact.input.height, artifact.input.width, 3), dtype=np.float32)
    latency = measure_latency(engine, artifact, noise, args.threads, args.runs, args.warmup)
    if args.json:
        figures = {"p50_ms": latency.p50_ms, "p90_ms": latency.p90_ms, "p99_ms": latency.p99_ms}
        show_json({"model": str(args.model), "runtime": name, **asdict(latency), **figures})
        return 0
    show(f"{args.model} on {latency.device}, {len(latency.samples_ms)} calls after {args.warmup} to warm up")
    show(f"  p50 {latency.p50_ms:.2f} ms · p90 {latency.p90_ms:.2f} ms · p99 {latency.p99_ms:.2f} ms")
    return 0
