"""Which layers an engine does not compute in half precision although it could: sums of squares inside one kernel.

Each engine's habit as LiteRT 2.3.0 has it, held against the real ones in tests:

- "cpu", XNNPACK on an ARM CPU: a square that only a MEAN or SUM reads is one kernel with it, which sums in single
  precision and gives single precision, and so does whatever is computed from that.
- "gpu": the square of a layer norm over channels, (x - mean)·(x - mean), its MEAN, the addition of ε and the RSQRT are
  one kernel. Written otherwise (SQUARED_DIFFERENCE, POW), or over the plane, they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from exporter.graph.graph import Node, Tensor

Engine = Literal["gpu", "cpu"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
REDUCTIONS = ("MEAN", "SUM")


def in_single_precision(nodes: Sequence[Node], engine: Engine) -> frozenset[int]:
    """Places of the nodes whose results `engine` does not hold in half precision; `nodes` in execution order."""
    return _on_cpu(nodes) if engine == "cpu" else _on_gpu(nodes)


def _on_cpu(nodes: Sequence[Node]) -> frozenset[int]:
    readers = _readers(nodes)
    found: set[int] = set()
    wide: set[str] = set()
    for place, node in enumerate(nodes):
        reader = _only_reader(nodes, readers, place)
        if _squared(node) is not None and reader is not None and nodes[reader].kind in REDUCTIONS:
            found |= {place, reader}
            wide.add(nodes[reader].outputs[0].name)
        if any(tensor.name in wide for tensor in node.activations):
            found.add(place)
            wide.update(tensor.name for tensor in node.outputs)
    return frozenset(found)


def _on_gpu(nodes: Sequence[Node]) -> frozenset[int]:
    readers = _readers(nodes)
    makers = {tensor.name: node for node in nodes for tensor in node.outputs}
    found: set[int] = set()
    for place, node in enumerate(nodes):
        squared = _squared(node)
        if squared is None or not _is_centred(makers.get(squared.name), makers):
            continue
        mean = _only_reader(nodes, readers, place)
        added = None if mean is None else _only_reader(nodes, readers, mean)
        root = None if added is None else _only_reader(nodes, readers, added)
        if mean is None or added is None or root is None or not _is_channel_mean(nodes[mean]):
            continue
        if (nodes[added].kind, nodes[root].kind) == ("ADD", "RSQRT"):
            found |= {place, mean, added, root}
    return frozenset(found)


def _squared(node: Node) -> Tensor | None:
    """What is multiplied by itself."""
    is_product = node.kind == "MUL" and node.inputs[0].name == node.inputs[1].name
    return node.inputs[0] if node.kind == "SQUARE" or is_product else None


def _is_centred(node: Node | None, makers: dict[str, Node]) -> bool:
    """x less its mean over the channels."""
    if node is None or node.kind != "SUB":
        return False
    mean = makers.get(node.inputs[1].name)
    return mean is not None and _is_channel_mean(mean) and mean.inputs[0].name == node.inputs[0].name


def _is_channel_mean(node: Node) -> bool:
    before, after = node.inputs[0].shape, node.outputs[0].shape
    return node.kind == "MEAN" and after == (*before[:-1], 1)


def _readers(nodes: Sequence[Node]) -> dict[str, list[int]]:
    readers: dict[str, list[int]] = {}
    for place, node in enumerate(nodes):
        for name in {tensor.name for tensor in node.inputs}:
            readers.setdefault(name, []).append(place)
    return readers


def _only_reader(nodes: Sequence[Node], readers: dict[str, list[int]], place: int) -> int | None:
    """The one node that reads what the node at `place` makes; None: none does, or several."""
    found = readers.get(nodes[place].outputs[0].name, []) if nodes[place].outputs else []
    return found[0] if len(found) == 1 else None
