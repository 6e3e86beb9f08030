"""TensorFlow.js graph models: `model.json` (graph and list of weights) beside shards of raw numbers.

A graph exported from JAX has lost the names of its weights, not its structure: which operator reads a weight, and on
which layer's path it lies, says what it is. Names become `path.of.layer.weight` and `.bias`, without what all share.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from exporter.errors import CheckpointError
from exporter.files.contained import contained, inside_name

Array = np.ndarray[tuple[int, ...], np.dtype[Any]]

_TYPES: dict[str, type[np.generic]] = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}
# What an operator's second input is called in PyTorch; norms multiply and add after reshaping to (1, 1, 1, C).
_ROLES = {
    "Conv2D": "weight",
    "Conv2DBackpropInput": "weight",
    "Einsum": "weight",
    "Mul": "weight",
    "AddV2": "bias",
}


@dataclass(frozen=True, slots=True)
class GraphModel:
    """What the folder holds: constants by the name of their node, and all nodes by name."""

    arrays: Mapping[str, Array]
    nodes: Mapping[str, Mapping[str, Any]]


def read_tfjs(path: Path) -> dict[str, Tensor]:
    """The layers' weights of `path`, model.json or its folder, in PyTorch's layout.

    Kernels (H, W, in, out) become (out, in, H, W), transposed convolutions' (H, W, out, in) become (in, out, H, W),
    1×1 and dense kernels (out, in), norms and biases (C,). Raises CheckpointError for a damaged folder and for a
    weight whose operator is none of these.
    """
    model = read_graph_model(path)
    layers = list(_layers(model, path))
    shared = os.path.commonpath([layer for layer, _, _ in layers]) if layers else ""
    return {f"{layer[len(shared) :].strip('/').replace('/', '.')}.{role}": value for layer, role, value in layers}


def read_graph_model(path: Path) -> GraphModel:
    """Graph and constants as they are. Raises CheckpointError for a missing, truncated or foreign file."""
    path = path / "model.json" if path.is_dir() else path
    try:
        raw = json.loads(path.read_bytes())
        nodes = {node["name"]: node for node in raw["modelTopology"]["node"]}
        groups = [(group["paths"], group["weights"]) for group in raw["weightsManifest"]]
        arrays: dict[str, Array] = {}
        for shards, entries in groups:
            arrays |= _read_group(entries, [_shard(shard, path) for shard in shards], path)
    except (ValueError, KeyError, TypeError) as error:
        reason = f"it has no {error.args[0]!r}" if isinstance(error, KeyError) else " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path} is no TensorFlow.js graph model: {reason}") from None
    return GraphModel(arrays, nodes)


def _read_group(entries: list[dict[str, Any]], shards: list[Path], path: Path) -> Iterator[tuple[str, Array]]:
    """Tensors lie back to back across the borders of shards. Sizes are compared before anything is read."""
    if len(set(shards)) < len(shards):
        raise CheckpointError(f"{path} names a shard twice")
    held = sum(shard.stat().st_size for shard in shards)
    needed = sum(_size(entry, path) for entry in entries)
    if held != needed:
        wrong = f"{needed - held} too few" if held < needed else f"{held - needed} too many"
        raise CheckpointError(
            f"{path.parent} is damaged: its {len(shards)} shards hold {held} bytes, {wrong} for {path.name}"
        )
    content = b"".join(shard.read_bytes() for shard in shards)
    at = 0
    for entry in entries:
        kind = np.dtype(_TYPES[entry["dtype"]])
        yield entry["name"], np.frombuffer(content, kind, prod(entry["shape"]), at).reshape(entry["shape"])
        at += _size(entry, path)


def _shard(name: object, path: Path) -> Path:
    if isinstance(name, str) and name and not (path.parent / name).exists():
        inside_name(name)
        raise CheckpointError(f"{path.parent / name} is missing; {path.name} names it", hint="copy the whole folder")
    return contained(path.parent, name, named_in=path.name, error=CheckpointError)


def _size(entry: dict[str, Any], path: Path) -> int:
    if entry["dtype"] not in _TYPES or "quantization" in entry:
        stored = entry.get("quantization", entry)["dtype"]
        raise CheckpointError(f"{path}: {entry['name']} is stored as {stored}; float32, int32 and bool are read")
    if not all(isinstance(length, int) and 0 <= length < 2**31 for length in entry["shape"]):
        raise CheckpointError(f"{path}: {str(entry['name'])[:100]} has no possible shape")
    return int(prod(entry["shape"])) * np.dtype(_TYPES[entry["dtype"]]).itemsize


def _layers(model: GraphModel, path: Path) -> Iterator[tuple[str, str, Tensor]]:
    """Path of the layer, weight or bias, values; of every float constant of more than one number."""
    readers = {
        name: node
        for node in model.nodes.values()
        for name in node.get("input", ())
        if name in model.arrays and node["op"] in _ROLES
    }
    for name, array in model.arrays.items():
        if array.dtype != np.float32 or array.size == 1:  # single numbers are arithmetic: slopes, epsilons, sizes
            continue
        node = readers.get(name)
        if node is None:
            raise CheckpointError(f"{path}: no layer known here reads {name}", hint=f"known: {', '.join(_ROLES)}")
        # An argument of the exported function lies outside its layer; its product is called layer/einsum/Einsum.
        layer = node["name"].rsplit("/", 2)[0] if node["op"] == "Einsum" else name.rpartition("/")[0]
        yield layer, _ROLES[node["op"]], _as_torch(array, node)


def _as_torch(array: Array, node: Mapping[str, Any]) -> Tensor:
    value = torch.from_numpy(array.copy())
    if node["op"] == "Einsum":
        terms, result = base64.b64decode(node["attr"]["equation"]["s"]).decode().split("->")
        summed_first = terms.split(",")[1][0] not in result
        return value.T.contiguous() if summed_first else value
    if node["op"] not in ("Conv2D", "Conv2DBackpropInput"):
        return value.flatten()
    pointwise = value.shape[:2] == (1, 1)
    value = value.permute(3, 2, 0, 1)
    return (value.flatten(1) if pointwise else value).contiguous()
