"""Which layers of an INT8 file are in float because somebody asked for it; the file itself says so."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from exporter.graph.tflite_editor import TfliteGraph

METADATA_NAME = "EXPORTER_FLOAT_LAYERS"


def declare_float(graph: TfliteGraph, names: Sequence[str]) -> None:
    """Keep `names`, output names of operators, in the file's metadata; nothing is written for none."""
    if not names:
        return
    buffer, entry = graph.schema.BufferT(), graph.schema.MetadataT()
    buffer.data = np.frombuffer(json.dumps(list(names)).encode(), np.uint8)
    graph.model.buffers.append(buffer)
    entry.name, entry.buffer = METADATA_NAME, len(graph.model.buffers) - 1
    graph.model.metadata = [*(graph.model.metadata or []), entry]


def read_declared(payload: bytes) -> frozenset[str]:
    """What `declare_float` wrote. Raises ValueError for anything else."""
    names = json.loads(payload)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"the buffer {METADATA_NAME} is no list of names")
    return frozenset(names)
