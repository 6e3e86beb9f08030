"""Photographs in and out: files of any common kind on one side, float32 RGB in 0..1 on the other."""

from __future__ import annotations

import io
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from exporter.errors import DataError
from exporter.failures import in_one_line, pass_on
from exporter.files.atomic import write_atomically

if TYPE_CHECKING:
    from PIL import Image

# Of the many formats Pillow knows, some start other programs (EPS) or hold anything at all.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
MOST_PIXELS = 120_000_000  # 1.4 GB as floats; a picture of one colour packs them into a few kB
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
T = TypeVar("T", np.uint8, np.float32)


def read_image(path: Path, *, expected_sha256: str = "") -> Floats:
    """The picture in `path` as (H, W, 3) RGB in 0..1, turned as its EXIF orientation says.

    Greyscale becomes three equal channels, transparency lies on white, 16-bit greyscale keeps its precision.
    Raises DataError, naming the file: missing, empty, truncated, not a picture, or (with `expected_sha256`)
    other bytes than the manifest recorded.
    """
    data = _bytes_of(path)
    found = sha256(data).hexdigest() if expected_sha256 else ""
    if found != expected_sha256:
        raise DataError(
            f"{path} has sha256 {found[:12]}…, its manifest says {expected_sha256[:12]}…",
            hint="the picture was changed after the set was made: restore it, or write a new manifest",
        )
    return _decode(data, path, _to_floats)


def read_pixels(path: Path) -> Pixels:
    """`read_image` as 8-bit pixels: a quarter of the memory, for photographs of many megapixels."""
    return _decode(_bytes_of(path), path, _to_pixels)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in px as the head of the file says, not turned. Raises DataError for what is no picture."""
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as opened:
            return opened.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        pass_on(error, path)
        raise _unreadable(path, error) from None


def to_uint8(image: Floats) -> NDArray[np.uint8]:
    """0..1 to 0..255, rounded to nearest, values outside clipped. NaN has no byte: ValueError."""
    if np.isnan(image).any():
        raise ValueError("an image with NaN has no 8-bit form")
    return (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def write_png(path: Path, image: Floats) -> None:
    """Write (H, W, 3) RGB 0..1 as an 8-bit PNG; the name appears only when the file is whole."""
    from PIL import Image

    with write_atomically(path) as new:
        Image.fromarray(to_uint8(image)).save(new, "PNG", optimize=True)


def frame(image: Floats, height: int, width: int) -> Floats:
    """`image` (H, W, 3) at exactly height×width, without resampling: that would change its blur.

    Too large: the centre is cut out. Too small: it is continued by mirroring at its right and bottom edges,
    so no edge appears that no camera would have seen, and a dark picture stays a dark picture.
    """
    for axis, wanted in ((0, height), (1, width)):
        extent = image.shape[axis]
        if extent >= wanted:
            places = np.arange(wanted) + (extent - wanted) // 2
        else:
            there_and_back = np.arange(wanted) % (2 * extent)
            places = np.minimum(there_and_back, 2 * extent - 1 - there_and_back)
        image = np.take(image, places, axis=axis)
    return np.ascontiguousarray(image)


def frame_pair(small: Floats, large: Floats, height: int, width: int) -> tuple[Floats, Floats]:
    """`small` framed at height×width, and `large`, so many times its size, framed so that pixels lie on pixels."""
    scale = large.shape[0] // small.shape[0]
    for axis, wanted in ((0, height), (1, width)):
        spare = small.shape[axis] - wanted
        if spare > 0:
            start = scale * (spare // 2)
            large = large.take(range(start, start + scale * wanted), axis=axis)
    return frame(small, height, width), frame(large, scale * height, scale * width)


def _bytes_of(path: Path) -> bytes:
    data = path.read_bytes()
    if not data:
        raise DataError(f"{path} is empty (0 bytes)", hint="copy the file again")
    return data


def _require_bounded(size: tuple[int, int], path: Path) -> None:
    """Raises DataError, before anything is unpacked, for a picture of more pixels than are read."""
    if size[0] * size[1] > MOST_PIXELS:
        raise DataError(
            f"{path} has {size[0]}×{size[1]} px, more than {MOST_PIXELS / 1e6:.0f} megapixels", hint="cut it into parts"
        )


def _decode(data: bytes, path: Path, convert: Callable[[Image.Image, Path], NDArray[T]]) -> NDArray[T]:
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _require_bounded(opened.size, path)
            return convert(ImageOps.exif_transpose(opened), path)
    # Pillow's decoders raise ValueError and SyntaxError, too, on broken files.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        pass_on(error, path)
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    from PIL import UnidentifiedImageError

    unknown = f"it is none of {', '.join(FORMATS)}"
    reason = unknown if isinstance(error, UnidentifiedImageError) else in_one_line(error)
    return DataError(f"{path} is not a readable image: {reason}", hint="copy or export it again")


def _to_floats(picture: Image.Image, path: Path) -> Floats:
    if picture.mode == "F":
        raise DataError(f"{path} holds floating-point pixels of unknown range", hint="save it as 8-bit PNG")
    if picture.mode.startswith("I"):  # 16-bit greyscale; convert("RGB") would clip it at 255
        grey = np.asarray(picture, dtype=np.float32) / 65535
        return np.repeat(grey[..., None], 3, axis=2)
    return _to_pixels(picture, path).astype(np.float32) / 255


def _to_pixels(picture: Image.Image, path: Path) -> Pixels:
    from PIL import Image

    if picture.mode == "F" or picture.mode.startswith("I"):
        return to_uint8(_to_floats(picture, path))
    if picture.has_transparency_data:
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture.convert("RGBA"))
    return np.asarray(picture.convert("RGB"))
