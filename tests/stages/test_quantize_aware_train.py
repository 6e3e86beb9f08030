"""quantize_aware_train on small real networks, and what quantize_tflite makes of its file."""

from contextlib import nullcontext

import numpy as np
import pytest
from pydantic import ValidationError

from exporter.data.calibration import open_calibration
from exporter.data.training import open_training
from exporter.errors import StageError
from exporter.quantization.params import Affine
from exporter.quantization.ranges.stored import stored_ranges
from exporter.stages.base import Workspace
from exporter.stages.quantize_aware_train import QuantizeAwareTrain
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.self_check import run_tflite
from tests.conftest import REPO
from tests.stages.chain import HEIGHT, WIDTH, Lines, Photos, opened, photo, psnr_db, run, to_tflite

CUT_OFF = {"ranges": "percentile", "percentile": 80.0}  # a start that any training improves on
SHORT = {"steps": 4, "batch": 2, "crop_px": 32, "warmup_steps": 1, "learning_rate": 1e-3, "ema_decay": 0.5} | CUT_OFF


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return to_tflite(tmp_path_factory.mktemp("gated"), "Gated")


@pytest.fixture
def train(tmp_path, photo_folder):
    def made(source, name="qat", seed=0, lines=None, photos=None, stage=None, **options):
        folder = tmp_path / name
        folder.mkdir()
        pairs = open_training(photo_folder)
        workspace = Workspace(folder, source, photos or Photos(), pairs, seed, lines or Lines(), nullcontext)
        return (stage or QuantizeAwareTrain(**SHORT | options)).run(source, workspace)

    return made


def _codes(artifact):
    graph = opened(artifact)
    stored = (graph.tensors[operator.outputs[0]].quantization for operator in graph.operators)
    return [(float(code.scale[0]), int(code.zeroPoint[0])) for code in stored]


def test_the_int8_file_is_what_was_trained(tmp_path, source, train):
    lines = Lines()
    trained = train(source, lines=lines)
    facts = QuantizeAwareTrain().facts(tmp_path / "qat")
    assert facts["simulated_within_steps"] <= 1
    assert facts["simulated_exactly_percent"] > 99.99
    assert any("simulated exactly: 100 %" in line for line in lines.said)
    photos = Photos()
    int8 = run(QuantizeTflite(), trained, tmp_path / "int8", photos)
    assert photos.reads == 0
    assert QuantizeTflite().facts(tmp_path / "int8")["ranges"] == "trained"
    wanted = [Affine.of_range(values) for values in stored_ranges(opened(trained)).values()]
    assert set(_codes(int8)) <= {(code.scale, code.zero_point) for code in wanted}
    assert set(_codes(int8)) - set(_codes(run(QuantizeTflite(), source, tmp_path / "usual")))


def test_ranges_stay_where_they_are_told_to(tmp_path, source, train):
    int8 = run(QuantizeTflite(), train(source, steps=12, train_ranges=False), tmp_path / "int8")
    usual = run(QuantizeTflite(**CUT_OFF), source, tmp_path / "usual")
    assert np.allclose(_codes(int8), _codes(usual), rtol=1e-6)
    assert int8.sha256 != usual.sha256


def test_training_repairs_ranges_that_cut_off(tmp_path, train):
    source = to_tflite(tmp_path, "UNet")
    trained = train(source, steps=40, learning_rate=3e-4)
    exact = run_tflite(source.path.read_bytes(), photo())[0]
    files = [run(QuantizeTflite(**CUT_OFF), file, tmp_path / str(n)) for n, file in enumerate((source, trained))]
    before_db, after_db = (psnr_db(run_tflite(file.path.read_bytes(), photo())[0], exact) for file in files)
    assert after_db > before_db + 1  # 46.6 → 49.9 dB


def test_the_start_is_kept_where_training_does_not_win(tmp_path, source, train):
    lines = Lines()
    int8 = run(QuantizeTflite(), train(source, learning_rate=0.02, ranges="minmax", lines=lines), tmp_path / "int8")
    facts = QuantizeAwareTrain().facts(tmp_path / "qat")
    assert facts["trained"] is False
    assert facts["parity_after_db"] < facts["parity_before_db"]
    assert any("dB after: the start is kept" in line for line in lines.said)
    usual = run(QuantizeTflite(), source, tmp_path / "usual")
    assert np.array_equal(*(run_tflite(file.path.read_bytes(), photo())[0] for file in (int8, usual)))


def test_it_starts_with_the_settings_that_are_best(tmp_path, train):
    photos = open_calibration(REPO / "calibration" / "photos_256", HEIGHT, WIDTH).only(range(0, 48, 4))
    stage = QuantizeAwareTrain(steps=1, batch=1, crop_px=32, learning_rate=1e-9)
    train(to_tflite(tmp_path, "Uneven"), photos=photos, stage=stage)
    facts = stage.facts(tmp_path / "qat")
    chosen = facts["tuning"]["trials"][facts["tuning"]["chosen"]]
    assert chosen["settings"]["equalize"] is True
    assert facts["parity_before_db"] > facts["tuning"]["trials"][0]["parity_db"] + 3


def test_named_settings_are_the_start():
    assert QuantizeAwareTrain().tune
    assert not QuantizeAwareTrain(ranges="mse").tune
    with pytest.raises(ValidationError, match="tune chooses equalize itself"):
        QuantizeAwareTrain(tune=True, equalize=True)


def test_same_seed_same_file_other_seed_another(source, train):
    one, again, other = (train(source, name, seed, steps=2) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert one.sha256 == again.sha256 != other.sha256


def test_the_trained_file_still_runs_in_float_and_has_its_ends(source, train):
    trained = train(source)
    assert (trained.input, trained.output, trained.precision) == (source.input, source.output, "fp32")
    pictures = [run_tflite(file.path.read_bytes(), photo())[0] for file in (source, trained)]
    assert psnr_db(*pictures) > 35


def test_trained_weights_are_not_prepared_again(tmp_path, source, train):
    trained = train(source, equalize=True)
    with pytest.raises(StageError, match="were trained for INT8; tune, equalize"):
        run(QuantizeTflite(equalize=True), trained, tmp_path / "int8")
    with pytest.raises(StageError, match="were trained for INT8"):
        train(trained, "twice")


def test_an_int8_file_is_not_trained(tmp_path, source, train):
    with pytest.raises(StageError, match="the source is int8 already"):
        train(run(QuantizeTflite(), source, tmp_path / "int8"))


def test_an_operator_that_cannot_be_simulated_is_named(tmp_path, train):
    with pytest.raises(StageError, match="BATCH_MATMUL .* cannot be simulated in torch"):
        train(to_tflite(tmp_path, "Attending"))
