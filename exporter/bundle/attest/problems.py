"""Whether bill of materials and provenance are those of the bundle they lie in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exporter.bundle.attest.provenance import provenance_statement, subjects
from exporter.bundle.attest.sbom import bill_of_materials, components_by_ref
from exporter.bundle.documents import exact_json, read_tree
from exporter.bundle.manifest import Manifest
from exporter.bundle.report_file import Report
from exporter.bundle.sums import PROVENANCE, SBOM

Tree = Mapping[str, Any]


def attestation_problems(manifest: Manifest, report: Report, folder: Path, found: Mapping[str, str]) -> Iterator[str]:
    """Every file, input and figure that one of the two leaves out, invents or says otherwise.

    `found`: file → sha256 of every file of the bundle but SHA256SUMS and signatures.
    """
    listed = {file: sha256 for file, sha256 in found.items() if file not in (SBOM, PROVENANCE)}
    yield from _sbom_problems(read_tree(folder, SBOM), bill_of_materials(manifest, report, listed, lambda *_: ()))
    subject = {file: sha256 for file, sha256 in found.items() if file != PROVENANCE}
    yield from _provenance_problems(read_tree(folder, PROVENANCE), provenance_statement(manifest, subject), subject)


def _sbom_problems(said: Tree, wanted: Tree) -> Iterator[str]:
    try:
        listed = components_by_ref(said)
    except ValueError as error:
        yield f"{SBOM} {error}"
        return
    due = components_by_ref(wanted)
    for ref in due.keys() - listed.keys():
        yield f"{SBOM} does not name {due[ref]['name']} ({ref})"
    for ref in listed.keys() - due.keys():
        yield f"{SBOM} names {ref}, which this bundle does not know"
    for ref in due.keys() & listed.keys():
        if parts := _differing(_comparable(listed[ref]), _comparable(due[ref])):
            yield f"{SBOM} says another {', '.join(parts)} of {due[ref]['name']} than the bundle"
    for part in _differing(said, wanted):
        if part != "components":
            yield f"{SBOM} says another {part} than the bundle"


def _comparable(component: Tree) -> Tree:
    """Licences of packages are those of the machine that wrote it; here another version may be installed."""
    return {key: value for key, value in component.items() if (component.get("type"), key) != ("library", "licenses")}


def _provenance_problems(said: Tree, wanted: Tree, files: Mapping[str, str]) -> Iterator[str]:
    try:
        named = subjects(said)
    except ValueError as error:
        yield f"{PROVENANCE} {error}"
        return
    yield from subject_problems(named, files, PROVENANCE)
    for part in _differing(said, wanted):
        if part != "subject":
            yield f"{PROVENANCE} says another {part} than manifest.json"


def subject_problems(named: Mapping[str, str], files: Mapping[str, str], document: str) -> Iterator[str]:
    """Where the subjects of `document` are not the files that lie here."""
    for file in files.keys() - named.keys():
        yield f"{document} does not name {file}"
    for file in named.keys() - files.keys():
        yield f"{document} names {file}, which is not in this bundle"
    for file in files.keys() & named.keys():
        if files[file] != named[file]:
            yield f"{document} says another sha256 of {file}: {named[file][:12]}…, it is {files[file][:12]}…"


def _differing(said: Tree, wanted: Tree) -> list[str]:
    keys = dict.fromkeys((*wanted, *said))
    return [key for key in keys if exact_json(said.get(key)) != exact_json(wanted.get(key))]
