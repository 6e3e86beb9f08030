"""Every file of a finished build folder, damaged in every way: the next run heals it or says one sentence."""

import random
import shutil
from pathlib import Path

import pytest

from exporter.bundle import reproducible_files
from exporter.cli import main
from tests.recipes.recipe_folder import TINY_TRAINING, write_recipe_folder

SEED = 7


@pytest.fixture(scope="module")
def finished(tmp_path_factory, teacher_file) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    stages = [{"prune": dict(TINY_TRAINING)}]
    recipe = write_recipe_folder(folder, teacher_file, stages=stages)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([f"recipe={recipe}"]) == 0
    return folder


def spoilt(content: bytes, way: str, draw: random.Random) -> bytes:
    if way == "empty" or not content:
        return b""
    if way == "cut":
        return content[: draw.randrange(len(content))]
    if way == "another type":
        return b"[[1]]"
    place = draw.randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1 << draw.randrange(8)]) + content[place + 1 :]


WAYS = ["flip", *(pytest.param(way, marks=pytest.mark.slow) for way in ("empty", "cut", "another type"))]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_damaged_build_folder_heals(finished, tmp_path, monkeypatch, capfd, way):
    """All side files at once, which is as many runs as there are ways; then the bundle is the same again."""
    whole = reproducible_files(finished / "dist" / "tiny-1.0")
    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    draw = random.Random(SEED)
    files = sorted(path for path in Path("build").rglob("*") if path.is_file() and "logs" not in path.parts)
    assert {"artifact.json", "facts.json", "measurements.json", "golden.npz", "history.jsonl"} <= {
        f.name for f in files
    }
    for file in files:
        file.write_bytes(spoilt(file.read_bytes(), way, draw))
    assert main(["recipe=tiny.yaml"]) == 0, capfd.readouterr().err
    assert "Traceback" not in capfd.readouterr().err
    assert reproducible_files(Path("dist/tiny-1.0")) == whole


@pytest.mark.parametrize("name", ["facts.json", "golden.npz", "history.jsonl", "measurements.json", "artifact.json"])
def test_one_flipped_bit_in_one_side_file_reruns_its_stage(finished, tmp_path, monkeypatch, capfd, name):
    from exporter.cache.sealed import unseal
    from exporter.runs.folder import RunFolder

    folder = tmp_path / "copy"
    shutil.copytree(finished, folder)
    monkeypatch.chdir(folder)
    draw = random.Random(SEED)
    for file in Path("build").rglob(name):
        file.write_bytes(spoilt(file.read_bytes(), "flip", draw))
        record = file.parent / ("measurements.json" if "measurements" in file.parts else "artifact.json")
        assert unseal(record) is None
        if "stages" in file.parts:
            assert RunFolder(Path("build/tiny")).finished(file.parent) is None
