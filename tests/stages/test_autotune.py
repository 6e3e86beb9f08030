"""`tune`: settings are tried on the network itself, on real engines, with real photographs."""

import json

import pytest
from pydantic import ValidationError

from exporter.data.calibration import open_calibration
from exporter.errors import StageError
from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.params import Range
from exporter.quantization.ranges.stored import store_ranges
from exporter.quantization.search.autotune import COUNT
from exporter.stages.quantize_onnx import QuantizeOnnx
from exporter.stages.quantize_tflite import QuantizeTflite
from tests.conftest import REPO
from tests.stages.chain import Lines, run, to_onnx, to_tflite

SIDE = (48, 80)
TRIED = [{}, {"equalize": True}, {"rounding": "adaptive"}]


@pytest.fixture(scope="module")
def photos():
    calibration = open_calibration(REPO / "calibration" / "photos_256", *SIDE)
    return calibration.only(range(0, len(calibration), 4))


@pytest.mark.parametrize(("stage", "convert"), [(QuantizeTflite, to_tflite), (QuantizeOnnx, to_onnx)])
def test_the_file_is_that_of_the_settings_it_names(tmp_path, photos, stage, convert):
    source = convert(tmp_path, "mobilenetv3_student", preset="s")
    lines = Lines()
    (tmp_path / "tuned" / "trial").mkdir(parents=True)
    (tmp_path / "tuned" / "trial" / "left by a killed run").touch()
    made = run(stage(tune=True), source, tmp_path / "tuned", photos, lines)
    table = json.loads((tmp_path / "tuned" / "facts.json").read_text())["tuning"]
    trials = table["trials"]
    assert len(trials) == COUNT
    assert [trial["settings"] for trial in trials[:3]] == TRIED
    chosen = trials[table["chosen"]]
    assert chosen["parity_db"] >= trials[0]["parity_db"]
    assert table["learned_from"] + table["judged_by"] <= len(photos)
    assert f"{chosen['parity_db']:.1f} dB from float, {trials[0]['parity_db']:.1f} plain" in lines.said[0]

    named = run(stage(**chosen["settings"]), source, tmp_path / "named", photos)
    assert named.sha256 == made.sha256
    assert {path.name for path in (tmp_path / "tuned").iterdir()} == {
        path.name for path in (tmp_path / "named").iterdir()
    }


def test_equal_channels_are_found_where_they_are_needed(tmp_path, photos):
    """A network whose channels differ a hundredfold in what they hold: only settings that mend it are any good."""
    source = to_tflite(tmp_path, "Uneven")
    run(QuantizeTflite(tune=True), source, tmp_path / "tuned", photos)
    table = json.loads((tmp_path / "tuned" / "facts.json").read_text())["tuning"]
    plain, chosen = table["trials"][0], table["trials"][table["chosen"]]
    assert chosen["settings"]["equalize"] is True
    assert chosen["parity_db"] > plain["parity_db"] + 3


def test_tune_chooses_alone():
    with pytest.raises(ValidationError, match="tune chooses rounding itself"):
        QuantizeTflite(tune=True, rounding="adaptive")
    with pytest.raises(ValidationError, match="tune, equalize, rounding and bias_correction belong to engine: onnx"):
        QuantizeOnnx(tune=True, engine="tensorrt")


def test_a_trained_file_is_not_tuned(tmp_path, photos):
    source = to_tflite(tmp_path, "UNet")
    graph = TfliteGraph(source.path.read_bytes())
    store_ranges(graph, {graph.inputs[0]: Range(0.0, 1.0)})
    source.path.write_bytes(graph.to_bytes())
    with pytest.raises(StageError, match="were trained for INT8; tune"):
        run(QuantizeTflite(tune=True), source, tmp_path / "int8", photos)


def test_on_cpus_what_has_no_int8_kernel_stays_float(tmp_path, photos):
    source = to_tflite(tmp_path, "mobilenetv3_student", preset="s", activation="hard_swish")
    made = run(QuantizeTflite(device="cpu"), source, tmp_path / "int8", photos)
    graph = TfliteGraph(made.path.read_bytes())
    swishes = [op for op in graph.operators if graph.kind(op) == "HARD_SWISH"]
    assert swishes
    assert {graph.dtype(op.inputs[0]) for op in swishes} == {"FLOAT32"}
    plain = TfliteGraph(run(QuantizeTflite(), source, tmp_path / "any", photos).path.read_bytes())
    assert all(plain.dtype(op.inputs[0]) == "INT8" for op in plain.operators if plain.kind(op) == "HARD_SWISH")


@pytest.mark.parametrize("kwargs", [{"unit": 1e-36, "back": False}, {"unit": 1e-20}, {"unit": 1e20}])
@pytest.mark.parametrize(("stage", "convert"), [(QuantizeTflite, to_tflite), (QuantizeOnnx, to_onnx)])
def test_the_unit_of_a_layer_stops_nothing(tmp_path, photos, stage, convert, kwargs):
    source = convert(tmp_path, "Unit", **kwargs)
    run(stage(tune=True), source, tmp_path / "tuned", photos)
    trials = json.loads((tmp_path / "tuned" / "facts.json").read_text())["tuning"]["trials"]
    assert all(trial["parity_db"] > 45 for trial in trials)
