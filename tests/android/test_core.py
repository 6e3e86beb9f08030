"""android-demo/core against the exporter's own Python, on real photographs: the same bytes where both round alike."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from exporter.artifact import TensorSpec
from exporter.bundle.golden import real, stored
from exporter.data.images import read_pixels
from exporter.tiling.blur_detection import sharpness
from exporter.tiling.grid import Tiling
from exporter.tiling.processing import SHARP_ABOVE
from exporter.tiling.restore import restore
from exporter.tiling.sizes import best_size
from tests.conftest import REPO
from tests.runtimes.tiny_models import TinyFiles

PHOTOS = sorted((REPO / "calibration" / "photos_256").glob("*.jpg"))
PAIRS = REPO / "calibration" / "evaluation_256"


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return read_pixels(PHOTOS[3])


def enlarging(scale: int):
    """The model of Answers.java: its answer depends on value and place."""

    def infer_all(tiles):
        for tile in tiles:
            large = tile.repeat(scale, axis=0).repeat(scale, axis=1)
            places = (np.arange(large.size, dtype=np.float32) % 97 / np.float32(388)).reshape(large.shape)
            yield large * np.float32(0.75) + places

    return infer_all


@pytest.mark.parametrize(
    ("size", "tiling", "scale"),
    [
        ((256, 256), Tiling(96, 128, 24, 16, 16), 1),
        ((201, 187), Tiling(64, 64, 16, 8, 0), 1),
        ((31, 250), Tiling(96, 96, 8, 8, 8), 1),
        ((150, 130), Tiling(64, 64, 8, 4, 4), 2),
    ],
)
def test_tiles_put_together(photograph, size, tiling, scale, ask, tmp_path):
    picture = photograph[: size[0], : size[1]].copy()
    (expected,) = restore([picture], enlarging(scale), tiling)
    numbers = (*size, tiling.height, tiling.width, tiling.halo_px, tiling.multiple, tiling.blend_px, scale)
    assert ask(tmp_path, "tile", picture.tobytes(), *numbers) == expected.tobytes()
    picture[size[0] // 2, size[1] // 2, 1] ^= 0x40
    assert ask(tmp_path, "tile", picture.tobytes(), *numbers) != expected.tobytes(), "one changed pixel must be seen"


def test_the_size_that_a_picture_goes_through(ask, tmp_path):
    tilings = {"256x256": Tiling(256, 256, 48, 16, 48), "512x512": Tiling(512, 512, 48, 16, 48)}
    tilings |= {"720x1280": Tiling(720, 1280, 48, 16, 48), "64x64": Tiling(64, 64, 16, 16, 0)}
    pictures = [(60, 64), (65, 64), (256, 256), (257, 250), (720, 1280), (700, 1270), (721, 1280), (1280, 720)]
    pictures += [tuple(size) for size in np.random.default_rng(3).integers(1, 4000, (40, 2)).tolist()]
    numbers = [len(tilings)]
    for tiling in tilings.values():
        numbers += [tiling.height, tiling.width, tiling.halo_px, tiling.multiple, tiling.blend_px]
    for picture in pictures:
        numbers += picture
    chosen = ask(tmp_path, "sizes", b"", *numbers).decode().split()
    assert chosen == [best_size(tilings, *picture) for picture in pictures]
    assert len(set(chosen)) == 4


@pytest.mark.parametrize("tiling", [Tiling(256, 256, 48, 16, 48), Tiling(63, 63, 5, 3, 6)])
def test_shares_of_every_tile(tiling, ask, tmp_path):
    rows, _ = tiling.spans(1080, 1080)
    raw = ask(tmp_path, "shares", b"", 1080, tiling.height, tiling.halo_px, tiling.multiple, tiling.blend_px)
    found = np.frombuffer(raw, "<f4").reshape(len(rows), 1 + tiling.height)
    assert found[:, 0].tolist() == [row.start for row in rows]
    assert np.array_equal(found[:, 1:], [row.shares for row in rows])


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [("float32", None, None), ("int8", 1 / 255, -128), ("int8", 0.0041, -119), ("uint8", 0.0045, 3)],
)
def test_tensors_in_and_out(photograph, layout, dtype, scale, zero_point, ask, tmp_path):
    image = (photograph[:40, :56].astype(np.float32) / 255) * np.float32(1.3) - np.float32(0.1)  # beyond 0..1, too
    exact = None if scale is None else float(np.float32(scale))
    shape = (1, 40, 56, 3) if layout == "NHWC" else (1, 3, 40, 56)
    spec = TensorSpec(shape, layout, dtype, scale=exact, zero_point=zero_point)
    tensor = stored(image, spec)
    bits = 0 if exact is None else struct.unpack("<i", struct.pack("<f", exact))[0]
    numbers = (40, 56, int(layout == "NHWC"), bits, zero_point or 0, int(dtype == "uint8"))
    raw = ask(tmp_path, "pack", image.tobytes(), *numbers)
    assert raw[: tensor.nbytes] == tensor.tobytes()
    assert np.array_equal(np.frombuffer(raw[tensor.nbytes :], "<f4").reshape(image.shape), real(tensor, spec))


def yuv_planes(pixels: np.ndarray, padding: int, step: int) -> tuple[bytes, tuple[int, ...], np.ndarray]:
    """A frame as cameras give it: bytes; row stride of Y, of U and V, pixel stride, where U and V begin; YCbCr."""
    from PIL import Image

    height, width = pixels.shape[:2]
    ycc = np.asarray(Image.fromarray(pixels).convert("YCbCr")).copy()
    colour = ycc[::2, ::2, 1:]
    ycc[..., 1:] = colour.repeat(2, axis=0).repeat(2, axis=1)[:height, :width]
    luma = np.full((height, width + padding), 255, np.uint8)
    luma[:, :width] = ycc[..., 0]
    rows, columns = colour.shape[:2]
    if step == 2:  # V and U take turns, as in NV21; both views end one byte apart
        chroma = np.full((rows, columns * 2 + padding), 255, np.uint8)
        chroma[:, 0 : columns * 2 : 2], chroma[:, 1 : columns * 2 : 2] = colour[..., 1], colour[..., 0]
        starts, chromas = (luma.size + 1, luma.size), chroma.tobytes()
    else:
        planes = np.full((2, rows, columns + padding), 255, np.uint8)
        planes[:, :, :columns] = colour.transpose(2, 0, 1)
        chroma, starts, chromas = planes[0], (luma.size, luma.size + planes[0].size), planes.tobytes()
    return luma.tobytes() + chromas, (luma.shape[1], chroma.shape[1], step, *starts), ycc


@pytest.mark.parametrize(
    ("degrees", "padding", "step", "size"),
    [(0, 0, 1, (64, 96)), (90, 32, 2, (64, 96)), (180, 5, 2, (63, 95)), (270, 7, 1, (64, 97))],
)
def test_camera_frames(photograph, degrees, padding, step, size, ask, tmp_path):
    raw, layout, ycc = yuv_planes(np.ascontiguousarray(photograph[: size[0], : size[1]]), padding, step)
    y, cb, cr = (ycc[..., i].astype(np.float64) for i in range(3))
    cb, cr = cb - 128, cr - 128
    rgb = np.stack([y + 1.402 * cr, y - 0.344136286 * cb - 0.714136286 * cr, y + 1.772 * cb], axis=-1)
    upright = np.rot90(np.clip(rgb, 0, 255), k=-degrees // 90)
    found = np.frombuffer(ask(tmp_path, "yuv", raw, *size, degrees, *layout), np.uint8).reshape(upright.shape)
    assert np.abs(found - upright).max() < 0.51, "rounded to nearest, and every pixel in its place"


def test_percentiles_are_numpys(ask, tmp_path):
    for count in (1, 2, 3, 50, 1001):
        samples = np.random.default_rng(count).gamma(2.0, 3.7, count)
        percents = (0, 1, 5, 33.3, 50, 90, 95, 99, 99.9, 100)
        found = np.frombuffer(ask(tmp_path, "percentiles", samples.tobytes(), *percents), "<f8")
        assert np.array_equal(found, np.percentile(samples, percents))


def test_blur_is_told_from_sharpness_alike(ask, tmp_path):
    for kind in ("blurred", "sharp"):
        for path in sorted((PAIRS / kind).iterdir())[:4]:
            pixels = read_pixels(path)
            expected = sharpness(pixels.astype(np.float32) / 255)
            found = float(ask(tmp_path, "sharpness", pixels.tobytes(), *pixels.shape[:2]))
            assert abs(found - expected) < 1e-5
            assert (found <= SHARP_ABOVE) == (expected <= SHARP_ABOVE)
    flat = np.full((9, 12, 3), 77, np.uint8)
    assert float(ask(tmp_path, "sharpness", flat.tobytes(), 9, 12)) == 1


def test_the_file_itself_says_its_tensors(ask, tmp_path, tmp_path_factory):
    from ai_edge_litert.interpreter import Interpreter

    models = TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models")
    for kind in ("fp32", "int8", "uint8"):
        path = models.tflite(kind).path
        interpreter = Interpreter(str(path))
        ends = (*interpreter.get_input_details(), *interpreter.get_output_details())
        for line, end in zip(ask(tmp_path, "tflite", path).decode().splitlines(), ends, strict=True):
            scale, zero_point = end["quantization"]
            says = f"{end['name']} {np.dtype(end['dtype'])} {end['shape'][1]}x{end['shape'][2]} NHWC"
            assert line.startswith(says)
            if scale:
                assert f"zero point {zero_point}" in line
                assert np.float32(line.split("scale ")[1].split(",")[0]) == np.float32(scale)
