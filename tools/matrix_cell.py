"""One cell of the support matrix: what a target is made of, and one conversion of one architecture at one size.

Parity is against PyTorch on pictures that calibration has not seen; of an INT8 file as they are shown, cut to 0..1.
"""

from __future__ import annotations

import resource
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.artifact import Artifact
    from exporter.stages import Workspace

LARGEST_BYTES = 8 << 30
HIGHEST_ONNX_DIFFERENCE = 1e-4  # of full scale


@dataclass(frozen=True, slots=True)
class Target:
    stages: tuple[str, ...]
    lowest_psnr_db: float
    int8: bool = False
    runtime: str | None = None  # None: ONNX Runtime or LiteRT, on the CPU


_ONNX = ("torch_to_onnx", "simplify_onnx")
_TFLITE = (*_ONNX, "onnx_to_tflite")
_FP16 = (*_TFLITE, "quantize_tflite precision=fp16")
# A float file must give PyTorch's picture to 80 dB, one with fp16 weights to 60 dB, INT8 to 30 dB. That is below what a
# trained network needs: most weights are random and a deep stack of them amplifies rounding. The measured figure is in
# the reason. TensorRT: no CPU runs its engine, so what is compared is the file it was built from, with codes that are
# symmetric and shared by what is added; narrow convolutions too are INT8 here, for a small network has no others.
# GPU delegate: the real engine computes in half precision throughout.
TARGETS: dict[str, Target] = {
    "onnx": Target(_ONNX, 80),
    "ort_int8": Target((*_ONNX, "quantize_onnx"), 30, int8=True),
    "tflite_fp32": Target(_TFLITE, 80),
    "tflite_fp16": Target(_FP16, 60),
    "tflite_int8": Target((*_TFLITE, "quantize_tflite"), 30, int8=True),
    "tensorrt": Target(
        (*_ONNX, "quantize_onnx engine=tensorrt narrow=int8 remainder=fp16", "build_tensorrt"), 30, int8=True
    ),
    "gpu_delegate": Target(_FP16, 40, runtime="litert_gpu"),
}


