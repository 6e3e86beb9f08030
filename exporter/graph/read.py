"""A model file of either format, read."""

from __future__ import annotations

from pathlib import Path

from exporter.errors import RecipeError
from exporter.graph.graph import Graph


def read_graph(path: Path, signature: str = "") -> Graph:
    """The operators of a .tflite or .onnx file; of a .tflite of several sizes those of the first, or of `signature`.

    Raises RecipeError for another kind of file, CheckpointError for a damaged one.
    """
    if path.suffix == ".tflite":
        from exporter.graph.tflite_reader import read_tflite

        return read_tflite(path, signature)
    if path.suffix == ".onnx":
        from exporter.graph.onnx_reader import read_onnx

        return read_onnx(path)
    raise RecipeError(f"{path}: lint knows .tflite and .onnx, not {path.suffix or 'a file without suffix'}")
