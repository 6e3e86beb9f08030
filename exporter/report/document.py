"""report.json: everything that was measured, for machines. `schema.json` beside this file describes it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from exporter.artifact import Artifact
from exporter.files.plain_json import plain
from exporter.inspect.results import Audit
from exporter.judge.outcome import Outcome
from exporter.localise.results import Localisation
from exporter.measure.advice import advise_targets
from exporter.measure.clipping import clipping_layers
from exporter.measure.results import Latency, Picture, SizeResult, StageAccuracy, TargetResult, Timing
from exporter.not_measured import NotMeasured

SCHEMA_VERSION = 4  # raised when a reader of the former version could misread the new one


def schema() -> dict[str, Any]:
    """The published JSON schema (draft 2020-12) of report.json."""
    text = files("exporter.report").joinpath("schema.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def document(outcome: Outcome) -> dict[str, Any]:
    """`outcome` as plain JSON values; a number that JSON cannot say is "inf", "-inf" or "nan"."""
    from exporter.data.yardstick import Yardstick

    return {
        "schema_version": SCHEMA_VERSION,
        "name": outcome.name,
        "version": outcome.version,
        "verdict": outcome.tally.status.value,
        "exit_code": outcome.tally.status.exit_code,
        "headline": outcome.tally.headline,
        "counts": plain(outcome.tally),
        "protocols": plain(Yardstick(outcome.enlarges).protocols),
        "promises": plain(outcome.verdicts),
        "targets": [_target(target) for target in outcome.targets],
        "stages": [_stage(stage) for stage in outcome.stages],
        "tiled": plain(outcome.tiled),
        "timings": [_timing(timing) for timing in outcome.timings],
        "advice": list(advise_targets(outcome.targets, outcome.timings)),
        "pictures": [_picture(picture) for picture in outcome.pictures],
        "coverage": plain(outcome.coverage),
        "stage_seconds": plain(outcome.stage_seconds),
        "notes": plain(outcome.notes),
        "environment": plain(outcome.environment),
        "provenance": plain(outcome.provenance),
        "recipe": plain(outcome.recipe),
    }


def artifact_document(artifact: Artifact) -> dict[str, Any]:
    """The file by its name alone: the report travels, the build folder does not."""
    return {
        "file": artifact.path.name,
        "format": str(artifact.format),
        "precision": artifact.precision,
        "size_bytes": artifact.size_bytes,
        "sha256": artifact.sha256,
        "input": plain(artifact.input),
        "output": plain(artifact.output),
        "history": list(artifact.history),
    }


def _target(target: TargetResult) -> dict[str, Any]:
    return {
        "name": target.name,
        "runtime": target.runtime,
        "model": artifact_document(target.artifact),
        "parity": plain(target.parity),
        "quality": plain(target.quality),
        "latency": _latency(target.latency),
        "audit": _audit(target.audit),
        "findings": plain(target.findings),
        "seam": plain(target.seam),
        "layers": _layers(target.layers),
        "cross_runtime": plain(target.cross_runtime),
        "residency": plain(target.residency),
        **({"sizes": [_size(size) for size in target.sizes]} if target.sizes else {}),
        **({"versions": plain(target.versions)} if target.versions else {}),
        **({"npu": plain(target.npu)} if target.npu else {}),
    }


def _size(size: SizeResult) -> dict[str, Any]:
    return dict(plain(size)) | {"latency": _latency(size.latency)}


def _latency(latency: Latency | NotMeasured) -> dict[str, Any]:
    document = dict(plain(latency))
    if isinstance(latency, Latency):
        document |= latency.derived
    return document


def _timing(timing: Timing) -> dict[str, Any]:
    return dict(plain(timing)) | {"latency": _latency(timing.latency)}


def _audit(audit: Audit | NotMeasured) -> dict[str, Any]:
    document = dict(plain(audit))
    if isinstance(audit, Audit):
        document["counts"] = audit.counts
    return document


def _layers(layers: Localisation | NotMeasured) -> dict[str, Any]:
    document = dict(plain(layers))
    document.pop("maps", None)  # a file of the build folder
    if isinstance(layers, Localisation):
        document["clipping"] = list(clipping_layers(layers))
    return document


def _stage(stage: StageAccuracy) -> dict[str, Any]:
    return dict(plain(stage)) | {"artifact": artifact_document(stage.artifact)}


def _picture(picture: Picture) -> dict[str, Any]:
    return {"name": picture.name, "stages": list(picture.files)}