def run_cell(name: str, target: str, height: int, width: int) -> dict[str, Any]:
    """Convert, run and compare. Errors of ours are verdicts; others are bugs and end the process.

    A package or engine that is not here says nothing of the network: `status` is `not measured`.
    """
    from exporter.errors import ExportError, MissingTool

    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        try:
            cell = _measure(name, target, height, width, Path(folder))
        except MissingTool as error:
            return {"status": "not measured", "reason": str(error).splitlines()[0]}
        except ExportError as error:
            return {"status": "refused", "reason": str(error).splitlines()[0]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    reason, largest, lowest_db = "", cell["largest_difference"], TARGETS[target].lowest_psnr_db
    if target == "onnx" and largest > HIGHEST_ONNX_DIFFERENCE:
        reason = f"largest difference {largest:.1e} of full scale, more than {HIGHEST_ONNX_DIFFERENCE:.0e}"
    elif not cell["psnr_db"] >= lowest_db:  # nor is NaN
        reason = f"parity {cell['psnr_db']:.1f} dB, below {lowest_db:.0f} dB"
    elif peak * 1024 > LARGEST_BYTES:
        reason = f"conversion needs {peak / 2**20:.1f} GB, more than 8"
    return {"status": "refused" if reason else "ok", "reason": reason, **cell, "peak_mb": peak // 1024}


def _measure(name: str, target: str, height: int, width: int, folder: Path) -> dict[str, Any]:
    """Largest difference and PSNR in dB between the target's file and PyTorch, over two pictures, and what else is
    worth knowing of it."""
    import numpy as np
    import torch

    from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
    from exporter.data.shown import shown
    from exporter.errors import MissingTool
    from exporter.generators.network_file import read_network
    from exporter.runtimes import runtime
    from tools.matrix_inputs import network_file, picture_of

    engine = TARGETS[target].runtime
    if engine is not None and (why := runtime(engine).missing()):
        raise MissingTool(why)
    path = network_file(name, TARGETS[target].int8, folder, height, width)
    network = read_network(path)
    pictures = [picture_of(seed, height, width) for seed in (100, 101)]
    with torch.no_grad():
        expected = [network(torch.from_numpy(p.transpose(0, 3, 1, 2).copy())).numpy() for p in pictures]
    out = TensorSpec.image(*expected[0].shape[2:])
    artifact = Artifact(Format.TORCH, path, TensorSpec.image(height, width), out, sha256_of(path))
    cell: dict[str, Any] = {}
    for stage, workspace in _stages(name, target, folder, artifact, height, width):
        source, artifact = artifact, stage.run(artifact, workspace)
    readable = source if artifact.format is Format.TENSORRT else artifact
    made = _pictures_of(readable, TARGETS[target].runtime, pictures)
    if TARGETS[target].int8:
        cell["longest_sum"] = _longest_sum(readable.path)
    if artifact.format is Format.TENSORRT:
        cell |= _engine_facts(artifact, source)
    wanted = [e.transpose(0, 2, 3, 1) for e in expected]
    if TARGETS[target].int8:  # they end at 0 and 1, as a screen does; what a float file gives beyond must be right, too
        made, wanted = ([shown(picture) for picture in pictures] for pictures in (made, wanted))
    differences = np.stack([m - e for m, e in zip(made, wanted, strict=True)]).astype(float)
    error = max(float((differences**2).mean()), 1e-20)
    return {
        "largest_difference": float(np.abs(differences).max()),
        "psnr_db": round(-10 * float(np.log10(error)), 1),
        **cell,
    }


def _pictures_of(artifact: Artifact, runtime_name: str | None, pictures: list[Any]) -> list[Any]:
    from exporter.artifact import Format
    from exporter.runtimes import runtime
    from exporter.stages.self_check import run_onnx, run_tflite

    if runtime_name:
        with runtime(runtime_name).open(artifact, 1) as session:
            return [picture[None] for picture in session.infer_all([picture[0] for picture in pictures])]
    if artifact.format is Format.TFLITE:
        return [run_tflite(artifact.path.read_bytes(), picture)[0] for picture in pictures]
    return [run_onnx(artifact.path, picture) for picture in pictures]


def _engine_facts(engine: Artifact, source: Artifact) -> dict[str, Any]:
    from exporter.inspect.lint import lint_model
    from exporter.nvidia.sidecar import read_sidecar

    sidecar, (audit, findings) = read_sidecar(engine.path), lint_model(source.path)
    return {
        "builder": f"{sidecar.builder} {sidecar.builder_version}",
        "weights_bytes": sidecar.weights_bytes,
        "int8_mac_share": round(audit.int8_mac_share, 3),
        "lint": sorted({finding.rule for finding in findings if finding.severity != "note"}),
    }


def _longest_sum(path: Path) -> int:
    """The number of terms of the longest sum in an int8 product of two activations; 0 without any."""
    from exporter.graph.read import read_graph
    from exporter.inspect.audit import compute_dtypes

    graph = read_graph(path)
    products = [
        node
        for node, dtype in zip(graph.nodes, compute_dtypes(graph), strict=True)
        if node.kind in ("MatMul", "BATCH_MATMUL") and dtype == "int8" and len(node.activations) == 2
    ]
    return max((node.macs // prod(node.outputs[0].shape) for node in products), default=0)


def kept_float(name: str, target: str) -> tuple[str, ...]:
    """Operators that an INT8 file of this architecture needs in float."""
    from tools.generator_variants import VARIANTS

    # In a .tflite they are float anyway, and ONNX Runtime makes integers of all that stands behind DequantizeLinear.
    return ("MatMul",) if target == "tensorrt" and VARIANTS[name].float_products else ()


def _stages(
    name: str, target: str, folder: Path, teacher: Artifact, height: int, width: int
) -> Iterator[tuple[Any, Workspace]]:
    from exporter.progress import Silent
    from exporter.stages import STAGES, Workspace
    from tools.matrix_inputs import Pictures

    by_name = {stage.name: stage for stage in STAGES}
    for i, words in enumerate(TARGETS[target].stages):
        stage, *settings = words.split()
        place = folder / str(i)
        place.mkdir()
        options: dict[str, Any] = dict(setting.split("=") for setting in settings)
        if stage.startswith("quantize_") and (kept := kept_float(name, target)):
            options["keep_float"] = kept
        made = by_name[stage].model_validate(options)
        yield made, Workspace(place, teacher, Pictures(height, width), None, 0, Silent(), nullcontext)  # type: ignore[arg-type]
