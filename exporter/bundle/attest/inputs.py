"""What a bundle was made from, as its manifest says: files of weights, sets of images, libraries, the exporter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from exporter.bundle.documents import mapping
from exporter.bundle.manifest import Manifest
from exporter.files.hub_reference import SCHEME, parse_hub_reference

SETS = ("calibration", "evaluation", "training")
MACHINE = ("python", "platform", "cpu", "cores")  # what `tools` of a manifest says besides packages
EXPORTER = "exporter"


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file; `place`: where the recipe names it, such as model.checkpoint."""

    place: str
    file: str
    sha256: str
    licences: tuple[str, ...]
    source: str
    purl: str | None  # of a file that a hub keeps


@dataclass(frozen=True, slots=True)
class ImageSet:
    role: str
    name: str
    sha256: str
    images: int
    licences: tuple[str, ...]


def weights_in(manifest: Manifest) -> Iterator[WeightsFile]:
    """Every file of weights that went in. Licence and source are those of the recipe's `model`, or its own."""
    model = mapping(manifest.provenance.get("model"))
    for place, entry in sorted(mapping(manifest.provenance.get("files")).items()):
        ours = model if place.startswith("model.") else {}
        licences = (str(ours["licence"]),) if ours.get("licence") else ()
        found = mapping(entry)
        source = str(found.get("source") or ours.get("source") or "")
        yield WeightsFile(place, str(found.get("file")), str(found.get("sha256")), licences, source, _hub_purl(source))


def _hub_purl(source: str) -> str | None:
    try:
        return parse_hub_reference(source).purl if source.startswith(SCHEME) else None
    except ValueError:  # a stranger's manifest
        return None


def image_sets(manifest: Manifest) -> Iterator[ImageSet]:
    """The sets that calibrated, judged and trained."""
    for role in SETS:
        if entry := mapping(manifest.provenance.get(role)):
            licences = entry.get("licences")
            named = tuple(map(str, licences)) if isinstance(licences, list) else ()
            images = entry.get("images")
            count = images if isinstance(images, int) else 0
            yield ImageSet(role, str(entry.get("name")), str(entry.get("sha256")), count, named)


def libraries(manifest: Manifest) -> dict[str, str]:
    """Package → version of all that made or ran the models."""
    return {name: version for name, version in manifest.tools.items() if name not in (*MACHINE, EXPORTER)}


def origin_in(manifest: Manifest) -> Mapping[str, Any]:
    """`version`, and `commit` or `code_sha256` as far as they are known."""
    return mapping(manifest.provenance.get("exporter"))


def exporter_purl(manifest: Manifest) -> str:
    return f"pkg:generic/{EXPORTER}@{quote(str(origin_in(manifest).get('version')), safe='')}"


def library_purl(name: str, version: str) -> str:
    """The package URL of a Python package."""
    return f"pkg:pypi/{name.lower().replace('_', '-')}@{quote(version, safe='')}"
