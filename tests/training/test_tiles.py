"""Tiles on the device: the same pairs for the same step, and the blur that exporter.data.blur makes."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from exporter.data import blur
from exporter.data.blur import BlurOptions
from exporter.data.metrics import psnr_db
from exporter.data.training import TrainingSet, mix, open_training
from exporter.progress import Silent
from exporter.training.exposure import Draw, draw, draw_bank, expose, reach_px, to_srgb
from exporter.training.jpeg import jpeg
from exporter.training.tiles import SharpTiles, cut_tiles, least_tile_px
from tests.conftest import picture

CPU = torch.device("cpu")
QUIET = BlurOptions(
    min_length_px=4, max_length_px=6, highlight_probability=0, max_noise_gain=0, max_read_noise=0, jpeg_probability=0
)


def tiles_of(source: TrainingSet, options: BlurOptions = QUIET, count: int = 6, size: int = 64) -> SharpTiles:
    return cut_tiles(source, options, count, size, 12, 1, CPU, Silent())


def test_the_step_alone_decides_and_processes_share_its_pairs(photo_folder: Path) -> None:
    tiles = tiles_of(open_training(photo_folder), BlurOptions(max_length_px=6, exposure_stops=1))
    whole = tiles.batch(1, 2, 4, 32)
    for side, same, other, second in zip(
        whole,
        tiles.batch(1, 2, 4, 32),
        tiles.batch(1, 3, 4, 32),
        tiles.batch(1, 2, 4, 32, slice(1, None, 2)),
        strict=True,
    ):
        assert torch.equal(side, same)
        assert torch.equal(side[1::2], second)
        assert not torch.equal(side, other)
        assert side.shape == (4, 3, 32, 32)
        assert side.min() >= 0 and side.max() <= 1
        assert torch.equal(side, (side * 255).round() / 255)  # a picture is bytes


def test_sharp_crops_are_cut_from_the_tiles(photo_folder: Path) -> None:
    tiles = tiles_of(open_training(photo_folder), count=1)
    tile = tiles.sharp[0].numpy()
    for step in range(6):
        crop = bytes_of(tiles.batch(0, step, 1, 32)[1][0])
        assert any(found(tile, one) for one in turned(crop))


def found(tile: np.ndarray, crop: np.ndarray) -> bool:
    side = len(crop)
    corners = np.argwhere((tile == crop[0, 0]).all(2))
    return any(np.array_equal(tile[y : y + side, x : x + side], crop) for y, x in corners)


def test_real_pairs_stay_pairs(photo_folder: Path, pair_folder: Path) -> None:
    pairs = open_training(pair_folder)
    side = min(Image.open(pairs.pairs[0][0]).size)
    options = replace(QUIET, max_length_px=0, min_length_px=0, max_defocus_px=0.5)
    tiles = tiles_of(mix([open_training(photo_folder), pairs]), options, count=12, size=side)
    assert 0 < len(tiles.blurred) < len(tiles.sharp)
    alone = SharpTiles(tiles.sharp[-len(tiles.blurred) :], tiles.blurred, options, tiles.bank, tiles.linear)
    for step in range(4):
        crops = [bytes_of(side[0]) for side in alone.batch(0, step, 1, side - least_tile_px(0, options))]
        places = zip(alone.blurred.numpy(), alone.sharp.numpy(), strict=True)
        assert any(
            found(np.dstack(place), np.dstack(one)) for place in places for one in zip(*map(turned, crops), strict=True)
        )


def bytes_of(side: torch.Tensor) -> np.ndarray:
    """(3, H, W) 0..1 to (H, W, 3) bytes."""
    return (side.numpy().transpose(1, 2, 0) * 255).round().astype(np.uint8)


def turned(crop: np.ndarray) -> list[np.ndarray]:
    return [np.rot90(side, turns) for side in (crop, crop[:, ::-1]) for turns in range(4)]


@pytest.mark.parametrize("kind", ["camera", "object", "defocus"])
def test_blur_is_that_of_the_host(kind: str) -> None:
    """One kernel over the whole picture: the Fourier transform gives what exporter.data.blur's convolution gives."""
    options = replace(QUIET, max_kernels=1, object_probability=float(kind == "object"), exposure_stops=0)
    bank = draw_bank(options, 3, 0, CPU)
    what = draw(np.random.default_rng(4), options, bank, 1)
    assert what.moves[0] == (kind == "object")
    if kind == "defocus":
        what = replace(what, disc=np.array([15]), kernels=np.array([0]))
    light = blur.to_linear(picture(3, 72, 72))
    margin = bank.radius_px
    inner = slice(margin, -margin)
    given = torch.from_numpy(light.transpose(2, 0, 1).copy())[None]
    taken = expose(given, what, bank, torch.zeros(1, 3, 72 - 2 * margin, 72 - 2 * margin))
    kernel = bank.discs[15] if kind == "defocus" else bank.shakes[what.shake[0], 0]
    wanted = blur.to_srgb(blur._convolve(light, kernel.numpy()[::-1, ::-1].copy()))[inner, inner]
    moved = np.abs(taken[0].numpy().transpose(1, 2, 0) - wanted).max(2)
    sharp = np.abs(taken[0].numpy().transpose(1, 2, 0) - blur.to_srgb(light)[inner, inner]).max(2)
    if kind == "object":
        assert (sharp < 1e-3).mean() > 0.1 and (moved < 1e-3).mean() > 0.1  # the background stands, the thing moves
    else:
        assert moved.max() < 1e-3


