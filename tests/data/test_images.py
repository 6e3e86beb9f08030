from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.data.images import frame, image_size, read_image, to_uint8, write_png
from exporter.errors import DataError
from tests.conftest import picture


def test_a_written_png_reads_back_to_the_rounded_bytes(tmp_path: Path) -> None:
    image = picture(1, 37, 53)
    write_png(tmp_path / "a.png", image)
    again = read_image(tmp_path / "a.png")
    assert again.shape == (37, 53, 3)
    assert again.dtype == np.float32
    assert np.array_equal(to_uint8(again), to_uint8(image))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_bytes_are_rounded_not_truncated_and_clipped() -> None:
    values = np.array([[[0.4 / 255, 0.6 / 255, 254.6 / 255], [-1.0, 2.0, 0.5]]], dtype=np.float32)
    assert to_uint8(values).tolist() == [[[0, 1, 255], [0, 255, 128]]]


def test_every_byte_survives() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(to_uint8(every.astype(np.float32) / 255), every)


def test_nan_has_no_bytes() -> None:
    with pytest.raises(ValueError, match="NaN"):
        to_uint8(np.full((2, 2, 3), np.nan, dtype=np.float32))


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    stored = Image.new("RGB", (20, 10))
    stored.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn clockwise
    stored.save(tmp_path / "a.png", exif=exif)
    upright = read_image(tmp_path / "a.png")
    assert upright.shape == (20, 10, 3)
    assert upright[0, 9].tolist() == [1.0, 1.0, 1.0]


def test_greyscale_becomes_three_equal_channels(tmp_path: Path) -> None:
    Image.new("L", (8, 8), 51).save(tmp_path / "a.png")
    assert np.allclose(read_image(tmp_path / "a.png"), 0.2)


def test_sixteen_bit_greyscale_keeps_its_precision(tmp_path: Path) -> None:
    levels = np.array([[0, 300, 30000, 65535]], dtype=np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    assert np.allclose(read_image(tmp_path / "a.png")[..., 1], levels / 65535, atol=1e-6)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white(tmp_path: Path, mode: str) -> None:
    if mode == "P":
        Image.new("P", (4, 4), 0).save(tmp_path / "a.png", transparency=0)
    else:
        Image.new(mode, (4, 4), 0).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), np.ones((4, 4, 3), dtype=np.float32))


def test_cmyk_is_read_as_rgb(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (200, 30, 30)).convert("CMYK").save(tmp_path / "a.jpg", quality=98)
    red, green, _ = read_image(tmp_path / "a.jpg").mean(axis=(0, 1))
    assert red > 0.6
    assert green < 0.3


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    Image.new("F", (4, 4), 3.0).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif holds floating-point pixels"):
        read_image(tmp_path / "a.tif")


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    write_png(tmp_path / "whole.png", picture(2))
    whole = (tmp_path / "whole.png").read_bytes()
    Image.fromarray(to_uint8(picture(2))).save(tmp_path / "whole.jpg")
    jpeg = (tmp_path / "whole.jpg").read_bytes()
    broken = {
        "empty.png": b"",
        "text.png": b"this is no picture",
        "cut.png": whole[: len(whole) // 2],
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "header.png": whole[:20],
        "flipped.png": whole[:60] + bytes(byte ^ 255 for byte in whole[60:90]) + whole[90:],
    }
    for name, data in broken.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"absent\.png"):
        read_image(tmp_path / "absent.png")


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "a.png", picture(3))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(DataError, match=r"a\.png is not a readable image"):
        read_image(tmp_path / "a.png")


def test_frame_cuts_the_centre() -> None:
    image = picture(4, 9, 12)
    assert np.array_equal(frame(image, 5, 6), image[2:7, 3:9])


def test_frame_mirrors_on_without_a_seam() -> None:
    image = picture(5, 32, 32)[10:14, 8:11]
    framed = frame(image, 11, 7)
    assert framed.shape == (11, 7, 3)
    assert np.array_equal(framed[:4, :3], image)
    assert np.array_equal(framed[4:8, :3], image[::-1])
    assert np.array_equal(framed[8:, :3], image[:3])
    assert np.array_equal(framed[:4, 3:6], image[:, ::-1])
    assert np.array_equal(framed[:4, 6], image[:, 0])


@pytest.mark.parametrize(("height", "width"), [(256, 256), (720, 1280), (100, 1000), (301, 97), (1, 1)])
def test_frame_gives_the_exact_size(height: int, width: int) -> None:
    assert frame(picture(6, 256, 256), height, width).shape == (height, width, 3)


@pytest.mark.parametrize("side", [11_000, 30_000])
def test_a_picture_that_unpacks_to_gigabytes_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(DataError, match="megapixels|decompression bomb"):
        read_image(tmp_path / "bomb.png")


def test_a_format_that_starts_another_program_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n")
    with pytest.raises(DataError, match="not a readable image"):
        read_image(tmp_path / "a.png")


def test_what_is_no_picture_is_said_without_an_object_of_python(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("<html>not found</html>")
    with pytest.raises(DataError, match=r"a\.png is not a readable image: it is none of PNG, JPEG, WEBP, BMP, TIFF"):
        read_image(tmp_path / "a.png")
    with pytest.raises(DataError, match="it is none of PNG"):
        image_size(tmp_path / "a.png")
