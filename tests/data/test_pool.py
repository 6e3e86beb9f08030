"""Pools under several processes, on full disks, and damaged."""

import subprocess
import sys

import numpy as np
import pytest

from exporter.data.pool import open_pool
from exporter.data.training import open_training
from exporter.errors import DiskFull
from exporter.progress import Silent
from exporter.sources import closure
from tests.edited_sources import EditedSources
from tests.small_disk import mounted

DRAW = """
import sys
from pathlib import Path
from exporter.data.pool import open_pool
from exporter.data.training import open_training
from exporter.progress import Silent
from exporter.sources import closure
from tests.edited_sources import EditedSources
class Said(Silent):
    def say(self, line): print(line)
    def task(self, name, total):
        print(name)
        return super().task(name, total)
pool = open_pool(Path(sys.argv[1]), open_training(Path(sys.argv[2])), 24, 48, 0, Said())
print(int(pool.blurred.sum()), int(pool.sharp.sum()))
"""


def opened(folder, photo_folder, pairs=6):
    return open_pool(folder, open_training(photo_folder), pairs, 48, 0, Silent())


def test_two_trainings_draw_one_pool_once(tmp_path, photo_folder):
    both = [
        subprocess.Popen([sys.executable, "-c", DRAW, tmp_path, photo_folder], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert said[0][-1] == said[1][-1]
    assert sum("draw pairs" in lines for lines in said) == 1


@pytest.mark.parametrize("spoil", ["cut", "flipped", "gone", "record"])
def test_a_damaged_pool_is_drawn_again_under_its_readers(tmp_path, photo_folder, spoil):
    first = opened(tmp_path, photo_folder)
    whole = np.array(first.blurred)
    file = next(tmp_path.glob("*.json" if spoil == "record" else "*.blurred.raw"))
    content = bytearray(file.read_bytes())
    content[100] ^= 4
    file.unlink()
    if spoil != "gone":
        file.write_bytes(content[:-5] if spoil == "cut" else content)
    again = opened(tmp_path, photo_folder)
    np.testing.assert_array_equal(again.blurred, whole)
    np.testing.assert_array_equal(first.blurred, whole)


def test_a_full_disk_ends_with_a_sentence_and_not_with_a_signal(tmp_path, photo_folder):
    with mounted(tmp_path / "disk", "size=256k") as disk:
        with pytest.raises(DiskFull, match="blurred.raw|sharp.raw"):
            opened(disk, photo_folder, pairs=100)
        assert not [path for path in disk.iterdir() if path.suffix != ".lock"]


def test_pictures_of_other_code_are_another_pool(photo_folder, tmp_path, monkeypatch):
    photos = open_training(photo_folder)
    first = open_pool(tmp_path, photos, 2, 48, 0, Silent())
    monkeypatch.setattr(closure, "_here", EditedSources({"exporter/training/losses.py"}))
    assert open_pool(tmp_path, photos, 2, 48, 0, Silent()).sha256 == first.sha256
    monkeypatch.setattr(closure, "_here", EditedSources({"exporter/data/blur.py"}))
    assert open_pool(tmp_path, photos, 2, 48, 0, Silent()).sha256 != first.sha256
