"""The comparison as one self-contained page: the table of the Markdown, and for each target its worst crop."""

from __future__ import annotations

from exporter.figures import fixed
from exporter.releases.markdown import row
from exporter.releases.results import Crop, Releases
from exporter.report.pictures import CROP_PX, data_uri
from exporter.report.templates import templates_of

_STATUS = {0: "kept", 1: "missed", 2: "not-measured"}  # as the report's style names the three colours
_LABELS = {"before": "Input", "old": "Old", "new": "New", "sharp": "Sharp"}


def page(found: Releases) -> str:
    """HTML without scripts and without anything from a network."""
    environment = templates_of("exporter.releases")
    environment.globals |= {"row": row, "shots": _shots, "fixed": fixed, "crop_px": CROP_PX}
    return environment.get_template("page.html").render(found=found, status=_STATUS[found.exit_code])


def _shots(crop: Crop) -> dict[str, str]:
    """Label → data URI, in the order of looking."""
    return {label: data_uri(getattr(crop, name)) for name, label in _LABELS.items()}
