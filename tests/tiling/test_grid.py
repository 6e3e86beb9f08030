"""The contract of the tiles: nothing missing, nothing twice, seams deep enough, starts in step with the network."""

from __future__ import annotations

import numpy as np
import pytest

from exporter.errors import RecipeError
from exporter.tiling.grid import Tiling
from exporter.tiling.tiles import mirrored


@pytest.mark.parametrize("extent", [1, 40, 64, 65, 100, 257, 311, 700])
@pytest.mark.parametrize(
    "tiling", [Tiling(64, 64, 16, 8), Tiling(64, 64, 16, 8, 16), Tiling(64, 64, 0), Tiling(63, 63, 5, 3, 6)]
)
def test_every_pixel_has_shares_that_add_up_to_one(extent, tiling):
    rows, _ = tiling.spans(extent, extent)
    total = np.zeros(rows[-1].start + tiling.height, np.float32)
    for span in rows:
        total[span.start : span.start + tiling.height] += span.shares
        assert span.start % tiling.multiple == 0
    assert np.abs(total - 1).max() < 1e-6
    assert len(total) >= extent
    assert len(rows) == 1 or len(total) - extent < tiling.multiple


def test_nothing_nearer_to_an_inner_edge_than_the_halo_counts():
    tiling = Tiling(64, 64, 16, 8)
    rows, _ = tiling.spans(300, 300)
    for index, span in enumerate(rows):
        kept = np.flatnonzero(span.shares)
        assert index == 0 or kept[0] >= 16
        assert index == len(rows) - 1 or kept[-1] < 64 - 16
    assert np.flatnonzero(rows[0].shares)[0] == 0, "at the picture's edge everything is kept"


def test_beyond_the_picture_lies_its_mirror_image():
    assert mirrored(0, 8, 3).tolist() == [0, 1, 2, 2, 1, 0, 0, 1]
    assert mirrored(4, 3, 100).tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    ("tiling", "says"),
    [
        (Tiling(64, 64, 32, 8), "at most 28 px"),
        (Tiling(64, 64, 24, 8, 40), "at most 8 px"),
    ],
)
def test_what_does_not_fit_is_said(tiling, says):
    with pytest.raises(RecipeError, match=says):
        tiling.spans(200, 64)
