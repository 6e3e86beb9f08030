"""Which layers of an INT8 file are in float because somebody asked for it; the file itself says so."""

from __future__ import annotations

import json
from collections.abc import Sequence

from exporter.graph.tflite_editor import TfliteGraph

METADATA_NAME = "EXPORTER_FLOAT_LAYERS"


def declare_float(graph: TfliteGraph, names: Sequence[str]) -> None:
    """Keep `names`, output names of operators, in the file's metadata; nothing is written for none."""
    if names:
        graph.set_metadata(METADATA_NAME, json.dumps(list(names)).encode())


def declared_float(graph: TfliteGraph) -> frozenset[str]:
    """What `declare_float` wrote. Raises ValueError for anything else under its name."""
    names = json.loads(graph.metadata(METADATA_NAME) or b"[]")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"the buffer {METADATA_NAME} is no list of names")
    return frozenset(names)
