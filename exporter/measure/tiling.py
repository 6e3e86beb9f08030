"""Do tiles give the picture that the whole network gives? Once for the float network, once for every file."""

from __future__ import annotations

from math import lcm
from pathlib import Path

import numpy as np

from exporter.artifact import Artifact
from exporter.data.images import frame
from exporter.data.spread import evenly_spread
from exporter.errors import EngineError
from exporter.measure.evaluation import Renderings
from exporter.measure.parity import max_difference, parity_db
from exporter.measure.results import Seam, Tiled
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Image, Runtime, Session
from exporter.tiling.grid import Tiling
from exporter.tiling.halo import choose_tiling
from exporter.tiling.receptive_field import ReceptiveField, receptive_field
from exporter.tiling.restore import restored_rows

PROBED_PIXELS = 8 * 256 * 256  # pictures times pixels of a tile: the choice takes seconds at any size
SEAM_PICTURES = 2


def measure_tiling(
    reference: Artifact, runtime: Runtime, onnx: Path | None, multiple: int, renderings: Renderings
) -> Tiled | NotMeasured:
    """Choose the tiling for the float network `reference` and compare tiles with the whole picture.

    `onnx`: the same network's file, from which the receptive field is read; `multiple`: of which its sizes must be
    multiples. Not measured when the network does not run at a larger size than the recipe's.
    """
    field = receptive_field(onnx) if onnx else ReceptiveField(None, 1, "no ONNX file was made of the network")
    height, width = reference.input.height, reference.input.width
    multiple = lcm(multiple, field.alignment_px)
    if multiple > min(height, width):
        return NotMeasured(f"tiles would start every {multiple} px, as the network's strides say, and are smaller")
    pictures = _some(renderings, max(1, min(len(renderings.evaluation), PROBED_PIXELS // (height * width))))
    try:
        with runtime.open(reference, renderings.threads) as session:
            tiling = choose_tiling(session.infer, pictures, height, width, multiple, field)
            compared = [_tiled_and_whole(session, picture, tiling) for picture in pictures]
    except EngineError as error:
        return NotMeasured(f"the float network does not run at a larger size: {error}")
    return Tiled(
        tiling=tiling,
        theoretical_halo_px=field.halo_px,
        unbounded_because=field.reason or None,
        images=len(compared),
        psnr_db=min(parity_db(whole, tiled) for tiled, whole in compared),
        max_abs=max_difference(compared),
    )


def measure_seam(runtime: Runtime, artifact: Artifact, tiling: Tiling, renderings: Renderings) -> Seam:
    """Compare four tiles of a file, put together, with the file's own tile whose middle lies on their seams.

    Only what that tile sees well is compared: its middle half, or as much of it as the halo leaves. Raises EngineError.
    """
    with runtime.open(artifact, renderings.threads) as session:
        compared = [_seam_and_middle(session, p, tiling) for p in _some(renderings, SEAM_PICTURES)]
    return Seam(
        images=len(compared),
        psnr_db=min(parity_db(middle, seam) for seam, middle in compared),
        max_abs=max_difference(compared),
    )


def _some(renderings: Renderings, count: int) -> list[Image]:
    """`count` of the evaluation pictures, spread over the set."""
    pairs = renderings.evaluation
    return [pairs[place].blurred for place in evenly_spread(len(pairs), count)]


def _four_tiles(picture: Image, tiling: Tiling) -> Image:
    """`picture`, mirrored on, at the size that two by two tiles cover."""
    return frame(picture, *(side + tiling.step(side) for side in (tiling.height, tiling.width)))


def _tiled(session: Session, picture: Image, tiling: Tiling) -> Image:
    return np.concatenate([rows[0] for _, rows in restored_rows([picture], session.infer_all, tiling)])


def _tiled_and_whole(session: Session, picture: Image, tiling: Tiling) -> tuple[Image, Image]:
    large = _four_tiles(picture, tiling)
    return _tiled(session, large, tiling), session.infer(large)


def _seam_and_middle(session: Session, picture: Image, tiling: Tiling) -> tuple[Image, Image]:
    large = _four_tiles(picture, tiling)
    tiled = _tiled(session, large, tiling)
    scale = tiled.shape[0] // large.shape[0]
    sides = (tiling.height, tiling.width)
    starts = [tiling.step(side) // 2 // tiling.multiple * tiling.multiple for side in sides]
    middle = session.infer(
        np.ascontiguousarray(large[tuple(slice(s, s + n) for s, n in zip(starts, sides, strict=True))])
    )
    edges = [max(tiling.halo_px, side // 4) for side in sides]
    inside = [slice(edge * scale, (side - edge) * scale) for edge, side in zip(edges, sides, strict=True)]
    around = [slice(s.start + start * scale, s.stop + start * scale) for s, start in zip(inside, starts, strict=True)]
    return tiled[around[0], around[1]], middle[inside[0], inside[1]]
