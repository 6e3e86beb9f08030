"""Whether a manifest's provenance names what its recipe was made from: every file, with a digest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from exporter.bundle.documents import mapping
from exporter.bundle.manifest import Manifest
from exporter.stages import STAGES
from exporter.stages.parts import file_options

INDEX = "model.json"  # what a folder with a TensorFlow.js model stands for
_SHA256 = re.compile("[0-9a-f]{64}")


def provenance_problems(manifest: Manifest) -> Iterator[str]:
    """Files that the recipe names and the provenance does not, entries without a digest, no exporter's version."""
    provenance = manifest.provenance
    files = mapping(provenance.get("files"))
    for place, name in named_files(manifest.recipe).items():
        if mapping(files.get(place)).get("file") not in (name, INDEX):
            yield f"manifest.json: its provenance does not name {name}, the recipe's {place}"
    for place, entry in files.items():
        if not _SHA256.fullmatch(str(mapping(entry).get("sha256"))):
            yield f"manifest.json: its provenance has no sha256 of {place}"
    for part in ("model", "calibration", "evaluation"):
        if not _SHA256.fullmatch(str(mapping(provenance.get(part)).get("sha256"))):
            yield f"manifest.json: its provenance has no sha256 of the {part}"
    if not mapping(provenance.get("exporter")).get("version"):
        yield "manifest.json: its provenance does not say which exporter made it"


def named_files(recipe: Mapping[str, Any]) -> dict[str, str]:
    """Place in a resolved recipe -> name of the file there; a stage that stands twice is told by its first."""
    kinds = {stage.name: stage for stage in STAGES}
    named = {"model.checkpoint": mapping(recipe.get("model")).get("checkpoint")}
    targets = mapping(recipe.get("targets"))
    lists = [("", recipe.get("stages")), *((f"targets.{t}.", mapping(v).get("stages")) for t, v in targets.items())]
    for prefix, stages in lists:
        for entry in stages if isinstance(stages, list) else ():
            for stage, options in mapping(entry).items():
                for option in file_options(kinds[stage]) if stage in kinds else ():
                    named.setdefault(f"{prefix}{stage}.{option}", mapping(options).get(option))
    return {place: PurePosixPath(path).name for place, path in named.items() if isinstance(path, str)}
