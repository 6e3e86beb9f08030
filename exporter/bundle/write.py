"""Writes dist/<name>-<version>/, or ….missed/: in a temporary sibling first, put in place in one step at the end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from exporter.artifact import Format, sha256_of
from exporter.bundle.app_code import write_code
from exporter.bundle.attest import write_attestations
from exporter.bundle.card import runtime_card
from exporter.bundle.golden import Golden, write_golden
from exporter.bundle.manifest import read_manifest
from exporter.bundle.manifest_of_run import build_manifest
from exporter.bundle.model_metadata import metadata_of
from exporter.bundle.models import ShippedModel, shipped_models
from exporter.bundle.sums import SUMS, covers, digests, sums_text
from exporter.bundle.web import wants_web, write_web
from exporter.errors import BundleError, RecipeError
from exporter.files.atomic import remove_folder, replace_folder
from exporter.graph.tflite_metadata import stamp
from exporter.judge.outcome import Outcome
from exporter.nvidia.sidecar import sidecar_path
from exporter.report import write_report

MISSED = ".missed"  # ends the name of a bundle that is not what its recipe promised
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def write_bundle(
    outcome: Outcome,
    golden: Sequence[Golden],
    dist: Path,
    *,
    multiple: int = 1,
    drawings: Path | None = None,
) -> Path:
    """Write the bundle of a finished run and return its folder: one of the two of `bundle_folders`.

    `multiple`: of which height and width must be multiples. `drawings`: where what the page shows is kept.
    A bundle in the same folder is replaced as a whole, and kept if anything fails. A run that missed nothing removes
    what an earlier one left that did; a run that missed a promise leaves a good bundle of an earlier run alone.
    Raises DiskFull when the disk fills up, BundleError when there is no model to ship.
    """
    if not _SAFE_NAME.fullmatch(f"{outcome.name}-{outcome.version}"):
        raise RecipeError(f"{outcome.name!r} {outcome.version!r} cannot name a folder: letters, digits, . _ -")
    if not outcome.targets:
        raise BundleError(f"{outcome.name} has no target, so there is nothing to ship")
    good, missed = bundle_folders(dist, outcome.name, outcome.version)
    final = missed if outcome.tally.missed else good
    with replace_folder(final) as folder:
        models = shipped_models(outcome)
        for model in models:
            _ship(model, outcome, folder)
        write_golden(golden, models, folder)
        write_code(folder, [model.artifact for model in models])
        if wants_web(outcome.recipe):
            write_web(folder)
        manifest = build_manifest(outcome, models, folder, multiple)
        _text(folder / "manifest.json", manifest.model_dump_json(indent=1) + "\n")
        shipped = _as_shipped(outcome, models, folder)
        _text(folder / "README.md", runtime_card(manifest, folder, outcome.verdicts, shipped.targets))
        write_report(shipped, folder / "report", drawings)
        write_attestations(folder)
        _text(folder / SUMS, sums_text(digests(folder)))
    if final != missed and missed.exists():
        remove_folder(missed)
    return final


def bundle_folders(dist: Path, name: str, version: str) -> tuple[Path, Path]:
    """Where a run's bundle goes: when it missed no promise, and when it missed any."""
    return dist / f"{name}-{version}", dist / f"{name}-{version}{MISSED}"


def reproducible_files(bundle: Path) -> dict[str, str]:
    """File → sha256 of all that comes out with the same bytes from the same recipe, data and tools."""
    kept = read_manifest(bundle).reproducible
    return {file: sha256 for file, sha256 in digests(bundle).items() if covers(kept, file)}


def _ship(model: ShippedModel, outcome: Outcome, folder: Path) -> None:
    path = folder / model.file
    path.parent.mkdir(exist_ok=True)
    if model.artifact.format == Format.TFLITE:
        path.write_bytes(
            stamp(
                model.artifact.path.read_bytes(),
                metadata_of(model.artifact, outcome.name, outcome.version, outcome.recipe),
            )
        )
    else:
        shutil.copyfile(model.artifact.path, path)
    if model.artifact.format == Format.TENSORRT:
        shutil.copyfile(sidecar_path(model.artifact.path), sidecar_path(path))


def _as_shipped(outcome: Outcome, models: Sequence[ShippedModel], folder: Path) -> Outcome:
    """The outcome about the files as they are shipped: their names, sizes and digests in the bundle."""
    shipped = {}
    for model in models:
        path = folder / model.file
        shipped[model.artifact.sha256] = replace(model.artifact, path=path, sha256=sha256_of(path))
    targets = tuple(replace(t, artifact=shipped[t.artifact.sha256]) for t in outcome.targets)
    return replace(outcome, targets=targets)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
