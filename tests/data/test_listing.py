"""Lists of pictures: what they notice, what they need not read again."""

import os
from pathlib import Path

import pytest

from exporter.data import listing
from exporter.data.images import write_png
from exporter.data.listing import Listing, list_pictures
from exporter.errors import DataError
from exporter.progress import Silent
from tests.conftest import picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for seed in range(9):
        write_png(tmp_path / "photos" / f"{seed % 3}" / f"{seed}.png", picture(seed, 16, 16))
    return tmp_path / "photos"


def listed(photos: Path) -> Listing:
    return list_pictures(photos, "", photos.parent / "lists", Silent())


def test_every_picture_is_in_one_bucket(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_IN_BUCKET", 2)
    found = listed(photos)
    buckets = list(found.buckets())
    assert len(found) == 9 and sorted(found.files) == sorted(photos.rglob("*.png"))
    assert len(buckets) > 3
    assert [found.bucket(bucket.number) for bucket in buckets] == buckets


def test_a_picture_is_read_once_and_again_when_it_changes(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def sha256_of(file: Path) -> str:
        read.append(file.name)
        return real(file)

    real = listing.sha256_of
    monkeypatch.setattr(listing, "sha256_of", sha256_of)
    first = listed(photos)
    assert len(read) == 9
    assert listed(photos) == first and len(read) == 9
    write_png(photos / "1" / "4.png", picture(44, 16, 16))
    assert listed(photos).sha256 != first.sha256 and read[9:] == ["4.png"]
    write_png(photos / "1" / "4.png", picture(4, 16, 16))
    (photos / "1" / "4.png").rename(photos / "4.png")
    assert listed(photos).sha256 == first.sha256 and read[10:] == ["4.png"]


def test_a_picture_that_is_there_twice_counts_once(photos: Path) -> None:
    before = listed(photos)
    (photos / "copy.png").write_bytes((photos / "0" / "0.png").read_bytes())
    after = listed(photos)
    assert (len(after), after.sha256) == (len(before), before.sha256)
    assert len(list(after.files)) == 9


def test_a_list_that_is_damaged_is_made_again(photos: Path) -> None:
    first = listed(photos)
    content = bytearray(first.file.read_bytes())
    content[len(content) // 2] ^= 1
    first.file.write_bytes(content)
    assert listed(photos) == first
    assert first.file.read_bytes() != content


def test_pairs_are_listed_as_pairs(pair_folder: Path, tmp_path: Path) -> None:
    found = list_pictures(pair_folder, "", tmp_path, Silent())
    (bucket,) = found.buckets()
    assert found.paired and len(found) == 3
    assert all(one.parent.name == "blurred" and other.parent.name == "sharp" for one, other in bucket.files)


def test_names_that_are_no_text_are_names(tmp_path: Path) -> None:
    write_png(tmp_path / "photos" / os.fsdecode(b"\xff?#%.png"), picture(1, 16, 16))
    assert list(listed(tmp_path / "photos").files) == list((tmp_path / "photos").iterdir())


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match="holds no training photographs"):
        listed(tmp_path / "photos")
