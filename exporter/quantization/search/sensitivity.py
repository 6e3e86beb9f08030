"""The layers of a float .tflite that could be int8, and what each of them alone in int8 costs the picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from exporter.graph.operators import INT8_KERNELS, TFLITE_WEIGHTED
from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.cleanup import fuse_activations
from exporter.quantization.search.autotune import squared_error
from exporter.quantization.tflite.float_operators import has_kernel
from exporter.quantization.tflite.scales import float_activations

if TYPE_CHECKING:
    from exporter.quantization.ranges.float_activations import Floats
    from exporter.quantization.search.candidates import Ledger
    from exporter.quantization.search.mixed_files import MixedFiles


_LINEAR = frozenset({*TFLITE_WEIGHTED, "BATCH_MATMUL"})


@dataclass(frozen=True, slots=True)
class Layer:
    """An operator that computes; what only moves or clamps pixels has the precision of what is around it."""

    name: str  # of its output
    kind: str
    work: int  # multiply-accumulates, or elements where there are no weights
    neighbours: frozenset[str]  # layers that make what it reads or read what it makes


def layers_of(content: bytes) -> tuple[Layer, ...]:
    """Those with an int8 kernel of their own, in the order they run, as `write_int8` knows them."""
    graph = TfliteGraph(content)
    fuse_activations(graph)
    found = [operator for operator in graph.operators if _computes(graph, operator)]
    around = _neighbours(graph, found)
    return tuple(
        Layer(name, graph.kind(operator), _work(graph, operator), frozenset(around[name]))
        for operator in found
        if (name := graph.name(operator.outputs[0]))
    )


def macs_of(content: bytes) -> dict[str, int]:
    """The multiply-accumulates of each of `layers_of(content)` by its name; 0 of one that has none."""
    return {layer.name: layer.work if layer.kind in _LINEAR else 0 for layer in layers_of(content)}


def errors_alone(
    layers: Sequence[Layer],
    files: MixedFiles,
    images: Sequence[Floats],
    references: Sequence[Floats],
    ledger: Ledger,
) -> Iterable[tuple[str, float]]:
    """(layer, mean squared error of the picture as it is shown, unrounded) with that layer alone in int8.

    Nagel et al., "A White Paper on Neural Network Quantization", 2021, section 3.6.
    """
    from exporter.quantization.search.engine import Engine

    for layer in layers:
        key = f"alone {layer.name}"
        if (known := ledger.known(key)) is None:
            engine = Engine(files.alone(layer.name))
            squares = [squared_error(engine.picture(i), r) for i, r in zip(images, references, strict=True)]
            known = ledger.keep(key, {"error": float(np.mean(squares))})
        yield layer.name, float(known["error"])


def _computes(graph: TfliteGraph, operator: Any) -> bool:
    return has_kernel(graph, operator) and INT8_KERNELS[graph.kind(operator)].rule != "same"


def _work(graph: TfliteGraph, operator: Any) -> int:
    linear, made = TFLITE_WEIGHTED.get(graph.kind(operator)), graph.shape(operator.outputs[0])
    return prod(made) if linear is None else linear.macs([graph.shape(tensor) for tensor in operator.inputs], made)


def _neighbours(graph: TfliteGraph, layers: Sequence[Any]) -> Mapping[str, set[str]]:
    """Through what only moves pixels, too."""
    known = {id(operator) for operator in layers}
    makers: dict[int, set[str]] = {}  # tensor -> the layers whose values it holds
    around: dict[str, set[str]] = {graph.name(operator.outputs[0]): set() for operator in layers}
    for operator in graph.operators:  # in the order they run
        before = {name for tensor in float_activations(graph, operator.inputs) for name in makers.get(tensor, ())}
        if id(operator) in known:
            name = graph.name(operator.outputs[0])
            for other in before - {name}:
                around[name].add(other)
                around[other].add(name)
            before = {name}
        for tensor in operator.outputs:
            makers[tensor] = before
    return around
