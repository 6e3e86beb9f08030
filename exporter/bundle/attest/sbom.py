"""sbom.cdx.json: a CycloneDX 1.6 bill of materials. It names every file of the bundle but itself, the provenance, the
sums and signatures, which all say its digest; and everything that the models were made from.

It is a function of the other files: nothing in it is random, nothing is the time of day. Package licences are those of
the machine that wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from exporter.bundle.app_code import CODE
from exporter.bundle.attest.inputs import (
    EXPORTER,
    MACHINE,
    ImageSet,
    WeightsFile,
    exporter_purl,
    image_sets,
    libraries,
    library_purl,
    origin_in,
    weights_in,
)
from exporter.bundle.attest.licences import library_licences, licence_choice
from exporter.bundle.attest.model_card import model_card
from exporter.bundle.documents import mapping
from exporter.bundle.manifest import Manifest, Model
from exporter.bundle.report_file import Report
from exporter.bundle.sums import sums_text
from exporter.bundle.web import LICENCE, WEB

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
RELEASE = "release"  # the bom-ref of the bundle as a whole
_OF_PICTURES = ("golden/", "report/index.html")  # these hold crops of the evaluation pictures
Component = dict[str, Any]


def bill_of_materials(
    manifest: Manifest,
    report: Report,
    files: Mapping[str, str],
    licences_of: Callable[[str, str], Sequence[str]] = library_licences,
) -> dict[str, Any]:
    """`files`: file → sha256 of all that it names. `licences_of`: a package's licences, by name and version."""
    sets, weights = [*image_sets(manifest)], [*weights_in(manifest)]
    models = {model.file: model for model in manifest.models}
    set_refs = [_set_ref(each) for each in sets]
    made_from = [_weights_ref(each) for each in weights] + [r for r in set_refs if r != "set:evaluation"]
    components = [
        _model(models[file], digest, manifest, model_card(models[file], manifest, report, sets, set_refs))
        if file in models
        else _file(file, digest, sets)
        for file, digest in files.items()
    ]
    components += [_weights(each) for each in weights] + [_image_set(each) for each in sets]
    components += [_library(name, version, licences_of) for name, version in libraries(manifest).items()]
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, sha256(sums_text(dict(files)).encode()).hexdigest())}",
        "version": 1,
        "metadata": _metadata(manifest),
        "components": components,
        "dependencies": [
            {"ref": RELEASE, "dependsOn": [_file_ref(file) for file in models]},
            *({"ref": _file_ref(file), "dependsOn": made_from} for file in models),
        ],
    }


def _metadata(manifest: Manifest) -> dict[str, Any]:
    origin = origin_in(manifest)
    known = {key: str(origin[key]) for key in ("commit", "modified", "code_sha256", "url") if key in origin}
    tool = {
        "type": "application",
        "bom-ref": EXPORTER,
        "name": EXPORTER,
        "version": str(origin.get("version")),
        "purl": exporter_purl(manifest),
        "properties": _properties(known),
    }
    release = {
        "type": "machine-learning-model",
        "bom-ref": RELEASE,
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "licenses": licence_choice([manifest.licence]),
    }
    machine = {key: manifest.tools[key] for key in MACHINE if key in manifest.tools}
    return {"tools": {"components": [tool]}, "component": release, "properties": _properties(machine)}


def _model(model: Model, digest: str, manifest: Manifest, card: dict[str, Any]) -> Component:
    said = {
        "format": model.format.value,
        "precision": model.precision,
        "size_bytes": str(model.size_bytes),
        "source_sha256": model.source_sha256,
        "targets": ", ".join(target.name for target in model.targets),
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": _file_ref(model.file),
        "name": model.file,
        "version": manifest.version,
        "hashes": _hashes(digest),
        "licenses": licence_choice([manifest.licence]),
        "modelCard": card,
        "properties": _properties(said),
    }


def _file(file: str, digest: str, sets: Sequence[ImageSet]) -> Component:
    component: Component = {"type": "file", "bom-ref": _file_ref(file), "name": file, "hashes": _hashes(digest)}
    if file.startswith((WEB, CODE)):
        component["licenses"] = licence_choice([LICENCE])
    pictures = [name for each in sets if each.role == "evaluation" for name in each.licences]
    if file.startswith(_OF_PICTURES) and pictures:
        component["licenses"] = licence_choice(pictures)
    return component


def _weights(weights: WeightsFile) -> Component:
    component = {
        "type": "machine-learning-model",
        "bom-ref": _weights_ref(weights),
        "name": weights.file,
        "hashes": _hashes(weights.sha256),
        "licenses": licence_choice(weights.licences),
        "properties": _properties({"place": weights.place}),
    }
    known = {"description": weights.source, "purl": weights.purl}
    return component | {key: value for key, value in known.items() if value}


def _image_set(images: ImageSet) -> Component:
    return {
        "type": "data",
        "bom-ref": _set_ref(images),
        "name": images.name,
        "hashes": _hashes(images.sha256),
        "licenses": licence_choice(images.licences),
        "data": [{"type": "dataset", "name": images.name, "classification": images.role}],
        "properties": _properties({"role": images.role, "images": str(images.images)}),
    }


def _library(name: str, version: str, licences_of: Callable[[str, str], Sequence[str]]) -> Component:
    return {
        "type": "library",
        "bom-ref": f"library:{name}",
        "name": name,
        "version": version,
        "purl": library_purl(name, version),
        "licenses": licence_choice(licences_of(name, version)),
    }


def _file_ref(file: str) -> str:
    return f"file:{file}"


def _weights_ref(weights: WeightsFile) -> str:
    return f"weights:{weights.place}"


def _set_ref(images: ImageSet) -> str:
    return f"set:{images.role}"


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest}]


def _properties(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": f"exporter:{name}", "value": value} for name, value in values.items()]


def components_by_ref(tree: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """bom-ref → component of a BOM that somebody wrote. Raises ValueError for one without, and for one twice."""
    found: dict[str, Mapping[str, Any]] = {}
    listed = tree.get("components")
    for entry in listed if isinstance(listed, list) else ():
        ref = mapping(entry).get("bom-ref")
        if not isinstance(ref, str):
            raise ValueError("lists a component without a bom-ref")
        if ref in found:
            raise ValueError(f"lists {ref} twice")
        found[ref] = entry
    return found
