"""Pools under several processes, on full disks, and damaged."""

import subprocess
import sys

import numpy as np
import pytest

from exporter.data import listing, pool
from exporter.data.pool import open_pool
from exporter.errors import DiskFull
from exporter.progress import Silent
from exporter.sources import closure
from tests.conftest import REPO, picture
from tests.data.drawn import drawn, pictures, plan
from tests.edited_sources import EditedSources
from tests.small_disk import mounted

DRAW = """
import sys
from pathlib import Path
from exporter.data import pool
from tests.data.drawn import drawn
pool.SHARD_BYTES = 1 << 14
drawn(Path(sys.argv[1]), Path(sys.argv[2]), 24)
"""


@pytest.fixture
def small_shards(monkeypatch):
    """Of two pairs, from two pictures or so."""
    monkeypatch.setattr(pool, "SHARD_BYTES", 2 * 2 * 3 * 48**2)
    monkeypatch.setattr(listing, "MOST_IN_BUCKET", 2)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.safetensors")}


def everything(pairs):
    return [pictures(side) for side in (pairs.blurred, pairs.sharp)]


@pytest.mark.slow
def test_two_processes_draw_the_bytes_of_one(tmp_path, photo_folder):
    both = [subprocess.Popen([sys.executable, "-c", DRAW, tmp_path / "two", photo_folder], cwd=REPO) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "SHARD_BYTES", 1 << 14)
        drawn(tmp_path / "one", photo_folder, 24)
    assert len(files(tmp_path / "one")) == 24
    assert files(tmp_path / "one") == files(tmp_path / "two")


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("pairs", [1, 3, 7])
def test_there_are_as_many_pairs_as_asked_for_and_no_two_alike(tmp_path, photo_folder, pairs):
    made = drawn(tmp_path, photo_folder, pairs)
    assert len(made.blurred) == len(made.sharp) == pairs
    assert len({side.tobytes() for side in pictures(made.sharp)}) == pairs


@pytest.mark.usefixtures("small_shards")
def test_another_picture_changes_the_shards_of_its_bucket_alone(tmp_path):
    from exporter.data.images import write_png

    for seed in range(31):
        write_png(tmp_path / "photos" / f"{seed}.png", picture(seed, 60, 70))
    before = plan(tmp_path, tmp_path / "photos", 64)
    write_png(tmp_path / "photos" / "new.png", picture(99, 60, 70))
    after = plan(tmp_path, tmp_path / "photos", 64)
    assert len(after.shards) == len(before.shards) > 10
    old, new = ({(shard.bucket, shard.key) for shard in each.shards} for each in (before, after))
    assert len({bucket for bucket, _ in new - old}) == 1


@pytest.mark.usefixtures("small_shards")
def test_names_and_places_of_pictures_decide_nothing(tmp_path, photo_folder):
    for number, file in enumerate(photo_folder.iterdir()):
        other = tmp_path / "photos" / str(number % 2) / f"x{number}.png"
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_bytes(file.read_bytes())
    drawn(tmp_path / "one", photo_folder)
    drawn(tmp_path / "two", tmp_path / "photos")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_sources_are_equally_likely_and_one_named_twice_gives_other_pairs(tmp_path, photo_folder, pair_folder):
    planned = plan(tmp_path, [photo_folder, pair_folder, photo_folder], 6)
    assert [(shard.source, shard.pairs) for shard in planned.shards] == [(0, 2), (1, 2), (2, 2)]
    made = drawn(tmp_path, [photo_folder, pair_folder, photo_folder], 6)
    assert len({side.tobytes() for side in pictures(made.sharp)}) == 6


def test_a_network_that_enlarges_gets_pairs_of_two_sizes(tmp_path, photo_folder):
    made = drawn(tmp_path, photo_folder, 3, 32, scale=2)
    assert (pictures(made.blurred).shape, pictures(made.sharp).shape) == ((3, 32, 32, 3), (3, 64, 64, 3))


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("spoil", ["cut", "flipped", "gone", "record"])
def test_a_damaged_shard_is_drawn_again_under_its_readers(tmp_path, photo_folder, spoil):
    first = drawn(tmp_path, photo_folder)
    whole, there = everything(first), files(tmp_path)
    file = sorted(tmp_path.rglob("??/*.json" if spoil == "record" else "*.safetensors"))[0]
    others = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors") if path.stem != file.stem}
    content = bytearray(file.read_bytes())
    content[-20] ^= 4
    file.unlink()
    if spoil != "gone":
        file.write_bytes(content[:-5] if spoil == "cut" else content)
    again = drawn(tmp_path, photo_folder)
    for one, other, expected in zip(everything(again), everything(first), whole, strict=True):
        np.testing.assert_array_equal(one, expected)
        np.testing.assert_array_equal(other, expected)
    assert files(tmp_path) == there
    assert {path: path.stat().st_mtime_ns for path in others} == others


def test_a_full_disk_ends_with_a_sentence_and_not_with_a_signal(tmp_path, photo_folder):
    with mounted(tmp_path / "disk", "size=256k") as disk:
        with pytest.raises(DiskFull, match="safetensors"):
            drawn(disk, photo_folder, 100)
        assert not list(disk.rglob("*.safetensors"))


def test_pictures_of_other_code_are_another_pool(photo_folder, tmp_path, monkeypatch):
    first = plan(tmp_path, photo_folder).shards
    monkeypatch.setattr(closure, "_here", EditedSources({"exporter/training/losses.py"}))
    assert plan(tmp_path, photo_folder).shards == first
    monkeypatch.setattr(closure, "_here", EditedSources({"exporter/data/blur.py"}))
    assert plan(tmp_path, photo_folder).shards != first


def test_a_pool_is_drawn_once_and_gives_the_same_batches(photo_folder, tmp_path):
    first = drawn(tmp_path, photo_folder, 4, 80)
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}
    second = drawn(tmp_path, photo_folder, 4, 80)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")} == written
    for one, two in zip(first.batch(1, 2, 3, 64), second.batch(1, 2, 3, 64), strict=True):
        assert one.shape == (3, 3, 64, 64)
        assert one.dtype == np.float32
        assert one.max() <= 1
        assert np.array_equal(one, two)


def test_the_number_of_drawing_threads_changes_nothing(photo_folder, tmp_path):
    for name, workers in (("one", 1), ("many", 3)):
        open_pool(plan(tmp_path / name, photo_folder, 5), Silent(), workers)
    assert files(tmp_path / "one") == files(tmp_path / "many")


def test_the_batch_of_several_processes_is_that_of_one(photo_folder, tmp_path):
    made = drawn(tmp_path, photo_folder)
    whole = made.batch(1, 2, 4, 32)
    for rank in range(2):
        for side, part in zip(whole, made.batch(1, 2, 4, 32, slice(rank, None, 2)), strict=True):
            np.testing.assert_array_equal(side[rank::2], part)
