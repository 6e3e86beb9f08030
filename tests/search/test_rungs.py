"""When a trial is given up, and when not."""

import numpy as np
import pytest

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.data.evaluation import open_evaluation
from exporter.data.judgement import Images
from exporter.measure.quality import psnr_each_db
from exporter.recipes.export import Recipe
from exporter.recipes.plan import Chain
from exporter.recipes.promises import Budget
from exporter.recipes.space import Objective
from exporter.search import rungs
from exporter.search.results import Trial
from exporter.search.rungs import Hopeless, Rungs, look_at_untrained, untrained
from exporter.stages import LoadGenerator
from exporter.stages.distill import Distill
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.conftest import Pictures, artifact_of

GAIN, MS = Objective(target="a", figure="gain_db"), Objective(target="a", figure="p50_ms")
CHAIN = Chain("a", "onnxruntime_cpu", (LoadGenerator(), TorchToOnnx()))


class OfTarget:
    """What rungs ask of a recipe."""

    def __init__(self, **budget: float) -> None:
        self.budget = Budget(**budget)

    def budget_of(self, target: str) -> Budget:
        return self.budget


@pytest.fixture
def seen(student_file, pair_folder, monkeypatch):
    """The student behind its first stage, three pictures of which two are looked at, and its PSNR on all."""
    monkeypatch.setattr(rungs, "FEW", 2)
    evaluation = open_evaluation(pair_folder, 64, 64)
    network = artifact_of(student_file, Format.TORCH)
    few = rungs.Renderings(evaluation, 1)
    psnr_db = psnr_each_db(few.of(network, rungs.runtime("torch_cpu")), few.evaluation)
    images = Images(Pictures(), evaluation, None)

    def look(objectives=(), alike=(), **budget: float) -> None:
        Rungs(OfTarget(**budget), 1, objectives, alike).look(CHAIN, (("teacher", network),), images)

    return look, psnr_db, evaluation.sha256


def rival(psnr_db, pictures: str) -> Trial:
    return Trial(
        number=3, point={}, words={}, state="kept", pictures=pictures, psnr_each_db={"a": tuple(psnr_db)}
    )  # fmt: skip


def test_a_float_network_that_cannot_keep_a_promised_mean_is_given_up(seen):
    look, psnr_db, _ = seen
    look(min_psnr_db=float(np.mean(psnr_db)))
    with pytest.raises(Hopeless, match=r"a: mean PSNR of the float network is .* dB on 2 pictures, promised 900 dB"):
        look(min_psnr_db=900)


def test_a_network_behind_a_trial_of_the_same_layers_is_given_up(seen):
    look, psnr_db, pictures = seen
    with pytest.raises(Hopeless, match=r"a: the float network is 2\.00 dB behind the file of trial 3, .* 2 pictures"):
        look((MS, GAIN), (rival(psnr_db + 2, pictures),))
    look((MS, GAIN), (rival(psnr_db + rungs.LUCK_DB / 2, pictures),))  # rounding may win as much
    look((MS, GAIN), (rival(psnr_db + 2, "of other pictures"),))
    parity = Objective(target="a", figure="parity_db")
    look((MS, GAIN, parity), (rival(psnr_db + 2, pictures),))  # in parity it may be better


def test_a_file_that_is_too_large_before_it_is_trained_is_given_up(tmp_path):
    file = tmp_path / "model.tflite"
    file.write_bytes(bytes(1_000_000))
    spec = TensorSpec.image(64, 64)
    files = {"a": Artifact(Format.TFLITE, file, spec, spec, "0" * 64)}
    look_at_untrained(
        OfTarget(max_size_mb=0.95, max_latency_ms=9.5), files, lambda target, file: 10.0
    )  # within a tenth
    with pytest.raises(Hopeless) as caught:
        look_at_untrained(OfTarget(max_size_mb=0.5, max_latency_ms=5), files, lambda target, file: 10.0)
    assert [reason.split(",")[1] for reason in caught.value.reasons] == [" the file is 1 MB", " a call takes 10 ms"]
    assert caught.value.violation == pytest.approx(2.0)


def test_trials_that_differ_in_training_alone_are_of_the_same_layers(recipe_of):
    brief = untrained(recipe_of(Distill(steps=500, learning_rate=1e-3), QuantizeTflite(tune=True)))
    assert brief == untrained(recipe_of(Distill(steps=7), QuantizeTflite()))
    assert brief.stages[0].steps == 1 and not brief.stages[1].tune
    assert brief != untrained(recipe_of(Distill(kwargs={"preset": "s"}), QuantizeTflite()))
    assert brief != untrained(recipe_of(Distill(), QuantizeTflite(device="cpu")))
    assert untrained(recipe_of(QuantizeTflite())) is None


@pytest.fixture
def recipe_of():
    return lambda *stages: Recipe.model_construct(stages=stages, targets={})
