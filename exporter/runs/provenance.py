"""Where weights and images of a run come from, and what made it: what a bundle says of its origin."""

from __future__ import annotations

from pathlib import Path

from exporter.artifact import sha256_of
from exporter.checkpoints.weights_files import weights_digest
from exporter.data.judgement import Images
from exporter.data.protocol import IN_WORDS, Protocol
from exporter.files.hub_reference import fetched_from, hub_reference_of
from exporter.recipes.export import Recipe
from exporter.runs.origin import exporter_origin


def provenance(recipe: Recipe, images: Images, loaded: dict[str, object]) -> dict[str, object]:
    """Where weights and images come from, with licence and digest, and which exporter this is.

    `loaded`: what loading found the network to be.
    """
    described: dict[str, object] = {
        "model": {
            "arch": recipe.model.arch or loaded.get("arch"),
            "checkpoint": recipe.model.checkpoint.name,
            "sha256": weights_digest(recipe.model.checkpoint),
            "licence": recipe.model.licence,
            "source": _source(recipe),
        },
        "files": {place: named_file(path) for place, path in sorted(recipe.files().items())},
        "exporter": exporter_origin(),
    }
    for role, images_set in (("calibration", images.calibration), ("evaluation", images.evaluation)):
        manifest = images_set.manifest
        entries = manifest.images if hasattr(manifest, "images") else manifest.pairs
        described[role] = {
            "name": manifest.name,
            "images": len(entries),
            "sha256": images_set.sha256,
            "licences": sorted({entry.licence for entry in entries}),
            **small_pictures(images.evaluation.scale, images_set.protocol),
            **images_set.view.in_words(),
        }
    if images.training is not None:
        described["training"] = {
            "name": recipe.data.training.name if recipe.data.training else "",
            "images": len(images.training),
            "sha256": images.training.sha256,
            **small_pictures(images.evaluation.scale, getattr(images.training, "protocol", None)),
        }
    return described


def _source(recipe: Recipe) -> str:
    """What the recipe says, or the hub it names."""
    reference = hub_reference_of(recipe.model.checkpoint)
    return str(reference) if reference and recipe.model.source == "unknown" else recipe.model.source


def named_file(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": sha256_of(path), **fetched_from(path)}


def small_pictures(scale: int, protocol: Protocol | None) -> dict[str, object]:
    """Where a set's small pictures come from; nothing for a network that does not enlarge."""
    if scale == 1:
        return {}
    return {"scale": scale, "small_pictures": IN_WORDS[protocol] if protocol else "as they lie in the set"}
