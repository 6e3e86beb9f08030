"""Which of several sizes a picture goes through."""

import pytest

from exporter.errors import RecipeError
from exporter.tiling.grid import Tiling
from exporter.tiling.sizes import best_size

TILINGS = {
    "256x256": Tiling(256, 256, 48, 16, 48),
    "512x512": Tiling(512, 512, 48, 16, 48),
    "720x1280": Tiling(720, 1280, 48, 16, 48),
}


@pytest.mark.parametrize(
    ("picture", "size"),
    [
        ((1, 1), "256x256"),
        ((256, 256), "256x256"),
        ((257, 256), "512x512"),  # whole, although two small tiles compute less
        ((500, 512), "512x512"),
        ((300, 600), "720x1280"),
        ((720, 1280), "720x1280"),
        ((1280, 720), "512x512"),  # 3 × 2 tiles compute less than 2 × 1 of 720x1280
        ((256, 4000), "256x256"),  # a strip: what a higher tile computes below it is wasted
        ((2160, 3840), "512x512"),
        ((1344, 2464), "720x1280"),  # exactly 2 × 2
    ],
)
def test_the_smallest_that_holds_it_whole_else_the_one_that_wastes_least(picture, size):
    assert best_size(TILINGS, *picture) == size


def test_the_tiles_that_are_counted_are_those_that_are_cut():
    tiling = TILINGS["256x256"]
    for extent in (1, 16, 255, 256, 257, 415, 416, 417, 1000):
        rows, columns = tiling.spans(extent, 2 * extent)
        assert tiling.count(extent, 256) == len(rows)
        assert tiling.count(2 * extent, 256) == len(columns)


def test_of_equals_the_one_with_fewer_seams():
    tilings = {"64x64": Tiling(64, 64, 0, 1), "64x128": Tiling(64, 128, 0, 1)}
    assert best_size(tilings, 64, 256) == "64x128"


def test_what_are_no_tiles_is_said():
    with pytest.raises(RecipeError, match="leaves nothing of a tile"):
        best_size({"64x64": Tiling(64, 64, 32, 16)}, 64, 64)
