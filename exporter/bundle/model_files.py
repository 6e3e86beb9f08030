"""What the manifest says of a model, compared with the model file itself. Opens no engine, imports nothing it names."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import astuple
from hashlib import sha256
from pathlib import Path
from typing import Any

from exporter.artifact import INTEGERS, Format
from exporter.bundle.documents import read_document, shown
from exporter.bundle.manifest import Manifest, Model, Tensor
from exporter.bundle.manifest_of_run import states_of
from exporter.bundle.model_metadata import metadata_of
from exporter.errors import BundleError, ExportError
from exporter.graph.graph import INTEGER_DTYPES, Graph
from exporter.graph.graph import Tensor as GraphTensor
from exporter.graph.read import read_graph
from exporter.graph.tflite_metadata import read_metadata
from exporter.graph.tflite_signatures import signatures_of
from exporter.inspect.audit import audit_graph, precision_of
from exporter.nvidia.sidecar import SIDECAR_SCHEMA_VERSION, Sidecar, sidecar_path

_TFLITE_MARK = b"TFL3"  # at byte 4 of every .tflite


def model_problems(model: Model, manifest: Manifest, bundle: Path) -> Iterator[str]:
    """Every word of the manifest on `model` that its file contradicts, as a sentence."""
    path = bundle / model.file
    problems = {
        Format.TFLITE: _tflite_problems,
        Format.ONNX: _graph_problems,
        Format.TORCH: _network_problems,
        Format.TENSORRT: _engine_problems,
        Format.NPU: _npu_problems,
    }[model.format]
    if model.size_bytes != path.stat().st_size:
        yield f"{model.file} has {path.stat().st_size} bytes, manifest.json says {model.size_bytes}"
    if model.format != Format.TFLITE and model.source_sha256 != model.sha256:
        yield f"{model.file}: manifest.json says it was changed when it was shipped; only .tflite files are"
    try:
        yield from (f"{model.file}: {shown(problem)}" for problem in problems(model, manifest, bundle))
    except ExportError as error:
        yield f"{model.file}: {shown(str(error).splitlines()[0])}"


def _npu_problems(model: Model, manifest: Manifest, bundle: Path) -> Iterator[str]:
    """Nothing but its chip looks inside."""
    if (bundle / model.file).read_bytes()[4:8] != _TFLITE_MARK:
        yield "it is no .tflite"


def _tflite_problems(model: Model, manifest: Manifest, bundle: Path) -> Iterator[str]:
    yield from _graph_problems(model, manifest, bundle)
    content = (bundle / model.file).read_bytes()
    yield from _signature_problems(model, bundle / model.file, content)
    if source_size_bytes(model, bundle) is None:
        yield f"the file of sha256 {model.source_sha256[:12]}…, from which manifest.json says it was made, is not in it"
    try:
        found = read_metadata(content)
    except Exception as error:  # flatbuffers has no exception of its own for a damaged table
        yield f"its metadata is damaged: {error}"
        return
    if found is None:
        yield "it carries no TFLITE_METADATA"
        return
    said = metadata_of(model.artifact(bundle), manifest.name, manifest.version, manifest.recipe)
    for field in ("name", "version", "description", "author", "license", "input", "output"):
        in_file, in_manifest = getattr(found, field), getattr(said, field)
        if _as_stored(in_file) != _as_stored(in_manifest):
            yield f"its metadata says {field} {in_file!r}, manifest.json {in_manifest!r}"


def _signature_problems(model: Model, path: Path, content: bytes) -> Iterator[str]:
    said, found = [sized.name for sized in model.signatures], signatures_of(content)
    if said and found != tuple(said):
        yield f"its signatures are {', '.join(found) or 'none'}, manifest.json says {', '.join(said)}"
        return
    for sized in model.signatures[1:]:
        graph = read_graph(path, sized.name)
        for role, tensor, ends in (("input", sized.input, graph.inputs), ("output", sized.output, graph.outputs)):
            if len(ends) != 1 or not _same(tensor, ends[0]):
                yield f"its {role} at {sized.name} is not that of manifest.json"


def source_size_bytes(model: Model, bundle: Path) -> int | None:
    """The size of the pipeline's file, on which promises were made; None when it is not in the shipped one.

    Metadata is put in front of a .tflite, which lies behind it as it was.
    """
    if model.format != Format.TFLITE:
        return model.size_bytes
    content = (bundle / model.file).read_bytes()
    at = content.find(_TFLITE_MARK)
    while at >= 4:
        if sha256(memoryview(content)[at - 4 :]).hexdigest() == model.source_sha256:
            return len(content) - at + 4
        at = content.find(_TFLITE_MARK, at + 1)
    return None


def _as_stored(value: Any) -> Any:
    """Numbers as the float32 that a flatbuffer holds."""
    if isinstance(value, str):
        return value
    return tuple(struct.pack("<f", part) if isinstance(part, float) else part for part in astuple(value))


def _graph_problems(model: Model, manifest: Manifest, bundle: Path) -> Iterator[str]:
    graph = read_graph(bundle / model.file)
    if model.states != states_of(bundle / model.file) and (model.states or len(graph.inputs) > 1):
        yield "its states are not those that manifest.json describes"
        return
    carries = bool(model.states)
    for role, said, found in (("input", model.input, graph.inputs), ("output", model.output, graph.outputs)):
        if len(found) != 1 and not carries:
            yield f"it has {len(found)} {role}s, expected one picture"
        elif not _same(said, found[0]):
            yield f"its {role} is {_of_file(found[0])}, manifest.json says {_of_manifest(said)}"
    if model.precision != precision_of(graph) and not (model.precision in INTEGERS and _holds_integers(graph)):
        yield f"it is {precision_of(graph)}, manifest.json says {model.precision}"
    if model.ops != audit_graph(graph).counts:
        yield "its operators are not those that manifest.json counts"


def _holds_integers(graph: Graph) -> bool:
    """An integer file whose multiplications are mostly float is a poor one, and still no float file."""
    return any(tensor.dtype in INTEGER_DTYPES for tensor in graph.constants)


def _same(said: Tensor, found: GraphTensor) -> bool:
    if (found.name, found.shape, found.dtype) != (said.name, said.shape, said.dtype):
        return False
    if said.scale is None or not found.scales:
        return said.scale is None and not found.scales
    near = abs(found.scales[0] - said.scale) <= 1e-6 * said.scale  # the file holds it as float32
    return near and next(iter(found.zero_points), 0) == (said.zero_point or 0)


def _of_file(tensor: GraphTensor) -> str:
    return f"{tensor.name} {tensor.dtype} {list(tensor.shape)}{_code(tensor.scales[:1], tensor.zero_points[:1])}"


def _of_manifest(tensor: Tensor) -> str:
    code = _code((), ()) if tensor.scale is None else _code((tensor.scale,), (tensor.zero_point or 0,))
    return f"{tensor.name} {tensor.dtype} {list(tensor.shape)}{code}"


def _code(scales: tuple[float, ...], zero_points: tuple[int, ...]) -> str:
    return f", scale {scales[0]:g}, zero point {next(iter(zero_points), 0)}" if scales else ""


def _network_problems(model: Model, manifest: Manifest, bundle: Path) -> Iterator[str]:
    from exporter.generators.description import read_description

    multiple = read_description(bundle / model.file).multiple
    for length in manifest.tiling.tile_px:
        if not isinstance(multiple, int) or multiple < 1 or length % multiple:
            yield f"it takes multiples of {multiple} px, manifest.json says {length} px"


def _engine_problems(model: Model, manifest: Manifest, bundle: Path) -> Iterator[str]:
    """An engine cannot be looked into; the description beside it can."""
    file = sidecar_path(Path(model.file)).as_posix()
    try:
        sidecar = read_document(bundle, file, Sidecar, SIDECAR_SCHEMA_VERSION)
    except BundleError as error:
        yield str(error)
        return
    if sidecar.plan_sha256 != model.sha256:
        yield f"{file} describes another engine: its sha256 differs"
    for role, said, ends in (("input", model.input, sidecar.inputs), ("output", model.output, sidecar.outputs)):
        if len(ends) != 1 or ends[0].dtype != said.dtype or not _fits(said.shape, ends[0].shape):
            yield f"{file} says another {role} than manifest.json"
    size = (model.input.spec.height, model.input.spec.width)
    if sidecar.profile and not all(
        low <= length <= high
        for low, length, high in zip(sidecar.profile.smallest, size, sidecar.profile.largest, strict=True)
    ):
        yield f"{file}: the engine takes no picture of {size[0]}×{size[1]} px"
    sources = [m.source_sha256 for m in manifest.models if m.history == model.history[:-1]]
    if sources and sidecar.onnx_sha256 not in sources:
        yield f"{file}: the engine was not built from the ONNX file in this bundle"
    for runtime in {target.runtime for target in model.targets} - {sidecar.builder}:
        yield f"{file}: the engine is for {sidecar.builder}, manifest.json measured it on {runtime}"


def _fits(said: tuple[int, ...], declared: tuple[int, ...]) -> bool:
    return len(said) == len(declared) and all(end in (-1, length) for length, end in zip(said, declared, strict=True))
