"""A refactoring that changes one scale is noticed; one that changes nothing is not."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from exporter.graph.tflite_editor import TfliteGraph
from tests.runtimes.tiny_models import TinyFiles
from tools.replay import ExportFailed, compare, export, replay, unpack_work_tree


@pytest.fixture
def bundle(tmp_path) -> Path:
    folder = tmp_path / "before"
    for part in ("models", "golden", "report"):
        (folder / part).mkdir(parents=True)
        (folder / part / "file").write_text("the same")
    (folder / "manifest.json").write_text("{}")
    shutil.copy(TinyFiles(tmp_path / "tiny").tflite("int8").path, folder / "models" / "m.tflite")
    return folder


@pytest.fixture
def later(bundle) -> Path:
    return shutil.copytree(bundle, bundle.with_name("after"))


def test_the_same_bundle(bundle, later):
    (later / "report" / "file").write_text("measured anew")
    assert compare(bundle, later) == []


def test_a_manifest_differs_by_more_than_the_digest_of_the_code(bundle, later):
    for folder, digest in ((bundle, "0" * 64), (later, "f" * 64)):
        (folder / "manifest.json").write_text(f'{{"code_sha256": "{digest}"}}')
    assert compare(bundle, later) == []
    (later / "manifest.json").write_text(f'{{"code_sha256": "{digest}", "size": 1}}')
    assert compare(bundle, later) == ["manifest.json differs"]


def test_one_changed_scale(bundle, later):
    model = later / "models" / "m.tflite"
    graph = TfliteGraph(model.read_bytes())
    quantization = graph.tensors[graph.operators[0].outputs[0]].quantization
    quantization.scale = quantization.scale * np.float32(1 + 2**-20)
    model.write_bytes(graph.to_bytes())
    assert compare(bundle, later) == ["models/m.tflite differs"]


def test_a_file_that_came_and_one_that_went(bundle, later):
    (later / "golden" / "file").rename(later / "golden" / "other")
    assert compare(bundle, later) == ["golden/file is not made any more", "golden/other is new"]


def test_a_part_that_is_not_there_is_no_agreement(bundle, later):
    for folder in (bundle, later):
        shutil.rmtree(folder / "golden")
    with pytest.raises(FileNotFoundError, match="golden"):
        compare(bundle, later)


@pytest.mark.slow
def test_a_changed_line_of_code_is_noticed_and_an_unchanged_copy_is_not(tmp_path):
    """Whole exports: the INT8 files follow an edit in the arithmetic of scales, the float files do not."""
    here, edited = tmp_path / "here", tmp_path / "edited"
    for tree in (here, edited):
        unpack_work_tree(tree)
    assert list(replay(here, shutil.copytree(here, tmp_path / "copy"), tmp_path / "one", ["down_and_up"])) == []
    module, line = edited / "exporter/quantization/params.py", "max(above, below, least / STEPS)"
    assert module.read_text().count(line) == 1
    module.write_text(module.read_text().replace(line, f"{line} * (1 + 2**-16)"))
    differing = set(replay(here, edited, tmp_path / "two", ["down_and_up"]))
    assert "down_and_up: models/down_and_up.int8.tflite differs" in differing
    assert not any("fp32.tflite" in line or "fp16.tflite" in line for line in differing)


def test_an_export_that_fails_is_no_difference(tmp_path):
    unpack_work_tree(tmp_path / "here")
    (tmp_path / "bad.yaml").write_text("name: bad\n")
    with pytest.raises(ExportFailed, match=r"bad\.yaml by here ended with 2"):
        export(tmp_path / "here", tmp_path / "bad.yaml", tmp_path / "work")
