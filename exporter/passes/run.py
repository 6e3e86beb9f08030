"""Passes, in the order of a list: each takes a graph, changes it in place and says whether it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from exporter.graph.onnx_editor import OnnxGraph

Graph = TypeVar("Graph")


def run_passes(graph: Graph, passes: Sequence[Callable[[Graph], bool]]) -> bool:
    """Every one of `passes`, whether the one before it changed anything or not."""
    return any(tuple(run(graph) for run in passes))


def rewrite_onnx(model: Any, *groups: Sequence[Callable[[OnnxGraph], bool]]) -> OnnxGraph:
    """The graph of an onnx.ModelProto, which is changed, behind all passes.

    After a group that changed something, constants are folded and shapes inferred anew for the next one.
    """
    graph = OnnxGraph(model)
    for number, group in enumerate(groups, 1):
        changed = run_passes(graph, group) or graph.folded
        if changed and number < len(groups):
            remarks = graph.remarks
            graph = OnnxGraph(with_shapes(graph.commit()))
            graph.remarks[:0] = remarks
    return graph


def with_shapes(model: Any) -> Any:
    """`model` with the shape of every tensor that shape inference knows, and of none that there is no longer."""
    import onnx

    del model.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(model)
