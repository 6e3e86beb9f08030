"""Writes the bill of materials and the provenance into a bundle whose other files all lie there."""

from __future__ import annotations

from pathlib import Path

from exporter.bundle.attest.provenance import provenance_statement
from exporter.bundle.attest.sbom import bill_of_materials
from exporter.bundle.manifest import read_manifest
from exporter.bundle.report_file import read_report
from exporter.bundle.sums import PROVENANCE, SBOM, digests
from exporter.files.plain_json import json_text


def write_attestations(folder: Path) -> None:
    """What they say follows from manifest, report and digests, so that `verify` can say it again."""
    manifest, files = read_manifest(folder), digests(folder)
    _write(folder / SBOM, bill_of_materials(manifest, read_report(folder), files))
    _write(folder / PROVENANCE, provenance_statement(manifest, digests(folder)))


def _write(path: Path, tree: dict[str, object]) -> None:
    path.write_text(json_text(tree) + "\n", encoding="utf-8", newline="\n")
