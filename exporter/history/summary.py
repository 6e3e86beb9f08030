"""A verified bundle as the record that a store keeps of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from exporter.artifact import sha256_of
from exporter.bundle.attest.inputs import MACHINE, image_sets, origin_in, weights_in
from exporter.bundle.compared_figures import on_device
from exporter.bundle.documents import mapping
from exporter.bundle.manifest import Manifest, Model
from exporter.bundle.report_file import Absent, Report, Target
from exporter.bundle.sums import SUMS
from exporter.bundle.verdict import BundleVerdict
from exporter.history.record import SCHEMA_VERSION, Latency, Machine, Origin, Pictures, Quality, Record, TargetRecord
from exporter.judge.verdicts import tally

_SAID_ELSEWHERE = ("name", "version", "description")


def record_of(
    bundle: Path, manifest: Manifest, report: Report, verdict: BundleVerdict, source_commit: str | None
) -> Record:
    """The figures are the report's, whose verdict `verify` has followed; the time is now."""
    cpu, cores, platform = report.machine
    return Record(
        schema_version=SCHEMA_VERSION,
        name=manifest.name,
        version=manifest.version,
        added=datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        sums_sha256=sha256_of(bundle / SUMS),
        headline=tally(verdict.promises).headline,
        signed_by=verdict.signed.key.keyid if verdict.signed.key else None,
        source_commit=source_commit,
        exporter=_origin(origin_in(manifest)),
        recipe=dict(flattened({k: v for k, v in manifest.recipe.items() if k not in _SAID_ELSEWHERE})),
        inputs=_inputs(manifest),
        tools={name: version for name, version in manifest.tools.items() if name not in MACHINE},
        pictures=_pictures(manifest),
        machine=Machine(cpu=cpu, cores=cores, platform=platform),
        targets=tuple(_target(target, manifest.judged[target.name][0]) for target in report.targets),
    )


def flattened(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every value of a recipe as JSON, by its place: `distill.steps`; a stage's by the stage's name.

    A stage that stands twice in a list is told by its number from the second on.
    """
    for key, value in tree.items():
        place = f"{above}{key}"
        if isinstance(value, dict):
            yield from flattened(value, f"{place}.")
        elif isinstance(value, list) and value and all(isinstance(each, dict) and len(each) == 1 for each in value):
            yield place, json.dumps([next(iter(each)) for each in value])
            yield from _stages(value, above)
        else:
            yield place, json.dumps(value, ensure_ascii=False)


def _stages(stages: list[dict[str, Any]], above: str) -> Iterator[tuple[str, str]]:
    seen: dict[str, int] = {}
    for stage in stages:
        for name, options in stage.items():
            seen[name] = seen.get(name, 0) + 1
            again = f"[{seen[name]}]" if seen[name] > 1 else ""
            yield from flattened(mapping(options), f"{above}{name}{again}.")


def _origin(said: Mapping[str, Any]) -> Origin:
    modified = said.get("modified")
    return Origin(
        version=_text(said.get("version")),
        commit=_text(said.get("commit")),
        modified=modified if isinstance(modified, bool) else None,
    )


def _inputs(manifest: Manifest) -> dict[str, str]:
    files = {weights.place: weights.sha256 for weights in weights_in(manifest)}
    return files | {images.role: images.sha256 for images in image_sets(manifest)}


def _pictures(manifest: Manifest) -> Pictures:
    data = mapping(manifest.recipe.get("data"))
    treatment = {key: data[key] for key in ("noise", "protocol") if data.get(key)}
    judged_by = next((images for images in image_sets(manifest) if images.role == "evaluation"), None)
    return Pictures(
        name=judged_by.name if judged_by else "",
        sha256=judged_by.sha256 if judged_by else None,
        images=judged_by.images if judged_by else 0,
        treatment=", ".join(f"{key} {value}" for key, value in treatment.items()),
    )


def _target(target: Target, model: Model) -> TargetRecord:
    spec = model.input.spec
    frames = f", {spec.frames} frames" if spec.frames > 1 else ""
    return TargetRecord(
        name=target.name,
        runtime=target.runtime,
        file=model.file,
        sha256=model.sha256,
        size_bytes=model.size_bytes,
        input=f"{spec.height}×{spec.width} px {spec.colour}{frames}",
        parity_db=None if isinstance(target.parity, Absent) else target.parity.worst_psnr_db,
        quality=_quality(target),
        latency=_latency(target),
    )


def _quality(target: Target) -> Quality | None:
    if isinstance(found := target.quality, Absent):
        return None
    return Quality(
        psnr_db=found.psnr_db,
        ssim=found.ssim,
        gain_db=found.gain_db,
        loss_db=found.loss_db,
        psnr_each_db=found.psnr_each_db,
    )


def _latency(target: Target) -> Latency | None:
    if isinstance(found := target.latency, Absent):
        return None
    device, threads = on_device(found)
    return Latency(p50_ms=found.p50_ms, engine=found.device.partition(", ")[0], device=device, threads=threads)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
