"""A bare model file as an artifact: what its tensors are is read from the file itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from exporter.artifact import Artifact, Format, Layout, Precision, TensorSpec, sha256_of
from exporter.errors import DataError
from exporter.graph.onnx_file import load_onnx
from exporter.graph.open_sizes import at_known_size
from exporter.graph.read import read_graph
from exporter.inspect.audit import precision_of

FORMATS = {".tflite": Format.TFLITE, ".onnx": Format.ONNX, ".safetensors": Format.TORCH}


def artifact_of_file(path: Path, height: int = 256, width: int = 256, *, arch: str | None = None) -> Artifact:
    """The artifact in `path`; `height` and `width` serve network files, which fit any size.

    `arch`: package.module:Class of a network of the user's own, which a network file may then ask for.

    Raises DataError for a missing file, an unknown ending, or a model that is no image-to-image model.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    if path.suffix not in FORMATS:
        raise DataError(f"{path}: {path.suffix!r} is none of {', '.join(FORMATS)}")
    format = FORMATS[path.suffix]
    if format == Format.TFLITE:
        source, result = _tflite_specs(path)
    elif format == Format.ONNX:
        source, result = _onnx_specs(path)
    else:
        source = result = TensorSpec.image(height, width)
    precision: Precision = "fp32" if format == Format.TORCH else precision_of(read_graph(path))
    allowed = frozenset({arch} if arch else ())
    return Artifact(format, path, source, result, sha256_of(path), precision, user_classes=allowed)


def _tflite_specs(path: Path) -> tuple[TensorSpec, TensorSpec]:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(str(path))
    except (ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not a readable .tflite: {error}") from None
    return _tflite_spec(path, interpreter.get_input_details()), _tflite_spec(path, interpreter.get_output_details())


def _tflite_spec(path: Path, details: list[dict[str, Any]]) -> TensorSpec:
    if len(details) != 1:
        raise DataError(f"{path} has {len(details)} inputs or outputs, expected one picture")
    (detail,) = details
    scale, zero_point = detail["quantization"]
    shape = tuple(int(n) for n in detail["shape"])
    spec = TensorSpec(shape, _layout(path, shape), detail["dtype"].__name__)
    return replace(spec, scale=float(scale), zero_point=int(zero_point)) if scale else spec


def _onnx_specs(path: Path) -> tuple[TensorSpec, TensorSpec]:
    model = load_onnx(path)
    try:
        graph = at_known_size(model).graph
    except (ValueError, LookupError, TypeError) as error:  # its metadata may be anybody's
        raise DataError(f"{path} is not a readable .onnx: {error}") from None
    specs = []
    for values in (graph.input, graph.output):
        if len(values) != 1:
            raise DataError(f"{path} has {len(values)} inputs or outputs, expected one picture")
        shape = tuple(int(d.dim_value) for d in values[0].type.tensor_type.shape.dim)
        specs.append(TensorSpec(shape, _layout(path, shape)))
    return specs[0], specs[1]


def _layout(path: Path, shape: tuple[int, ...]) -> Layout:
    if len(shape) == 4 and shape[3] == 3:
        return "NHWC"
    if len(shape) == 4 and shape[1] == 3:
        return "NCHW"
    raise DataError(f"{path}: a tensor of shape {shape} is no RGB picture")
