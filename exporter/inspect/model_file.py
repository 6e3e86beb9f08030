"""A bare model file as an artifact: what its tensors are is read from the file itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from exporter.artifact import Artifact, Format, Signature, TensorSpec, picture_layout, picture_of_shape, sha256_of
from exporter.carried import CLIP_FRAMES
from exporter.errors import DataError
from exporter.graph.graph import Tensor
from exporter.graph.read import read_graph
from exporter.graph.tflite_signatures import signatures_of
from exporter.inspect.audit import precision_of
from exporter.suggestions import likely_file

FORMATS = {".tflite": Format.TFLITE, ".onnx": Format.ONNX, ".safetensors": Format.TORCH}


def artifact_of_file(path: Path, height: int = 256, width: int = 256, *, arch: str | None = None) -> Artifact:
    """The artifact in `path`; `height` and `width` serve network files, which fit any size.

    `arch`: package.module:Class of a network of the user's own, which a network file may then ask for.

    Raises DataError for a missing file, an unknown ending, or a model that is no image-to-image model, CheckpointError
    for a damaged one.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file{likely_file(path)}")
    if path.suffix not in FORMATS:
        raise DataError(f"{path}: {path.suffix!r} is none of {', '.join(FORMATS)}")
    format = FORMATS[path.suffix]
    allowed = frozenset({arch} if arch else ())
    if format == Format.TORCH:
        picture = TensorSpec.image(height, width)
        return Artifact(format, path, picture, picture, sha256_of(path), user_classes=allowed)
    graph = read_graph(path)
    carries = graph.carries_state
    source, result = (
        _spec(path, tensors[:1] if carries else tensors, CLIP_FRAMES if carries else 1)
        for tensors in (graph.inputs, graph.outputs)
    )
    signatures = tuple(_signatures(path)) if format == Format.TFLITE else ()
    precision = precision_of(graph)
    return Artifact(
        format, path, source, result, sha256_of(path), precision, user_classes=allowed, signatures=signatures
    )


def _signatures(path: Path) -> Iterator[Signature]:
    """Of a file of several sizes, all of them, the first too."""
    names = signatures_of(path.read_bytes())
    for name in names if len(names) > 1 else ():
        graph = read_graph(path, name)
        yield Signature(name, _spec(path, graph.inputs, 1), _spec(path, graph.outputs, 1))


def _spec(path: Path, tensors: Sequence[Tensor], clip: int) -> TensorSpec:
    if len(tensors) != 1:
        raise DataError(f"{path} has {len(tensors)} inputs or outputs, expected one picture")
    (tensor,) = tensors
    layout = picture_layout(tensor.shape)
    if layout is None:
        raise DataError(f"{path}: a tensor of shape {tensor.shape} is no picture")
    colour, frames = picture_of_shape(tensor.shape, layout)
    spec = TensorSpec(tensor.shape, layout, tensor.dtype, colour=colour, frames=frames, clip=clip)
    if not tensor.scales:
        return spec
    return replace(spec, scale=tensor.scales[0], zero_point=next(iter(tensor.zero_points), 0))
