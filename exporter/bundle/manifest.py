"""manifest.json: what is in the bundle, for machines. A bundle that does not fit these types is refused."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exporter.artifact import Artifact, Format, Layout, Precision, TensorSpec, sha256_of
from exporter.bundle.models import ShippedModel
from exporter.errors import BundleError
from exporter.tiling import grid
from exporter.tiling.processing import Processing
from exporter.verify.results import Audit, NotMeasured, Outcome, Parity, Quality, Seam, TargetResult, Tiled

MANIFEST_SCHEMA_VERSION = 1  # raised when a reader of the former version could misread the new one
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModelFile = Annotated[str, Field(pattern=r"^models/[^/\\]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tensor(_Part):
    """A tensor as the file names and stores it; a real value is (stored - zero_point) * scale."""

    name: str
    shape: tuple[int, ...]
    layout: Layout
    dtype: str
    range: tuple[float, float]
    scale: float | None
    zero_point: int | None

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec(self.shape, self.layout, self.dtype, self.range, self.scale, self.zero_point)


class Judged(_Part):
    """A target that was measured with this file. Figures that differ from run to run are in report/ only."""

    name: str
    runtime: str
    worst_parity_db: float | None
    psnr_db: float | None
    ssim: float | None
    gain_db: float | None
    seam_psnr_db: float | None  # its tiles, put together, against its own tile with their seams in the middle
    also_on: dict[str, float | None] = {}  # further engine → worst parity there, dB; only those that ran


class Model(_Part):
    file: ModelFile
    sha256: Sha256
    size_bytes: int
    source_sha256: Sha256  # of the pipeline's file, before metadata was written into it
    format: Format
    precision: Precision
    input: Tensor
    output: Tensor
    ops: dict[str, int] | None  # operator kind -> count; None when the file was not looked into
    history: tuple[str, ...]
    targets: tuple[Judged, ...]

    def artifact(self, bundle: Path) -> Artifact:
        """The file as runtimes take it."""
        path = bundle / self.file
        return Artifact(self.format, path, self.input.spec, self.output.spec, self.sha256, self.precision, self.history)


class Tiling(_Part):
    """How to run pictures of any size; exporter/tiling/grid.py says it in code. All lengths in px.

    Tiles start every `tile_px - 2 * halo_px`, rounded down to `multiple_px`; the last ends at the picture's edge, the
    picture's size rounded up to `multiple_px`. What lies beyond the picture is `beyond_picture`. Neighbours meet in
    the middle of their overlap and fade into each other over `blend_px` around it.
    """

    tile_px: tuple[int, int]  # height, width: the input of every model
    multiple_px: int  # of which a re-exported model's height and width must be multiples, too
    halo_px: int
    blend_px: int  # 0: a hard edge
    beyond_picture: Literal["mirrored"]
    theoretical_halo_px: int | None  # the receptive field's; tiles with it are exact
    unbounded_because: str | None
    psnr_db: float | None  # tiles against the whole picture, float network, worst image; None: not measured
    max_abs: float | None  # the same, full scale 1.0

    def grid(self) -> grid.Tiling:
        """The same as code uses it."""
        return grid.Tiling(*self.tile_px, self.halo_px, self.multiple_px, self.blend_px)


class Manifest(_Part):
    schema_version: Literal[1]
    name: str
    version: str
    description: str
    licence: str
    models: tuple[Model, ...]
    tiling: Tiling
    processing: Processing
    golden: Literal["golden/golden.json"]
    tools: dict[str, str]
    provenance: dict[str, Any]
    recipe: dict[str, Any]
    reproducible: tuple[str, ...]  # these come out with the same bytes from the same recipe, data and tools
    not_reproducible: dict[str, str]  # path -> why


DEFAULT_HALO_PX = 32  # when nobody measured the reach of the network


def build_manifest(outcome: Outcome, models: Sequence[ShippedModel], folder: Path, multiple: int) -> Manifest:
    """The manifest of a bundle whose model files already lie in `folder`."""
    recipe = as_plain(outcome.recipe)
    return Manifest(
        schema_version=MANIFEST_SCHEMA_VERSION,
        name=outcome.name,
        version=outcome.version,
        description=str(recipe.get("description") or ""),
        licence=str(recipe.get("licence") or "unknown"),
        models=tuple(_model(model, folder) for model in models),
        tiling=tiling_part(outcome.tiled, models[0].artifact.input, multiple),
        processing=Processing.model_validate(recipe.get("processing") or {}),
        golden="golden/golden.json",
        tools=dict(outcome.environment),
        provenance=as_plain(outcome.provenance),
        recipe=recipe,
        reproducible=("manifest.json", "README.md", "models/", "golden/"),
        not_reproducible={
            "report/": "holds measured latency, which differs from run to run",
            "SHA256SUMS": "lists the digests of report/",
        },
    )


def tiling_part(tiled: Tiled | NotMeasured, spec: TensorSpec, multiple: int) -> Tiling:
    """What was measured; when nothing was, a halo that fits."""
    if isinstance(tiled, NotMeasured):
        halo_px = min(DEFAULT_HALO_PX, grid.largest_halo(min(spec.height, spec.width), multiple))
        used = grid.Tiling(spec.height, spec.width, halo_px, multiple)
        known: tuple[int | None, str | None, float | None, float | None] = (None, tiled.reason, None, None)
    else:
        used = tiled.tiling
        known = (tiled.theoretical_halo_px, tiled.unbounded_because, _finite(tiled.psnr_db), _finite(tiled.max_abs))
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


def read_manifest(bundle: Path) -> Manifest:
    """Raises BundleError when manifest.json is missing, not JSON, or does not fit."""
    path = bundle / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BundleError(f"{path}: {error.strerror}", hint="is this the folder of a bundle?") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BundleError(f"{path}: {where}: {first['msg']}") from None


def as_plain(value: Any) -> Any:
    """`value` made of JSON's own types; a number JSON cannot say becomes its name."""
    if isinstance(value, dict):
        return {str(key): as_plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _model(model: ShippedModel, folder: Path) -> Model:
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
        ops=audit.counts if isinstance(audit, Audit) else None,
        history=artifact.history,
        targets=tuple(_judged(t) for t in model.targets),
    )


def tensor_names(path: Path) -> tuple[str, str]:
    """What a .tflite or .onnx file calls its input and output; other formats have no names."""
    if path.suffix not in (".tflite", ".onnx"):
        return "input", "output"
    from exporter.verify.graph import read_graph

    graph = read_graph(path)
    return graph.inputs[0].name, graph.outputs[0].name


def _tensor(spec: TensorSpec, name: str) -> Tensor:
    return Tensor(
        name=name,
        shape=spec.shape,
        layout=spec.layout,
        dtype=spec.dtype,
        range=spec.range,
        scale=spec.scale,
        zero_point=spec.zero_point,
    )


def _judged(target: TargetResult) -> Judged:
    known = target.quality if isinstance(target.quality, Quality) else None
    return Judged(
        name=target.name,
        runtime=target.runtime,
        worst_parity_db=_finite(target.parity.worst_psnr_db) if isinstance(target.parity, Parity) else None,
        psnr_db=_finite(known.psnr_db) if known else None,
        ssim=_finite(known.ssim) if known else None,
        gain_db=_finite(known.gain_db) if known else None,
        seam_psnr_db=_finite(target.seam.psnr_db) if isinstance(target.seam, Seam) else None,
        also_on={p.runtime: _finite(p.parity.worst_psnr_db) for p in target.proofs if isinstance(p.parity, Parity)},
    )


def _finite(value: float) -> float | None:
    return round(value, 6) if isfinite(value) else None
