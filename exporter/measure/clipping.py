"""Which layers meet values on evaluation pictures that calibration did not show: their INT8 range cuts those off.

The shipped student clips 0.01 % at most; calibrated with eight pictures 0.1 %, with pictures out of focus 20 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.localise.results import LayerError, Localisation
from exporter.measure.results import TargetResult

LEAST_SHARE = 0.001  # of a layer's values
NAMED = 3


def clipping_layers(found: Localisation) -> tuple[int, ...]:
    """Places in `found.layers` that cut off 0.1 % of their values or more, the worst first."""
    places = [place for place, layer in enumerate(found.layers) if layer.int8_range and layer.clipped >= LEAST_SHARE]
    return tuple(sorted(places, key=lambda place: -found.layers[place].clipped))


def clipping_sentence(found: Localisation) -> str | None:
    """What the worst of them cut off; None when no layer does."""
    places = clipping_layers(found)
    if not places:
        return None
    named = "; ".join(_said(found.layers[place]) for place in places[:NAMED])
    layers = "1 layer cuts" if len(places) == 1 else f"{len(places)} of {len(found.layers)} layers cut"
    return f"{layers} evaluation values off that calibration did not show: {named}"


def clipping_warnings(targets: Iterable[TargetResult]) -> Iterator[str]:
    """One sentence for each distinct INT8 file that clips; the target that comes first names it."""
    known = set()
    for target in targets:
        if isinstance(target.layers, Localisation) and target.artifact.sha256 not in known:
            known.add(target.artifact.sha256)
            if sentence := clipping_sentence(target.layers):
                yield f"{target.name}: {sentence}"


def _said(layer: LayerError) -> str:
    assert layer.int8_range is not None
    values, held = (f"{low:.3g} to {high:.3g}" for low, high in (layer.values, layer.int8_range))
    return f"{layer.kind} {layer.tensor} {layer.clipped:.2%} (values {values}, int8 holds {held})"
