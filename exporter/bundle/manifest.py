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
from exporter.verify.results import Audit, NotMeasured, Outcome, Parity, Quality

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


class Tile(_Part):
    """How to run pictures larger than the model's input: overlap tiles by `halo_px` on each inner side, keep
    the middle. Width and height fed to a re-exported model must be multiples of `multiple`."""

    height: int
    width: int
    halo_px: int
    multiple: int


class Manifest(_Part):
    schema_version: Literal[1]
    name: str
    version: str
    description: str
    licence: str
    models: tuple[Model, ...]
    tile: Tile
    golden: Literal["golden/golden.json"]
    tools: dict[str, str]
    provenance: dict[str, Any]
    recipe: dict[str, Any]
    reproducible: tuple[str, ...]  # these come out with the same bytes from the same recipe, data and tools
    not_reproducible: dict[str, str]  # path -> why


DEFAULT_HALO_PX = 32  # when nobody measured the reach of the network


def build_manifest(outcome: Outcome, models: Sequence[ShippedModel], folder: Path, tile: Tile) -> Manifest:
    """The manifest of a bundle whose model files already lie in `folder`."""
    recipe = as_plain(outcome.recipe)
    return Manifest(
        schema_version=MANIFEST_SCHEMA_VERSION,
        name=outcome.name,
        version=outcome.version,
        description=str(recipe.get("description") or ""),
        licence=str(recipe.get("licence") or "unknown"),
        models=tuple(_model(model, folder) for model in models),
        tile=tile,
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
        targets=tuple(_judged(t.name, t.runtime, t.parity, t.quality) for t in model.targets),
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


def _judged(name: str, runtime: str, parity: Parity | NotMeasured, quality: Quality | NotMeasured) -> Judged:
    known = quality if isinstance(quality, Quality) else None
    return Judged(
        name=name,
        runtime=runtime,
        worst_parity_db=_finite(parity.worst_psnr_db) if isinstance(parity, Parity) else None,
        psnr_db=_finite(known.psnr_db) if known else None,
        ssim=_finite(known.ssim) if known else None,
        gain_db=_finite(known.gain_db) if known else None,
    )


def _finite(value: float) -> float | None:
    return round(value, 6) if isfinite(value) else None
