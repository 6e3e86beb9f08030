"""provenance.intoto.json: an in-toto statement v1 with SLSA's provenance predicate v1.

Its subjects are the files that SHA256SUMS lists but itself, the bill of materials among them. A signature is one of
this statement, so it speaks for all of them; SHA256SUMS says nothing that does not follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporter.bundle.attest.inputs import (
    EXPORTER,
    MACHINE,
    exporter_purl,
    image_sets,
    libraries,
    library_purl,
    origin_in,
    weights_in,
)
from exporter.bundle.documents import mapping
from exporter.bundle.manifest import Manifest

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:exporter:recipe:v1"  # a recipe of this project, run by it; externalParameters holds it as resolved


def provenance_statement(manifest: Manifest, files: Mapping[str, str]) -> dict[str, Any]:
    """`files`: file → sha256 of its subjects."""
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": file, "digest": {"sha256": sha256}} for file, sha256 in files.items()],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "name": manifest.name,
                    "version": manifest.version,
                    "recipe": manifest.recipe,
                },
                "internalParameters": {key: manifest.tools[key] for key in MACHINE if key in manifest.tools},
                "resolvedDependencies": _dependencies(manifest),
            },
            "runDetails": {"builder": _builder(manifest)},
        },
    }


def subjects(statement: Mapping[str, Any]) -> dict[str, str]:
    """File → sha256 as a statement says. Raises ValueError for one that is no statement, or names a file twice."""
    if statement.get("_type") != STATEMENT_TYPE or not isinstance(statement.get("subject"), list):
        raise ValueError("is no in-toto statement v1")
    found: dict[str, str] = {}
    for entry in statement["subject"]:
        name, sha256 = mapping(entry).get("name"), mapping(mapping(entry).get("digest")).get("sha256")
        if not isinstance(name, str) or not isinstance(sha256, str):
            raise ValueError("has a subject without a name or a sha256")
        if name in found:
            raise ValueError(f"names {name} twice")
        found[name] = sha256
    return found


def _dependencies(manifest: Manifest) -> list[dict[str, Any]]:
    """Everything that went in, as in-toto's resource descriptors."""
    origin = origin_in(manifest)
    digests = {"gitCommit": origin.get("commit"), "sha256": origin.get("code_sha256")}
    code = {"name": EXPORTER, "uri": exporter_purl(manifest), "digest": {k: str(v) for k, v in digests.items() if v}}
    return [
        code if code["digest"] else {key: value for key, value in code.items() if key != "digest"},
        *(
            {"name": each.place, "digest": {"sha256": each.sha256}, "annotations": {"file": each.file}}
            | ({"uri": each.purl} if each.purl else {})
            for each in weights_in(manifest)
        ),
        *(
            {"name": each.role, "digest": {"sha256": each.sha256}, "annotations": {"set": each.name}}
            for each in image_sets(manifest)
        ),
        *({"name": name, "uri": library_purl(name, version)} for name, version in libraries(manifest).items()),
    ]


def _builder(manifest: Manifest) -> dict[str, Any]:
    origin = origin_in(manifest)
    known = {EXPORTER: str(origin.get("version"))}
    if commit := origin.get("commit"):
        known["commit"] = f"{commit}{' with changes' if origin.get('modified') else ''}"
    return {"id": exporter_purl(manifest), "version": known}
