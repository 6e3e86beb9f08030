"""Where the operators of a file run: what the accelerator that was asked for took, and what it left to others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.artifact import Artifact

XNNPACK = "XNNPACK"
BUILT_IN = "built-in kernels"


@dataclass(frozen=True, slots=True)
class Left:
    """An operator that the accelerator did not take.

    `name`: of its first output in a .tflite, its own in an .onnx. `why` in the engine's words, empty where it gives
    none; `place`: its number in the file, where the engine tells it.
    """

    kind: str
    name: str
    why: str = ""
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """`accelerator` is what was asked for, `ran` what computed, `taken` how many of the `operators` it took. `left` has
    what it refused: not all others, where it takes one piece of a file only."""

    accelerator: str
    ran: str
    operators: int
    taken: int
    left: tuple[Left, ...] = ()


def by_xnnpack(artifact: Artifact, left: Sequence[int]) -> Placement:
    """Of a .tflite from whose operators XNNPACK left those with the numbers `left` to built-in kernels."""
    from exporter.graph.read import read_graph

    nodes = read_graph(artifact.path, artifact.signature).nodes
    ran = [name for name, any_did in ((XNNPACK, len(left) < len(nodes)), (BUILT_IN, left)) if any_did]
    behind = tuple(Left(nodes[place].kind, nodes[place].name, place=place) for place in left)
    return Placement(XNNPACK, " and ".join(ran), len(nodes), len(nodes) - len(left), behind)


def whole(artifact: Artifact, accelerator: str, ran: str) -> Placement:
    """Of a .tflite whose every operator the accelerator took."""
    from exporter.graph.read import read_graph

    count = len(read_graph(artifact.path, artifact.signature).nodes)
    return Placement(accelerator, ran, count, count)


def by_provider(nodes: Sequence[Mapping[str, str]], provider: str, log: str = "") -> Placement:
    """Of an .onnx whose operators ran as `nodes` say (see `providers.py`); `log` is what the engine wrote meanwhile."""
    left = tuple(
        Left(node["kind"], node["name"], _reason_in(log, node) or f"ONNX Runtime gave it to {node['provider']}")
        for node in nodes
        if node["provider"] != provider
    )
    ran = dict.fromkeys(node["provider"] for node in nodes)
    return Placement(provider, " and ".join(ran), len(nodes), len(nodes) - len(left), left)


def _reason_in(log: str, node: Mapping[str, str]) -> str:
    """What the log says of a node that it names, in the words after its own head."""
    lines = (line for line in log.splitlines() if re.search(rf"(?<![\w/]){re.escape(node['name'])}(?![\w/])", line))
    said = next((line for line in lines if node["name"] and "not found" in line or "allback" in line), "")
    return said.rpartition("] ")[2].strip()
