"""An INT8 target layer by layer, with pictures of its worst layers for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import Artifact, Format
from exporter.data.spread import evenly_spread
from exporter.errors import DataError, EngineError
from exporter.localise.localisation import SideBySide, localise
from exporter.localise.results import Localisation
from exporter.measure.evaluation import Renderings
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Image

IMAGES = 3
SHOWN_LAYERS = 4


def is_int8_tflite(artifact: Artifact) -> bool:
    return artifact.format == Format.TFLITE and artifact.precision == "int8"


def localise_file(chain: Sequence[Artifact], renderings: Renderings, folder: Path) -> Localisation | NotMeasured:
    """The last artifact of `chain` against the float .tflite it was made from, on a few evaluation images.

    The maps of the worst layers, the culprit first, go into `folder`.
    """
    floats = [artifact for artifact in chain if artifact.format == Format.TFLITE and artifact.precision == "fp32"]
    if not floats:
        return NotMeasured("the chain has no float .tflite to compare with")
    int8, exact = chain[-1], floats[-1]
    pairs = renderings.evaluation
    images = [pairs[place].blurred for place in evenly_spread(len(pairs), IMAGES)]
    try:
        found = localise(int8.path, exact.path, images)
        maps = layer_maps(int8.path, exact.path, images[0], _shown(found))
    except (DataError, EngineError) as error:
        return NotMeasured.because(error)
    file = folder / f"layers-{int8.sha256[:16]}.npz"
    np.savez(file, **maps)
    return replace(found, maps=file)


def layer_maps(int8: Path, float_: Path, image: Image, layers: Sequence[int]) -> dict[str, NDArray[np.float32]]:
    """`LAYER/float`, `LAYER/int8`, `LAYER/error` on one picture for those of `layers` (places in a Localisation) that
    are pictures themselves: mean, mean and mean magnitude of the difference over channels, (H, W)."""
    files = SideBySide(int8, float_)
    files.run(image)
    maps = {}
    for layer in layers:
        index = files.layers[layer][1]
        exact, rounded = files.exact_values(index), files.rounded_values(index)
        if exact.ndim == 4:
            maps[f"{layer}/float"], maps[f"{layer}/int8"] = exact[0].mean(axis=2), rounded[0].mean(axis=2)
            maps[f"{layer}/error"] = np.abs(rounded - exact)[0].mean(axis=2)
    return maps


def _shown(found: Localisation) -> tuple[int, ...]:
    first = () if found.culprit is None else (found.culprit,)
    return tuple(dict.fromkeys((*first, *found.worst)))[:SHOWN_LAYERS]
