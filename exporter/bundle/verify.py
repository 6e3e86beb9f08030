"""Re-opens a bundle and checks it from the folder alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exporter.artifact import Format, sha256_of
from exporter.bundle.golden import real
from exporter.bundle.manifest import Manifest, Model, Tensor, read_manifest
from exporter.bundle.tflite_metadata import read_metadata
from exporter.bundle.write import SUMS, digests
from exporter.contained import contained
from exporter.errors import BundleError, CheckpointError, EngineError, RecipeError
from exporter.npy_file import read_npy
from exporter.runtimes.base import Session
from exporter.verify.graph import Tensor as GraphTensor
from exporter.verify.graph import read_graph

Status = Literal["passed", "failed", "not checked"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what, how it went, and the figure or the reason."""

    name: str
    status: Status
    detail: str


@dataclass(frozen=True, slots=True)
class BundleVerdict:
    folder: Path
    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """0 all passed · 1 one failed · 3 none failed, but one could not be checked."""
        statuses = {check.status for check in self.checks}
        return 1 if "failed" in statuses else 3 if "not checked" in statuses else 0


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Tolerance(_Part):
    max_abs: float
    min_psnr_db: float


class _Expected(_Part):
    model: str
    input: str
    output: str
    made_by: str
    tolerances: dict[str, _Tolerance]


class _Vector(_Part):
    name: str
    pixels: str
    models: tuple[_Expected, ...]


class _GoldenFile(_Part):
    schema_version: Literal[1]
    vectors: tuple[_Vector, ...] = Field(min_length=1)


def verify_bundle(folder: Path) -> BundleVerdict:
    """Digests, manifest, tensor specs, metadata, and every model on every runtime it was judged on.

    Raises BundleError, naming the file, when the folder is not what SHA256SUMS and the manifest say: such a
    model is not run. A model that answers differently here is a failed check; a runtime that is not installed,
    one that was not checked.
    """
    if not folder.is_dir():
        raise BundleError(f"{folder} is not a folder", hint="give the folder dist/<name>-<version>")
    count = _check_sums(folder)
    manifest = read_manifest(folder)
    checks = [Check("SHA256SUMS", "passed", f"{count} files")]
    for model in manifest.models:
        _check_listed(model, folder)
        if model.format in (Format.TFLITE, Format.ONNX):  # a network file fits any size and says none
            checks.append(_check_specs(model, folder))
        if model.format == Format.TFLITE:
            checks.append(_check_metadata(model, manifest, folder))
    golden = read_golden(folder, manifest)
    for model in manifest.models:
        for runtime_name in dict.fromkeys(target.runtime for target in model.targets):
            checks.append(_check_golden(model, runtime_name, golden, manifest, folder))
    return BundleVerdict(folder, tuple(checks))


def _check_sums(folder: Path) -> int:
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise BundleError(f"{folder / SUMS} is missing or unreadable", hint="is this the folder of a bundle?") from None
    listed = {file: sha256 for sha256, _, file in (line.partition("  ") for line in lines)}
    found = digests(folder)
    if missing := sorted(listed.keys() - found.keys()):
        raise BundleError(f"{folder}: {missing[0]} is missing")
    if extra := sorted(found.keys() - listed.keys()):
        raise BundleError(f"{folder}: {extra[0]} is not listed in {SUMS}")
    for file, sha256 in found.items():
        if listed[file] != sha256:
            raise BundleError(f"{folder}: {file} was changed: sha256 {sha256[:12]}…, {SUMS} says {listed[file][:12]}…")
    return len(found)


def _check_listed(model: Model, folder: Path) -> None:
    """A re-signed bundle must still agree with its manifest."""
    path = contained(folder, model.file, named_in="manifest.json", error=BundleError)
    if sha256_of(path) != model.sha256:
        raise BundleError(f"{folder}: {model.file} is not the file of manifest.json: its sha256 differs")


def _check_specs(model: Model, folder: Path) -> Check:
    """The tensors in the file against the manifest's; layouts are proven by the golden vectors."""
    name = f"{model.file}: tensors"
    try:
        graph = read_graph(folder / model.file)
    except CheckpointError as error:
        raise BundleError(str(error)) from error
    for said, tensor in ((model.input, graph.inputs[0]), (model.output, graph.outputs[0])):
        if not _same(said, tensor):
            found = f"{tensor.name} {tensor.dtype} {list(tensor.shape)} {tensor.scales} {tensor.zero_points}"
            expected = f"{said.name} {said.dtype} {list(said.shape)} {said.scale} {said.zero_point}"
            return Check(name, "failed", f"the file has {found}, manifest.json says {expected}")
    return Check(name, "passed", f"{model.input.dtype} {list(model.input.shape)}")


def _same(said: Tensor, found: GraphTensor) -> bool:
    if (found.name, found.shape, found.dtype) != (said.name, said.shape, said.dtype):
        return False
    if said.scale is None or not found.scales:
        return said.scale is None and not found.scales
    near = abs(found.scales[0] - said.scale) <= 1e-6 * said.scale  # the file holds it as float32
    return near and next(iter(found.zero_points), 0) == (said.zero_point or 0)


