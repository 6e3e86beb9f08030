"""Tiles put together are the whole picture: to the bit where the halo suffices, at odd sizes and at every border."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from itertools import islice

import numpy as np
import pytest

from exporter.data.evaluation import open_evaluation
from exporter.data.metrics import psnr_db
from exporter.errors import EngineError
from exporter.runtimes import runtime
from exporter.tiling.grid import Tiling
from exporter.tiling.halo import choose_tiling
from exporter.tiling.receptive_field import ReceptiveField, receptive_field
from exporter.tiling.restore import restore, restored_rows
from exporter.tiling.tiles import mirrored
from tests.conftest import REPO, picture
from tests.runtimes.tiny_models import HEIGHT, WIDTH, TinyFiles

SIZES = [(257, 311), (100, 700), (64, 40), (320, 320)]


def together(image: np.ndarray, infer_all, tiling: Tiling) -> np.ndarray:
    return np.concatenate([rows[0] for _, rows in restored_rows([image], infer_all, tiling)])


def filled_up(image: np.ndarray, multiple: int, least: int = 0) -> np.ndarray:
    """The picture as the whole network takes it: mirrored on to multiples of its stride, and to `least` px."""
    height, width = (max(least, -(-side // multiple) * multiple) for side in image.shape[:2])
    return np.ascontiguousarray(image[mirrored(0, height, image.shape[0])][:, mirrored(0, width, image.shape[1])])


@pytest.mark.parametrize("size", SIZES)
def test_a_float_network_at_any_size(exported, size):
    stored, onnx = exported("tests.tiling.networks:Local", {})
    field = receptive_field(onnx.path)
    side = 2 * field.halo_px + 2 * field.alignment_px
    tiling = Tiling(side, side, field.halo_px, field.alignment_px)
    image = picture(3, *size)
    with runtime("torch_cpu").open(stored, 1) as session:
        whole = session.infer(filled_up(image, field.alignment_px, side))[: size[0], : size[1]]
        tiled = together(image, session.infer_all, tiling)
        short = Tiling(side, side, field.alignment_px, field.alignment_px)
        seams = together(image, session.infer_all, short)
    assert tiled.shape == image.shape
    assert np.abs(tiled - whole).max() <= 1e-5
    assert max(size) <= side or np.abs(seams - whole).max() > 1e-4, "with less halo the same comparison fails"


@pytest.mark.parametrize("size", [(101, 131), (33, 170), (HEIGHT, WIDTH)])
def test_an_int8_file_to_the_bit(tiny: TinyFiles, size):
    from ai_edge_litert.interpreter import Interpreter

    artifact, image = tiny.tflite("int8"), picture(5, *size)
    assert receptive_field(tiny.onnx().path) == ReceptiveField(2, 1)
    with runtime("litert_cpu").open(artifact, 1) as session:
        tiled = together(image, session.infer_all, Tiling(HEIGHT, WIDTH, 2))
    interpreter = Interpreter(str(artifact.path))
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(source["index"], [1, *size, 3])
    interpreter.allocate_tensors()
    (scale, zero), (out_scale, out_zero) = source["quantization"], target["quantization"]
    fed = np.clip(np.rint(image / np.float32(scale)) + zero, -128, 127).astype(np.int8)
    interpreter.set_tensor(source["index"], fed[None])
    interpreter.invoke()
    whole = (interpreter.get_tensor(target["index"])[0].astype(np.float32) - out_zero) * np.float32(out_scale)
    assert np.array_equal(tiled, whole)


def test_the_shipped_student_at_odd_sizes(shipped):
    """Its field is larger than its tile: the halo is cut short, and what that costs is measured and small."""
    stored, onnx = shipped
    pairs = open_evaluation(REPO / "calibration" / "evaluation_256", 505, 431)
    images = [pair.blurred for pair in islice(pairs, 6)]
    with runtime("torch_cpu").open(stored, 1) as session:
        tiling = choose_tiling(session.infer, [images[1][:256, :256]], 256, 256, 16, receptive_field(onnx.path))
        wholes = np.stack([session.infer(filled_up(image, 16))[:505, :431] for image in images])
    assert 16 <= tiling.halo_px <= 64 < 288
    assert tiling.blend_px > 0

    def seam_db(tiled: np.ndarray, halo_px: int) -> float:
        """The four rows on each side of where the first tile ends and the next begins, of all photographs."""
        rows = slice(256 - halo_px - 4, 256 - halo_px + 4)
        return psnr_db(tiled[:, rows], wholes[:, rows])

    with runtime("onnxruntime_cpu").open(onnx, 1) as session:
        tiled = np.stack([together(image, session.infer_all, tiling) for image in images])
        bare = np.stack([together(image, session.infer_all, Tiling(256, 256, 0, 16)) for image in images])
    assert min(psnr_db(*both) for both in zip(tiled, wholes, strict=True)) > 45
    # Measured: 51.0 dB with the halo of 16 px, 43.4 dB without one (+3.6 to +16.6 dB a photograph); with the weights
    # before these 51.4 and 42.3 dB. Over the whole picture, most of which lies far from a seam, it is +0.3 to +2.6 dB.
    assert seam_db(tiled, tiling.halo_px) > seam_db(bare, 0) + 5, "a halo must be worth something where tiles meet"


@pytest.mark.parametrize("size", [*SIZES, (1, 1), (31, 33)])
@pytest.mark.parametrize("blend_px", [0, 8])
def test_a_network_that_changes_nothing_gives_the_same_bytes(size, blend_px):
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    (same,) = restore([pixels], list, Tiling(48, 64, 8, 8, blend_px))
    assert np.array_equal(same, pixels)


def test_an_enlarging_network():
    def twice(tiles: Iterable[np.ndarray]) -> list[np.ndarray]:
        return [tile.repeat(2, axis=0).repeat(2, axis=1) for tile in tiles]

    pixels = np.random.default_rng(2).integers(0, 256, (101, 77, 3), dtype=np.uint8)
    (large,) = restore([pixels], twice, Tiling(32, 32, 4, 4, 4))
    assert np.array_equal(large, pixels.repeat(2, axis=0).repeat(2, axis=1))


def test_several_pictures_share_a_job_and_unwanted_tiles_stay():
    jobs = []

    def inverted(tiles: list[np.ndarray]) -> list[np.ndarray]:
        jobs.append(len(tiles))
        return [1 - tile for tile in tiles]

    dark, light = np.full((32, 80, 3), 10, np.uint8), np.full((32, 80, 3), 200, np.uint8)
    results = restore([dark, light], inverted, Tiling(32, 32, 4, 4), lambda tile: tile.mean() > 0.5)
    assert np.array_equal(results[0], dark)
    assert np.array_equal(results[1], 255 - light)
    assert jobs == [3], "the three tiles of the light picture, in one job"


def test_a_model_that_gives_nan_is_no_picture():
    with pytest.raises(EngineError, match="NaN"):
        restore([np.zeros((16, 16, 3), np.uint8)], lambda tiles: [tile * np.nan for tile in tiles], Tiling(16, 16, 0))


def test_twelve_megapixels_need_little_more_than_the_picture_itself():
    pixels = np.zeros((3000, 4000, 3), np.uint8)
    tracemalloc.start()
    restore([pixels], list, Tiling(256, 256, 16, 16, 16))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < pixels.nbytes + 90e6
