"""What a bundle says twice: the manifest, the recipe inside it and the report must not contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exporter.bundle.documents import exact_json, mapping
from exporter.bundle.manifest import Manifest, Model, Tiling
from exporter.bundle.manifest_of_run import finite
from exporter.bundle.report_file import REPORT, Absent, Report, Target, Tiled
from exporter.tiling import grid
from exporter.tiling.processing import Processing

UNIT_RANGE = (0.0, 1.0)  # what every model of a bundle takes and gives, see exporter/artifact.py


def manifest_problems(manifest: Manifest) -> Iterator[str]:
    """Where manifest.json contradicts itself."""
    yield from _size_problems(manifest)
    recipe = manifest.recipe
    said: dict[str, Any] = {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "licence": manifest.licence,
    }
    for key, value in said.items():
        if (recipe.get(key) or ("unknown" if key == "licence" else "")) != value:
            yield f"manifest.json says {key} {value!r}, its recipe {recipe.get(key)!r}"
    if (recipe.get("processing") or Processing().model_dump()) != manifest.processing.model_dump():
        yield "manifest.json says another processing than its recipe"
    if tuple(mapping(recipe.get("input")).get(side) for side in ("height", "width")) != manifest.tiling.tile_px:
        yield "manifest.json says another tile than its recipe's input"
    sizes = mapping(recipe.get("input")).get("sizes") or []
    for model in manifest.models:
        if [sized.name for sized in model.signatures] != sizes:
            yield f"manifest.json says other sizes of {model.file} than its recipe's input"
    yield from _target_problems(manifest)


def _size_problems(manifest: Manifest) -> Iterator[str]:
    scales = {model.scale for model in manifest.models}
    if 0 in scales or len(scales) > 1:
        yield "the models do not enlarge pictures by one whole number"
    for model in manifest.models:
        size = (model.input.spec.height, model.input.spec.width)
        if size != manifest.tiling.tile_px:
            tile = "×".join(map(str, manifest.tiling.tile_px))
            yield f"{model.file} takes {size[0]}×{size[1]} px, tiles are {tile} px"
        for role, tensor in (("input", model.input), ("output", model.output)):
            if tensor.range != UNIT_RANGE:
                yield f"{model.file}: its {role} is said to lie in {list(tensor.range)}, all of a bundle lies in 0..1"


def _target_problems(manifest: Manifest) -> Iterator[str]:
    promised, shipped = mapping(manifest.recipe.get("targets")), manifest.judged
    for name in sorted(promised.keys() ^ shipped.keys()):
        where = "its models are" if name in promised else "its recipe is"
        yield f"manifest.json: {where} without the target {name}"
    for name in sorted(promised.keys() & shipped.keys()):
        target, judged = mapping(promised[name]), shipped[name][1]
        if target.get("runtime") != judged.runtime:
            yield f"manifest.json: the target {name} was measured on {judged.runtime}, its recipe asks for another"
        asked = target.get("also_on") or []
        for runtime in judged.also_on:
            if not isinstance(asked, list) or runtime not in asked:
                yield f"manifest.json: the target {name} was tried on {runtime}, which its recipe does not ask for"


def report_problems(report: Report, manifest: Manifest) -> Iterator[str]:
    """Where report.json contradicts manifest.json."""
    said: tuple[tuple[str, object, object], ...] = (
        ("name", report.name, manifest.name),
        ("version", report.version, manifest.version),
        ("recipe", report.recipe, manifest.recipe),
        ("provenance", report.provenance, manifest.provenance),
        ("tools", report.environment, manifest.tools),
    )
    for what, in_report, in_manifest in said:
        if exact_json(in_report) != exact_json(in_manifest):
            yield f"{REPORT} says another {what} than manifest.json"
    if not _same_tiles(report.tiled, manifest.tiling):
        yield f"{REPORT} measured other tiles than manifest.json says"
    measured = {target.name: target for target in report.targets}
    if len(measured) < len(report.targets):
        yield f"{REPORT} lists a target twice"
    for name in sorted(measured.keys() ^ manifest.judged.keys()):
        yield f"{REPORT if name in manifest.judged else 'manifest.json'} does not know the target {name}"
    for name in sorted(measured.keys() & manifest.judged.keys()):
        for what in _differences(measured[name], manifest.judged[name][0], manifest):
            yield f"{REPORT} and manifest.json disagree about the target {name}: {what}"


def _same_tiles(measured: Tiled | Absent, said: Tiling) -> bool:
    if isinstance(measured, Absent):
        return said.psnr_db is None and said.unbounded_because == measured.not_measured
    tiles = measured.tiling
    known = (
        measured.theoretical_halo_px,
        measured.unbounded_because,
        finite(measured.psnr_db),
        finite(measured.max_abs),
    )
    return known == (said.theoretical_halo_px, said.unbounded_because, said.psnr_db, said.max_abs) and said.grid() == (
        grid.Tiling(tiles.height, tiles.width, tiles.halo_px, tiles.multiple, tiles.blend_px)
    )


def _differences(target: Target, model: Model, manifest: Manifest) -> Iterator[str]:
    judged = manifest.judged[target.name][1]
    file = target.model
    tensors = [tensor.model_dump(mode="json", exclude={"name"}) for tensor in (model.input, model.output)]
    pairs: tuple[tuple[str, object, object], ...] = (
        ("runtime", target.runtime, judged.runtime),
        ("file", f"models/{file.file}", model.file),
        ("format", file.format, model.format),
        ("precision", file.precision, model.precision),
        ("size", file.size_bytes, model.size_bytes),
        ("sha256", file.sha256, model.sha256),
        ("tensors", [file.input, file.output], tensors),
        ("history", file.history, model.history),
        ("parity", _figure(target.parity, "worst_psnr_db"), judged.worst_parity_db),
        ("PSNR", _figure(target.quality, "psnr_db"), judged.psnr_db),
        ("SSIM", _figure(target.quality, "ssim"), judged.ssim),
        ("gain", _figure(target.quality, "gain_db"), judged.gain_db),
        ("seams", _figure(target.seam, "psnr_db"), judged.seam_psnr_db),
        ("other engines", _cross_runtime(target), judged.also_on),
    )
    if model.targets[0].name == target.name:  # whose figures the file's sizes have
        sizes = {size.signature: _figure(size.parity, "worst_psnr_db") for size in target.sizes}
        said = {sized.name: sized.worst_parity_db for sized in model.signatures}
        pairs = (*pairs, ("sizes", sizes or dict.fromkeys(said), said))
    yield from (what for what, in_report, in_manifest in pairs if in_report != in_manifest)


def _figure(part: Any, name: str) -> float | None:
    return None if isinstance(part, Absent) else finite(getattr(part, name))


def _cross_runtime(target: Target) -> dict[str, float | None]:
    measured = {check.runtime: check.parity for check in target.cross_runtime if not isinstance(check.parity, Absent)}
    return {runtime: finite(parity.worst_psnr_db) for runtime, parity in measured.items()}
