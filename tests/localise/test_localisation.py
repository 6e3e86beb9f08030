"""A layer ruined on purpose is named; equal files are equal; two networks are told apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from exporter.data.dead_leaves import dead_leaves
from exporter.errors import DataError
from exporter.graph.tflite_editor import TfliteGraph
from exporter.localise.diagnosis import EQUAL_DB
from exporter.localise.localisation import localise
from exporter.localise.matches import pair_layers
from exporter.measure.layers import layer_maps
from exporter.quantization.params import Range
from exporter.quantization.ranges.estimators import calibrate_tflite
from exporter.quantization.settings import Int8Settings
from exporter.quantization.tflite.plan import plan_int8
from exporter.quantization.tflite.write import write_int8
from tests.runtimes.tiny_models import TinyFiles
from tests.runtimes.tiny_models import photo as tiny_photo
from tests.stages.chain import HEIGHT, WIDTH, Photos, to_tflite

RUINED = "/decoder.1.0/body/body.2/"  # a layer in the middle: its error shows in all that follow


@dataclass(frozen=True)
class Files:
    exact: Path
    int8: Path
    ruined: Path
    culprit: str

    @property
    def images(self) -> list[np.ndarray]:
        return list(Photos(2))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("student")
    exact = to_tflite(folder, "mobilenetv3_student", preset="s").path
    content = exact.read_bytes()
    graph = TfliteGraph(content)
    made = [operator.outputs[0] for operator in graph.operators if graph.kind(operator) == "CONV_2D"]
    target = next(index for index in made if RUINED in graph.name(index))

    plan = plan_int8(content)
    ranges = calibrate_tflite(content, plan.wanted, Photos(), Int8Settings()).ranges
    narrow = {target: Range(ranges[target].low / 4, ranges[target].high / 4)}
    int8, ruined = folder / "int8.tflite", folder / "ruined.tflite"
    int8.write_bytes(write_int8(plan, ranges).content)
    ruined.write_bytes(write_int8(plan, {**ranges, **narrow}).content)
    return Files(exact, int8, ruined, graph.name(target))


def test_the_ruined_layer_is_named_with_what_is_wrong(files: Files) -> None:
    found = localise(files.ruined, files.exact, files.images)
    assert found.culprit is not None
    culprit = found.layers[found.culprit]
    assert culprit.tensor == files.culprit
    assert files.culprit in found.diagnosis and "clips" in found.diagnosis
    assert culprit.clipped > 0.005
    assert culprit.own_sqnr_db < 25
    assert found.layers[-1].sqnr_db < localise(files.int8, files.exact, files.images).layers[-1].sqnr_db
    before = found.layers[: found.culprit]
    assert all(layer.clipped < 0.001 for layer in before)


def test_a_healthy_file_has_no_culprit_and_every_layer_its_match(files: Files) -> None:
    found = localise(files.int8, files.exact, files.images)
    assert found.culprit is None and "no layer stands out" in found.diagnosis
    assert found.unmatched == () and found.images == 2
    assert len(found.layers) == len(TfliteGraph(files.int8.read_bytes()).operators)
    assert min(layer.own_sqnr_db for layer in found.layers) > 20
    own = [found.layers[place].own_sqnr_db for place in found.worst]
    assert own == sorted(own)
    assert "RESIZE_NEAREST_NEIGHBOR" not in {found.layers[place].kind for place in found.worst}


def test_a_wide_code_is_told_from_a_narrow_one(files: Files, tmp_path: Path) -> None:
    content = files.exact.read_bytes()
    plan, graph = plan_int8(content), TfliteGraph(content)
    ranges = calibrate_tflite(content, plan.wanted, Photos(), Int8Settings()).ranges
    wider = {i: Range(r.low * 40, r.high * 40) for i, r in ranges.items() if graph.name(i) == files.culprit}
    wide = tmp_path / "wide.tflite"
    wide.write_bytes(write_int8(plan, {**ranges, **wider}).content)
    found = localise(wide, files.exact, files.images)
    assert files.culprit in found.diagnosis and "× wider than the values" in found.diagnosis


def test_a_file_is_equal_to_itself(files: Files) -> None:
    for path in (files.exact, files.int8):
        found = localise(path, path, files.images)
        assert {layer.sqnr_db for layer in found.layers} == {EQUAL_DB}
        assert found.culprit is None and "equal values" in found.diagnosis


def test_two_networks_are_told_apart(files: Files, tiny: TinyFiles, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"inputs are \[\(1, 48, 80, 3\)\], the float file's \[\(1, 32, 48, 3\)\]"):
        localise(files.int8, tiny.tflite().path, files.images)
    other = to_tflite(tmp_path, "srcnn").path
    with pytest.raises(DataError, match=r"only \d+ of \d+ operators have a counterpart"):
        localise(files.int8, other, files.images)


def test_a_picture_of_another_size_is_refused(files: Files) -> None:
    with pytest.raises(DataError, match=r"a picture is \(8, 8, 3\), the files take \(48, 80, 3\)"):
        localise(files.int8, files.exact, [np.zeros((8, 8, 3), np.float32)])


def test_names_are_not_needed(files: Files) -> None:
    """A stranger's converter names tensors as it likes: kinds, sizes and order are enough."""
    exact, renamed = TfliteGraph(files.exact.read_bytes()), TfliteGraph(files.int8.read_bytes())
    by_name = pair_layers(renamed, exact).matches
    for number, tensor in enumerate(renamed.tensors):
        tensor.name = f"tensor {number}"
    by_place = pair_layers(renamed, exact)
    wrong = [index for index, match in by_place.matches.items() if by_name[index] != match]
    assert wrong == []
    assert len(by_place.unmatched) <= 1  # the clamp that the output's code does by itself


@pytest.mark.parametrize("kind", ["int8", "uint8", "float_io"])
def test_tensorflows_files_match(kind: str, tiny: TinyFiles) -> None:
    found = localise(tiny.tflite(kind).path, tiny.tflite("fp32").path, [tiny_photo(0), tiny_photo(1)])
    assert found.unmatched == ()
    assert sum(layer.kind == "CONV_2D" for layer in found.layers) == 2
    assert all(25 < layer.sqnr_db < EQUAL_DB for layer in found.layers if layer.kind == "CONV_2D")


def test_fp16_weights_lose_little(tiny: TinyFiles) -> None:
    found = localise(tiny.tflite("fp16").path, tiny.tflite("fp32").path, [tiny_photo(0)])
    assert found.culprit is None and min(layer.sqnr_db for layer in found.layers) > 50


def test_the_maps_show_where_the_layer_differs(files: Files) -> None:
    found = localise(files.ruined, files.exact, files.images)
    assert found.culprit is not None
    maps = layer_maps(files.ruined, files.exact, files.images[0], [found.culprit])
    exact, rounded, error = (maps[f"{found.culprit}/{kind}"] for kind in ("float", "int8", "error"))
    assert exact.shape == rounded.shape == error.shape == found.layers[found.culprit].shape[1:3]
    assert (np.abs(rounded - exact) <= error + 1e-6).all()
    assert error.max() > 0


def test_the_drawn_picture_looks_like_a_photograph_to_a_network() -> None:
    picture = dead_leaves(HEIGHT, WIDTH)
    assert picture.shape == (HEIGHT, WIDTH, 3) and picture.min() == 0 and picture.max() == 1
    assert np.array_equal(picture, dead_leaves(HEIGHT, WIDTH))
    steps = np.abs(np.diff(picture, axis=1))
    assert np.median(steps) < 0.01 and steps.max() > 0.5, "flat faces with hard edges"
