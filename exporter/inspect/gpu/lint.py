"""`exporter lint --gpu`: whether a .tflite will run on a phone's GPU, whole and in half precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from exporter.artifact import TensorSpec
from exporter.engines.gpu_probe import GpuAnswer
from exporter.engines.litert_gpu import LiteRtGpuEngine
from exporter.errors import EngineError
from exporter.graph.graph import INTEGER_DTYPES, Graph
from exporter.graph.operators import GPU_DELEGATE, ML_DRIFT
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.gpu.acceptance import engine_answers
from exporter.inspect.gpu.overflow import FP16_LARGEST, Overflow, predict_overflow
from exporter.inspect.gpu.prediction import GpuPrediction, predict
from exporter.inspect.gpu.rewrites import rewrite_of_refused
from exporter.inspect.gpu.wide_kernels import ENGINES
from exporter.inspect.model_file import artifact_of_file
from exporter.inspect.results import Finding
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Image

Pictures = Callable[[TensorSpec], Sequence[Image]]


@dataclass(frozen=True, slots=True)
class OperatorVerdict:
    """One kind of operator: how many are in the file, and how many each engine leaves to the CPU."""

    kind: str
    count: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class GpuLint:
    """`predictions`: one per engine version. `engine` is the real engine's answer, which counts, where it is installed.
    `overflow` is measured on pictures with the float graph."""

    predictions: tuple[GpuPrediction, ...]
    operators: tuple[OperatorVerdict, ...]
    engine: GpuAnswer | NotMeasured
    overflow: tuple[Overflow, ...] | NotMeasured
    findings: tuple[Finding, ...]


def lint_gpu(path: Path, pictures: Pictures) -> GpuLint:
    """Verdict on a .tflite; `pictures(spec)` gives 0..1 pictures as its input takes them, to look for overflow on.

    Raises CheckpointError for a damaged file.
    """
    graph = read_tflite(path)
    predictions = tuple(predict(graph, engine) for engine in (ML_DRIFT, GPU_DELEGATE))
    engine = _ask(path)
    overflow = _overflow(path, graph, pictures)
    findings = (
        *_refusals(graph, predictions[0]),
        *_disagreement(predictions[0], engine),
        *_overflows(overflow),
    )
    return GpuLint(predictions, _operators(graph, predictions), engine, overflow, findings)


def gpu_refusals(path: Path) -> tuple[Finding, ...]:
    """What the GPU engine of a .tflite leaves to the CPU, an error each, without running anything.

    Raises CheckpointError for a damaged file.
    """
    graph = read_tflite(path)
    return tuple(_refusals(graph, predict(graph, ML_DRIFT)))


def _ask(path: Path) -> GpuAnswer | NotMeasured:
    if why := LiteRtGpuEngine().installed():
        return NotMeasured(why)
    try:
        return engine_answers([path])[0]
    except EngineError as error:
        return NotMeasured(str(error))


def _overflow(path: Path, graph: Graph, pictures: Pictures) -> tuple[Overflow, ...] | NotMeasured:
    if any(tensor.dtype in INTEGER_DTYPES for node in graph.nodes for tensor in node.outputs):
        return NotMeasured("its activations are integers: lint the float file it was made from")
    if len(graph.inputs) != 1 or len(graph.inputs[0].shape) != 4:
        return NotMeasured("it carries a state" if graph.carries_state else "its input is not one picture")
    try:
        return predict_overflow(path, pictures(artifact_of_file(path).input))
    except EngineError as error:
        return NotMeasured(str(error))


def _operators(graph: Graph, predictions: Sequence[GpuPrediction]) -> tuple[OperatorVerdict, ...]:
    kinds = dict.fromkeys(node.kind for node in graph.nodes)
    return tuple(
        OperatorVerdict(
            kind,
            sum(node.kind == kind for node in graph.nodes),
            {p.engine: sum(refusal.kind == kind for refusal in p.refused) for p in predictions},
        )
        for kind in kinds
    )


def _refusals(graph: Graph, prediction: GpuPrediction) -> Iterator[Finding]:
    for refusal in prediction.refused:
        instead = rewrite_of_refused(graph.nodes[refusal.place])
        message = f"{refusal.kind} {refusal.tensor!r} stays on the CPU: {refusal.why}"
        yield Finding("error", "gpu-refused", message + (f"; instead: {instead}" if instead else ""))
    if prediction.refused:
        pieces = f"{len(prediction.partitions)} pieces" if len(prediction.partitions) != 1 else "one piece"
        yield Finding(
            "error",
            "gpu-partition",
            f"{prediction.on_gpu} operators run on the GPU, {prediction.on_cpu} on the CPU: of {pieces} it takes the "
            "largest",
        )


def _disagreement(prediction: GpuPrediction, engine: GpuAnswer | NotMeasured) -> Iterator[Finding]:
    if isinstance(engine, NotMeasured) or engine.accepted == prediction.accepted:
        return
    severity: Literal["error", "note"] = "note" if engine.accepted else "error"
    said = "takes the file all the same" if engine.accepted else f"refuses it: {engine.reason}"
    yield Finding(severity, "gpu-engine", f"the real engine's verdict differs from this prediction: it {said}")


def _overflows(overflow: tuple[Overflow, ...] | NotMeasured) -> Iterator[Finding]:
    for layer in () if isinstance(overflow, NotMeasured) else overflow:
        summing = f", sums of |x| on its way {layer.partial:.3g}" if layer.partial > layer.largest else ""
        reaches = f"{layer.kind} {layer.tensor!r} reaches {layer.largest:.3g}{summing}"
        where = "more than" if layer.sure else "near"
        on = "" if layer.engines == ENGINES else " on GPUs" if "gpu" in layer.engines else " on ARM CPUs"
        yield Finding(
            "error" if layer.sure and "gpu" in layer.engines else "warning",
            "gpu-fp16" if "gpu" in layer.engines else "cpu-fp16",
            f"{reaches}: {where} half precision's {FP16_LARGEST:.0f}{on}; instead: {layer.rewrite}",
        )