def _check_metadata(model: Model, manifest: Manifest, folder: Path) -> Check:
    name = f"{model.file}: metadata"
    try:
        found = read_metadata((folder / model.file).read_bytes())
    except ValueError as error:
        return Check(name, "failed", str(error))
    if found is None:
        return Check(name, "failed", "the file carries no TFLITE_METADATA")
    if (found.name, found.version) != (manifest.name, manifest.version):
        return Check(name, "failed", f"the file calls itself {found.name} {found.version}")
    return Check(name, "passed", f"{found.name} {found.version}, {found.license}")


def read_golden(folder: Path, manifest: Manifest) -> _GoldenFile:
    """The list of golden vectors. Raises BundleError when it is missing or does not fit."""
    path = folder / manifest.golden
    try:
        return _GoldenFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise BundleError(f"{path} is missing or does not fit: {str(error).splitlines()[0]}") from None


def _check_golden(model: Model, runtime_name: str, golden: _GoldenFile, manifest: Manifest, folder: Path) -> Check:
    """Every golden vector of `model`, run here on the runtime called `runtime_name`."""
    from exporter.runtimes import runtime

    name = f"{model.file} on {runtime_name}"
    wanted = _vectors_of(model.file, golden)
    if not wanted and model.format == Format.TENSORRT:  # built where nothing can run it: its ONNX file's are the truth
        sources = [m.file for m in manifest.models if m.history == model.history[:-1]]
        wanted = [pair for file in sources for pair in _vectors_of(file, golden)]
    if not wanted:
        return Check(name, "failed", "golden.json holds no vector for it")
    try:
        engine = runtime(runtime_name)
        if reason := engine.missing():
            return Check(name, "not checked", reason)
        with engine.open(model.artifact(folder), threads=_threads(manifest)) as session:
            distances = [_compare(session, vector, expected, model, folder) for vector, expected in wanted]
    except RecipeError as error:  # a runtime of a newer exporter
        return Check(name, "not checked", str(error))
    except EngineError as error:
        return Check(name, "failed", str(error))
    for (vector, expected), distance in zip(wanted, distances, strict=True):
        allowed = expected.tolerances.get(runtime_name) or expected.tolerances.get("other")
        if allowed is None:
            return Check(name, "failed", f"{vector.name}: golden.json states no tolerance for {runtime_name}")
        if not (distance[0] >= allowed.min_psnr_db and distance[1] <= allowed.max_abs):
            found = f"{vector.name}: {distance[0]:.1f} dB, max |Δ| {distance[1]:.2g}"
            return Check(name, "failed", f"{found}; allowed {allowed.min_psnr_db:g} dB, {allowed.max_abs:.2g}")
    worst_db, worst_abs = min(d[0] for d in distances), max(d[1] for d in distances)
    return Check(name, "passed", f"{len(wanted)} golden vectors, worst {worst_db:.1f} dB, max |Δ| {worst_abs:.2g}")


def _vectors_of(file: str, golden: _GoldenFile) -> list[tuple[_Vector, _Expected]]:
    return [(vector, expected) for vector in golden.vectors for expected in vector.models if expected.model == file]


def _compare(session: Session, vector: _Vector, expected: _Expected, model: Model, folder: Path) -> tuple[float, float]:
    """PSNR in dB and largest difference between this engine's picture and the stored one."""
    pixels, stored = read_vector(folder, vector.pixels), read_vector(folder, expected.output)
    if pixels.dtype.name != "uint8" or stored.shape != model.output.shape or stored.dtype.name != model.output.dtype:
        raise BundleError(f"{folder}: the golden vector {vector.name} does not fit {model.file}")
    return _distance(session.infer(pixels.astype("float32") / 255), real(stored, model.output.spec))


def _threads(manifest: Manifest) -> int:
    verify = manifest.recipe.get("verify")
    threads = verify.get("threads") if isinstance(verify, dict) else None
    return threads if isinstance(threads, int) else 2


def read_vector(folder: Path, file: str) -> Any:
    """The array that golden.json of the bundle in `folder` calls `file`. Raises BundleError."""
    path = contained(folder, file, named_in="golden.json", error=BundleError)
    try:
        return read_npy(path)
    except (OSError, ValueError) as error:
        raise BundleError(f"{folder}: {file} is not a .npy file: {error}") from None


def _distance(image: Any, truth: Any) -> tuple[float, float]:
    """PSNR in dB of full scale 1.0, and the largest difference; NaN anywhere fails both."""
    import numpy as np

    if image.shape != truth.shape:
        return float("nan"), float("nan")
    difference = image.astype(np.float64) - truth
    mean_square = float(np.mean(difference * difference))
    psnr_db = float("inf") if mean_square == 0 else float(-10 * np.log10(mean_square))
    return psnr_db, float(np.abs(difference).max())
