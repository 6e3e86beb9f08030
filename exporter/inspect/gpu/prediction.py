"""Which operators of a .tflite would run on the GPU, predicted without the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from exporter.graph.graph import Graph, Node
from exporter.graph.operators import ML_DRIFT
from exporter.inspect.gpu.rules import refusal


@dataclass(frozen=True, slots=True)
class Refusal:
    """An operator that stays on the CPU; `place` is its number in the file."""

    place: int
    kind: str
    tensor: str
    why: str


@dataclass(frozen=True, slots=True)
class GpuPrediction:
    """Of one engine. `partitions` are the numbers of operators of every piece that it could take, largest first; it
    takes the largest only, `on_gpu`; the rest, `on_cpu`, counts the DEQUANTIZE of stored half-precision weights, which
    the engine does not need when it takes all."""

    engine: str
    refused: tuple[Refusal, ...]
    partitions: tuple[int, ...]
    on_gpu: int
    on_cpu: int

    @property
    def accepted(self) -> bool:
        return not self.refused


def predict(graph: Graph, engine: str = ML_DRIFT) -> GpuPrediction:
    """The prediction for a .tflite graph. The older delegate's is by its list of operators and ML Drift's rules."""
    stored = {node.name for node in graph.nodes if _expands_fp16(node)}
    nodes = [_with_stored(node, stored) for node in graph.nodes]
    reasons = [None if _expands_fp16(node) else refusal(node, engine) for node in nodes]
    refused = tuple(
        Refusal(place, node.kind, node.name, why)
        for place, (node, why) in enumerate(zip(nodes, reasons, strict=True))
        if why
    )
    computing = [place for place, node in enumerate(nodes) if not _expands_fp16(node)]
    taken = _pieces([nodes[place] for place in computing], [not reasons[place] for place in computing])
    on_gpu = len(nodes) if not refused else max(taken, default=0)
    return GpuPrediction(engine, refused, tuple(sorted(taken, reverse=True)), on_gpu, len(nodes) - on_gpu)


def _expands_fp16(node: Node) -> bool:
    return node.kind == "DEQUANTIZE" and node.inputs[0].constant and node.inputs[0].dtype == "float16"


def _with_stored(node: Node, stored: set[str]) -> Node:
    return replace(node, inputs=tuple(replace(t, constant=t.constant or t.name in stored) for t in node.inputs))


def _pieces(nodes: Sequence[Node], fits: Sequence[bool]) -> list[int]:
    """Sizes of the pieces for the GPU: TFLite takes whatever is ready and of one kind, then changes sides."""
    unmade = {tensor.name for node in nodes for tensor in node.outputs}
    left, sizes = list(range(len(nodes))), []
    while left:
        side, size = None, 0
        while (taken := _take(nodes, fits, left, unmade, side)) != left:
            side = fits[next(place for place in left if place not in taken)]
            size += len(left) - len(taken)
            left = taken
        if not size:
            break  # a cycle: no engine loads the file
        if side:
            sizes.append(size)
    return sizes


def _take(
    nodes: Sequence[Node], fits: Sequence[bool], left: list[int], unmade: set[str], side: bool | None
) -> list[int]:
    """One pass over the operators `left`: those that stay."""
    staying = []
    for place in left:
        ready = unmade.isdisjoint(tensor.name for tensor in nodes[place].inputs)
        if ready and side in (None, fits[place]):
            side = fits[place]
            unmade.difference_update(tensor.name for tensor in nodes[place].outputs)
        else:
            staying.append(place)
    return staying