def test_what_stands_still_stays_as_it_is() -> None:
    options = replace(QUIET, still_probability=1)
    bank = draw_bank(options, 2, 0, CPU)
    light = torch.rand(3, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    side = 48 - 2 * bank.radius_px
    taken = expose(light, draw(np.random.default_rng(0), options, bank, 3), bank, torch.zeros(3, 3, side, side))
    inner = slice(bank.radius_px, -bank.radius_px)
    assert torch.allclose(taken, to_srgb(light[..., inner, inner]), atol=1e-4)


def test_kernels_keep_the_light() -> None:
    bank = draw_bank(BlurOptions(), 20, 0, CPU)
    sums = bank.shakes.sum((-1, -2))
    used = torch.arange(sums.shape[1]) < torch.from_numpy(bank.counts)[:, None]
    assert torch.allclose(sums, used.float(), atol=1e-4)
    assert torch.allclose(bank.discs.sum((-1, -2)), torch.ones(len(bank.discs)), atol=1e-4)
    assert bank.shakes.shape[-1] == 2 * reach_px(BlurOptions()) + 1


def test_draws_are_shared_by_rows() -> None:
    options = BlurOptions()
    bank = draw_bank(options, 4, 0, CPU)
    whole = draw(np.random.default_rng(1), options, bank, 6)
    some = whole.take(slice(0, None, 3))
    for name in Draw.__dataclass_fields__:
        assert np.array_equal(getattr(some, name), getattr(whole, name)[::3])


@pytest.mark.parametrize("quality", [30, 80, 95])
def test_jpeg_loses_what_libjpeg_loses(quality: int) -> None:
    sharp = picture(6, 96, 64)
    file = io.BytesIO()
    Image.fromarray((sharp * 255).round().astype(np.uint8)).save(file, "JPEG", quality=quality)
    wanted = np.asarray(Image.open(file), np.float32) / 255
    given = torch.from_numpy(sharp.transpose(2, 0, 1).copy())[None]
    ours = jpeg(given, torch.tensor([float(quality)]))[0].numpy().transpose(1, 2, 0)
    assert psnr_db(ours, wanted) > psnr_db(wanted, sharp) + 8
    assert psnr_db(ours, sharp) == pytest.approx(psnr_db(wanted, sharp), abs=0.3)


def test_tiles_too_small_for_a_crop_are_refused(photo_folder: Path) -> None:
    with pytest.raises(ValueError, match="tiles of 48 px, crops of 60 px"):
        tiles_of(open_training(photo_folder), size=48).batch(0, 0, 1, 32)
