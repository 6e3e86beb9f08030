import tracemalloc
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import yaml

from exporter.data.calibration import coverage, laplacian_variance, open_calibration
from exporter.data.images import frame, read_image, write_png
from exporter.errors import DataError
from tests.conftest import picture


def write_photos(folder: Path, count: int, height: int = 32, width: int = 40) -> Path:
    folder.mkdir(exist_ok=True)
    for seed in range(count):
        write_png(folder / f"{seed:03d}.png", picture(seed, height, width))
    return folder


def write_manifest(folder: Path, **changes: object) -> dict:
    entries = [
        {
            "file": path.name,
            "sha256": sha256(path.read_bytes()).hexdigest(),
            "source": "drawn",
            "licence": "CC0-1.0",
            "how": "as is",
        }
        for path in sorted(folder.glob("*.png"))
    ]
    manifest = {"name": "drawn", "description": "shapes", "seed": 0, "images": entries} | changes
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    return manifest


def test_a_folder_without_manifest_is_a_set(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "mine", 8)
    (folder / "notes.txt").write_text("not a picture")
    images = open_calibration(folder, 32, 40)
    assert len(images) == len(list(images)) == 8
    assert all(entry.licence == "unknown" for entry in images.manifest.images)
    assert images.manifest.images[0].sha256 == sha256((folder / "000.png").read_bytes()).hexdigest()


def test_pictures_come_in_order_at_the_size_asked_for_every_time(tmp_path: Path) -> None:
    images = open_calibration(write_photos(tmp_path / "mine", 8), 45, 21)
    first, second = list(images), list(images)
    for seed, (a, b) in enumerate(zip(first, second, strict=True)):
        assert a.dtype == np.float32
        assert np.array_equal(a, b)
        assert np.array_equal(a, frame(read_image(tmp_path / "mine" / f"{seed:03d}.png"), 45, 21))


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_pictures_are_refused(tmp_path: Path, count: int) -> None:
    folder = write_photos(tmp_path / "few", count)
    with pytest.raises(DataError, match=rf"few holds {count} calibration images, at least 8"):
        open_calibration(folder, 32, 32)


def test_a_changed_picture_is_named(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "set", 8)
    write_manifest(folder)
    images = open_calibration(folder, 32, 32)
    assert len(list(images)) == 8
    write_png(folder / "005.png", picture(99, 32, 40))
    with pytest.raises(DataError, match=r"005\.png has sha256"):
        list(images)


def test_a_missing_picture_is_named_on_opening(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "set", 9)
    write_manifest(folder)
    (folder / "003.png").unlink()
    with pytest.raises(DataError, match=r"003\.png named in .*manifest\.yaml, but not there"):
        open_calibration(folder, 32, 32)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"images": [{"file": "a.png"}]}, r"images\.0\.sha256: Field required"),
        ({"imgaes": []}, r"imgaes: Extra inputs are not permitted"),
        (
            {"images": [{"file": "../a.png", "sha256": "0" * 64, "source": "", "licence": "", "how": ""}]},
            r"images\.0\.file: .*leads out of its folder",
        ),
        (
            {"images": [{"file": "a.png", "sha256": "xyz", "source": "", "licence": "", "how": ""}]},
            r"images\.0\.sha256: String should match",
        ),
    ],
)
def test_a_wrong_manifest_is_refused_with_the_place(tmp_path: Path, change: dict, complaint: str) -> None:
    folder = write_photos(tmp_path / "set", 8)
    write_manifest(folder, **change)
    with pytest.raises(DataError, match=complaint):
        open_calibration(folder, 32, 32)


@pytest.mark.parametrize("text", ["a: [", "just words", ""])
def test_a_manifest_that_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    folder = write_photos(tmp_path / "set", 8)
    (folder / "manifest.yaml").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.yaml"):
        open_calibration(folder, 32, 32)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent is not a folder"):
        open_calibration(tmp_path / "absent", 32, 32)


def test_the_digest_follows_pictures_order_and_size_not_the_place(tmp_path: Path) -> None:
    one = open_calibration(write_photos(tmp_path / "one", 8), 32, 32)
    assert open_calibration(write_photos(tmp_path / "two", 8), 32, 32).sha256 == one.sha256
    assert open_calibration(tmp_path / "one", 32, 40).sha256 != one.sha256
    (tmp_path / "two" / "000.png").rename(tmp_path / "two" / "900.png")
    assert open_calibration(tmp_path / "two", 32, 32).sha256 != one.sha256


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path) -> None:
    peaks = []
    for count in (8, 32):
        images = open_calibration(write_photos(tmp_path / str(count), count, 200, 200), 400, 400)
        for _ in images:  # imports, caches
            break
        tracemalloc.start()
        for image in images:
            assert image.shape == (400, 400, 3)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 6 * 400 * 400 * 3 * 4


def test_coverage_tells_dark_from_bright_and_soft_from_sharp(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    checks = np.indices((32, 32)).sum(axis=0)[..., None].repeat(3, axis=2) % 2
    flats = [0.0, 0.1, 0.5, 0.5, 0.8, 0.9]
    for i, level in enumerate(flats):
        write_png(folder / f"{i}.png", np.full((32, 32, 3), level, dtype=np.float32))
    for i in (6, 7):
        write_png(folder / f"{i}.png", checks.astype(np.float32))
    covered = coverage(open_calibration(folder, 32, 32))
    assert covered.images == 8
    assert covered.brightness[0] == 0.0
    assert covered.brightness[2] == pytest.approx(0.2158, abs=1e-3)  # 128/255 in linear light
    assert covered.brightness[6] == pytest.approx(0.5, abs=1e-3)
    assert covered.sharpness[:6] == pytest.approx([0.0] * 6, abs=1e-6)
    assert covered.sharpness[6] > 1e5
    assert (covered.channel_min, covered.channel_max) == (0.0, 1.0)


def test_sharpness_is_opencvs_variance_of_the_laplacian() -> None:
    import cv2

    image = picture(8, 40, 50)
    luma = (image @ np.array([0.299, 0.587, 0.114], dtype=np.float32) * 255).astype(np.float64)
    expected = cv2.Laplacian(luma, cv2.CV_64F)[1:-1, 1:-1].var()
    assert laplacian_variance(image) == pytest.approx(expected, rel=1e-4)


def test_a_link_out_of_the_set_is_refused(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "set", 9)
    write_manifest(folder)
    (folder / "003.png").rename(tmp_path / "elsewhere.png")
    (folder / "003.png").symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(DataError, match=r"manifest\.yaml names 003\.png, which is a link out of its folder"):
        open_calibration(folder, 32, 32)
