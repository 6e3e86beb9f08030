"""What manifest.json says of a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

from exporter.artifact import Signature, TensorSpec, sha256_of
from exporter.bundle.app_code import CODE, has_tiles
from exporter.bundle.manifest import MANIFEST_SCHEMA_VERSION, Judged, Manifest, Model, Sized, State, Tensor, Tiling
from exporter.bundle.models import ShippedModel
from exporter.bundle.web import WEB, wants_web
from exporter.carried import next_name
from exporter.files.plain_json import plain
from exporter.inspect.results import Audit
from exporter.judge.outcome import Outcome
from exporter.measure.results import Parity, Quality, Seam, TargetResult, Tiled
from exporter.not_measured import NotMeasured
from exporter.tiling import grid
from exporter.tiling.processing import Processing

DEFAULT_HALO_PX = 32  # when nobody measured the reach of the network


def build_manifest(outcome: Outcome, models: Sequence[ShippedModel], folder: Path, multiple: int) -> Manifest:
    """The manifest of a bundle whose model files already lie in `folder`."""
    recipe = plain(outcome.recipe)
    parts = {CODE: has_tiles(models[0].artifact.input), WEB: wants_web(recipe)}
    tiling = tiling_part(outcome.tiled, models[0].artifact.input, multiple)
    return Manifest(
        schema_version=MANIFEST_SCHEMA_VERSION,
        name=outcome.name,
        version=outcome.version,
        description=str(recipe.get("description") or ""),
        licence=str(recipe.get("licence") or "unknown"),
        models=tuple(_model(model, folder, tiling) for model in models),
        tiling=tiling,
        processing=Processing.model_validate(recipe.get("processing") or {}),
        golden="golden/golden.json",
        tools=dict(outcome.environment),
        provenance=plain(outcome.provenance),
        recipe=recipe,
        reproducible=("manifest.json", "README.md", "models/", "golden/", *(part for part in parts if parts[part])),
        not_reproducible={
            "report/": "holds measured latency, which differs from run to run",
            "SHA256SUMS": "lists the digests of report/",
        },
    )


def tiling_part(tiled: Tiled | NotMeasured, spec: TensorSpec, multiple: int) -> Tiling:
    """What was measured; when nothing was, a halo that fits."""
    if isinstance(tiled, NotMeasured):
        widest = grid.largest_halo(min(spec.height, spec.width), multiple)
        halo_px = min(DEFAULT_HALO_PX, widest) if spec.clip == 1 else 0
        used = grid.Tiling(spec.height, spec.width, halo_px, multiple)
        known: tuple[int | None, str | None, float | None, float | None] = (None, tiled.reason, None, None)
    else:
        used = tiled.tiling
        known = (tiled.theoretical_halo_px, tiled.unbounded_because, finite(tiled.psnr_db), finite(tiled.max_abs))
    return Tiling(
        tile_px=(used.height, used.width),
        multiple_px=used.multiple,
        halo_px=used.halo_px,
        blend_px=used.blend_px,
        beyond_picture="mirrored",
        theoretical_halo_px=known[0],
        unbounded_because=known[1],
        psnr_db=known[2],
        max_abs=known[3],
    )


def _model(model: ShippedModel, folder: Path, tiling: Tiling) -> Model:
    artifact, path = model.artifact, folder / model.file
    names = tensor_names(path)
    audit = model.targets[0].audit
    return Model(
        file=model.file,
        sha256=sha256_of(path),
        size_bytes=path.stat().st_size,
        source_sha256=artifact.sha256,
        format=artifact.format,
        precision=artifact.precision,
        input=_tensor(artifact.input, names[0]),
        output=_tensor(artifact.output, names[1]),
        states=states_of(path) if artifact.input.clip > 1 else (),
        signatures=tuple(_sized(model, signature, path, tiling) for signature in artifact.signatures),
        ops=audit.counts if isinstance(audit, Audit) else None,
        history=artifact.history,
        targets=tuple(_judged(t) for t in model.targets),
    )


def _sized(model: ShippedModel, signature: Signature, path: Path, tiling: Tiling) -> Sized:
    names = tensor_names(path, signature.name)
    results = [size for size in model.targets[0].sizes if size.signature == signature.name]
    parities = [size.parity.worst_psnr_db for size in results if isinstance(size.parity, Parity)]
    return Sized(
        name=signature.name,
        input=_tensor(signature.input, names[0]),
        output=_tensor(signature.output, names[1]),
        tiling=tiling_at(tiling, signature.input),
        worst_parity_db=finite(parities[0]) if parities else None,
    )


def tiling_at(main: Tiling, spec: TensorSpec) -> Tiling:
    """The tiling of another size: exact where the receptive field fits into its tiles, else the first one's halo."""
    sides = (spec.height, spec.width)
    if sides == main.tile_px:
        return main
    multiple, reach_px = main.multiple_px, main.theoretical_halo_px
    widest_px = grid.largest_halo(min(sides), multiple)
    exact_px = None if reach_px is None else -(-reach_px // multiple) * multiple
    if exact_px is not None and exact_px <= widest_px:
        used = grid.Tiling(*sides, exact_px, multiple)
    else:
        halo_px = main.halo_px if main.halo_px <= widest_px else min(sides) // 4 // multiple * multiple
        used = grid.Tiling(*sides, halo_px, multiple).blended()
    known = {"tile_px": sides, "halo_px": used.halo_px, "blend_px": used.blend_px, "psnr_db": None, "max_abs": None}
    return main.model_copy(update=known)


def tensor_names(path: Path, signature: str = "") -> tuple[str, str]:
    """What a .tflite or .onnx file calls its input and output; other formats have no names."""
    if path.suffix not in (".tflite", ".onnx"):
        return "input", "output"
    from exporter.graph.read import read_graph

    graph = read_graph(path, signature)
    return graph.inputs[0].name, graph.outputs[0].name


def states_of(path: Path) -> tuple[State, ...]:
    """What a .tflite or .onnx file carries from frame to frame, as its ends say."""
    if path.suffix not in (".tflite", ".onnx"):
        return ()
    from exporter.graph.read import read_graph

    return tuple(
        State(
            name=tensor.name,
            next=next_name(tensor.name),
            shape=tensor.shape,
            dtype=tensor.dtype,
            scale=next(iter(tensor.scales), None),
            zero_point=next(iter(tensor.zero_points), 0) if tensor.scales else None,
            fresh=0,
        )
        for tensor in read_graph(path).inputs[1:]
    )


def _tensor(spec: TensorSpec, name: str) -> Tensor:
    return Tensor(
        name=name,
        shape=spec.shape,
        layout=spec.layout,
        dtype=spec.dtype,
        range=spec.range,
        scale=spec.scale,
        zero_point=spec.zero_point,
        colour=spec.colour,
        frames=spec.frames,
        clip=spec.clip,
    )


def _judged(target: TargetResult) -> Judged:
    known = target.quality if isinstance(target.quality, Quality) else None
    return Judged(
        name=target.name,
        runtime=target.runtime,
        worst_parity_db=finite(target.parity.worst_psnr_db) if isinstance(target.parity, Parity) else None,
        psnr_db=finite(known.psnr_db) if known else None,
        ssim=finite(known.ssim) if known else None,
        gain_db=finite(known.gain_db) if known else None,
        seam_psnr_db=finite(target.seam.psnr_db) if isinstance(target.seam, Seam) else None,
        also_on={
            p.runtime: finite(p.parity.worst_psnr_db) for p in target.cross_runtime if isinstance(p.parity, Parity)
        },
    )


def finite(value: float) -> float | None:
    """A figure as the manifest rounds it; None for one that JSON cannot say."""
    return round(value, 6) if isfinite(value) else None
