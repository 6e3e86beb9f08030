"""Every INT8 file layer by layer: the chart, the worst layers, and what they look like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.localise.diagnosis import reason
from exporter.localise.results import LayerError, Localisation
from exporter.measure.clipping import clipping_sentence
from exporter.measure.results import TargetResult
from exporter.report.charts import sqnr_chart
from exporter.report.drawings import Drawings
from exporter.report.pictures import CROP_PX, data_uri, worst_window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHOWN_ROWS = 8


@dataclass(frozen=True, slots=True)
class LayerRow:
    place: int
    layer: LayerError
    why: str


@dataclass(frozen=True, slots=True)
class LayerCrop:
    """A layer as a picture, mean over channels: float and INT8 in one range of grey, their difference in its own."""

    place: int
    layer: LayerError
    x: int
    y: int
    float_uri: str
    int8_uri: str
    error_uri: str
    black: float
    white: float
    largest_error: float


@dataclass(frozen=True, slots=True)
class LayersOfFile:
    users: str  # the targets that run the file
    found: Localisation
    chart: str
    rows: tuple[LayerRow, ...]
    crops: tuple[LayerCrop, ...]
    clipping: str | None  # what is cut off on evaluation pictures; None: next to nothing


def layers_of_files(targets: Iterable[TargetResult], drawings: Drawings) -> list[LayersOfFile]:
    """One entry per distinct file that was compared layer by layer."""
    users: dict[str, list[str]] = defaultdict(list)
    compared: dict[str, Localisation] = {}
    for target in targets:
        if isinstance(target.layers, Localisation):
            users[target.artifact.sha256].append(target.name)
            compared.setdefault(target.artifact.sha256, target.layers)
    return [
        LayersOfFile(
            users=", ".join(users[sha256]),
            found=found,
            chart=drawings.chart(sqnr_chart, found, f"sqnr-{sha256[:8]}"),
            rows=tuple(LayerRow(i, found.layers[i], reason(found.layers[i])) for i in found.worst[:SHOWN_ROWS]),
            crops=tuple(_crops(found, drawings)),
            clipping=clipping_sentence(found),
        )
        for sha256, found in compared.items()
    ]


def _crops(found: Localisation, drawings: Drawings) -> Iterator[LayerCrop]:
    import numpy as np

    if found.maps is None:
        return
    with np.load(found.maps) as maps:
        for place in dict.fromkeys(int(key.split("/")[0]) for key in maps.files):
            exact, rounded, error = (maps[f"{place}/{kind}"] for kind in ("float", "int8", "error"))
            yield _crop(place, found.layers[place], exact, rounded, error, drawings)


def _crop(
    place: int,
    layer: LayerError,
    exact: NDArray[np.float32],
    rounded: NDArray[np.float32],
    error: NDArray[np.float32],
    drawings: Drawings,
) -> LayerCrop:
    y, x = worst_window(error.astype("float64"))
    exact, rounded, error = (values[y : y + CROP_PX, x : x + CROP_PX] for values in (exact, rounded, error))
    black, white = float(min(exact.min(), rounded.min())), float(max(exact.max(), rounded.max()))
    largest = float(error.max())
    return LayerCrop(
        place, layer, x, y,
        drawings.picture(data_uri, _grey(exact, black, white)),
        drawings.picture(data_uri, _grey(rounded, black, white)),
        drawings.picture(data_uri, _grey(error, 0.0, largest)),
        black, white, largest,
    )  # fmt: skip


def _grey(values: NDArray[np.float32], black: float, white: float) -> NDArray[np.uint8]:
    import numpy as np

    grey = np.clip((values - black) / max(white - black, 1e-30), 0, 1)
    return (grey * 255 + 0.5).astype(np.uint8)
