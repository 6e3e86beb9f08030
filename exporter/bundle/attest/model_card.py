"""The model card of a model file, as CycloneDX 1.6 has it: tensors, sets of images, and the figures of the report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from exporter.artifact import COLOUR_IN_WORDS
from exporter.bundle.attest.inputs import ImageSet
from exporter.bundle.documents import mapping
from exporter.bundle.manifest import Manifest, Model, Tensor
from exporter.bundle.report_file import Absent, Latency, Parity, Promise, Quality, Report, Seam, Target
from exporter.figures import fixed
from exporter.judge.verdicts import Status

Metric = dict[str, object]


def model_card(
    model: Model, manifest: Manifest, report: Report, sets: list[ImageSet], refs: list[str]
) -> dict[str, Any]:
    """`refs`: the bom-refs of the sets of images that it was made from or judged by."""
    names = [target.name for target in model.targets]
    evaluation = next((f"{s.name}, {s.images} images" for s in sets if s.role == "evaluation"), "evaluation images")
    metrics = [metric for target in report.targets if target.name in names for metric in _metrics(target, evaluation)]
    arch = str(mapping(manifest.provenance.get("model")).get("arch") or "unknown")
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "image-to-image",
            "architectureFamily": arch,
            "modelArchitecture": f"{arch}, {model.precision}, {model.format}: {'; '.join(model.history)}",
            "datasets": [{"ref": ref} for ref in refs],
            "inputs": [{"format": _tensor(model.input)}],
            "outputs": [{"format": _tensor(model.output)}],
        },
        "quantitativeAnalysis": {"performanceMetrics": metrics},
        "considerations": {"technicalLimitations": [*_limitations(manifest, report.promises, names)]},
    }


def _tensor(tensor: Tensor) -> str:
    shape = "×".join(map(str, tensor.shape))
    code = "" if tensor.scale is None else f", scale {tensor.scale:.9g}, zero point {tensor.zero_point}"
    return f"{tensor.name}: {tensor.dtype} {shape} {tensor.layout}, {COLOUR_IN_WORDS[tensor.colour]}{code}"


def _metrics(target: Target, evaluation: str) -> Iterator[Metric]:
    """Every figure that was measured; what was not is among the limitations, where it was promised."""
    where = f"{evaluation}; {target.runtime}"
    yield from _parity(target.parity, where)
    for check in target.cross_runtime:
        yield from _parity(check.parity, f"{evaluation}; {check.runtime}")
    if isinstance(quality := target.quality, Quality):
        interval = (quality.psnr_db - quality.psnr_ci95_db, quality.psnr_db + quality.psnr_ci95_db)
        bounds = dict(zip(("lowerBound", "upperBound"), map(_db, interval), strict=True))
        yield {**_metric("PSNR, mean", _db(quality.psnr_db), where), "confidenceInterval": bounds}
        yield _metric("SSIM, mean", fixed(quality.ssim, 4), where)
        yield _metric("PSNR gained over the input, mean", _db(quality.gain_db), where)
        yield _metric("PSNR lost to the float model, mean", _db(quality.loss_db), where)
        yield _metric("PSNR lost to the float model, worst", _db(quality.worst_loss_db), where)
    if isinstance(seam := target.seam, Seam):
        yield _metric("tiles with seams against one tile (PSNR), worst", _db(seam.psnr_db), where)
    if isinstance(latency := target.latency, Latency):
        yield _metric("latency of one call, median", f"{fixed(latency.p50_ms, 3)} ms", latency.device)


def _parity(parity: Parity | Absent, where: str) -> Iterator[Metric]:
    if isinstance(parity, Parity):
        yield _metric("parity with the float model (PSNR), worst", _db(parity.worst_psnr_db), where)


def _metric(kind: str, value: str, where: str) -> Metric:
    return {"type": kind, "value": value, "slice": where}


def _db(value: float) -> str:
    return f"{fixed(value, 3)} dB"


def _limitations(manifest: Manifest, promises: tuple[Promise, ...], targets: list[str]) -> Iterator[str]:
    height, width = manifest.tiling.tile_px
    yield f"takes pictures of {height}×{width} px; larger ones go through in tiles, see README.md"
    for promise in promises:
        if promise.target in targets and promise.status is not Status.KEPT:
            yield f"{promise.status.value}: {promise.sentence}"
