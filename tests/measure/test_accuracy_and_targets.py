"""Real files of one network are judged after each stage and measured as targets; nothing is run twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from exporter.artifact import Artifact, Format
from exporter.data.evaluation import Pair
from exporter.errors import MissingTool
from exporter.inspect.results import Audit, Residency
from exporter.judge.budget import Pledge, judge
from exporter.measure.accuracy_per_stage import float_reference, measure_stages
from exporter.measure.evaluation import Renderings
from exporter.measure.latency import Call, time_calls
from exporter.measure.pictures import choose, save_pictures
from exporter.measure.results import NOT_TIMED, Latency, Parity, Quality
from exporter.measure.targets import measure_target
from exporter.not_measured import NotMeasured
from exporter.progress import Silent
from exporter.recipes.promises import Budget
from exporter.runtimes import runtime
from exporter.runtimes.tflite_runtime import TfliteRuntime
from tests.runtimes.tiny_models import TinyFiles, photo

TORCH, ORT, LITERT = runtime("torch_cpu"), runtime("onnxruntime_cpu"), runtime("litert_cpu")
WHERE = {Format.TORCH: TORCH, Format.ONNX: ORT, Format.TFLITE: LITERT}


class Counting:
    """A runtime that counts how often it is opened."""

    def __init__(self, inner) -> None:
        self.inner, self.name, self.takes, self.opened = inner, inner.name, inner.takes, Counter()

    def missing(self):
        return self.inner.missing()

    def device(self, threads):
        return self.inner.device(threads)

    def open(self, artifact: Artifact, threads: int):
        self.opened[artifact.path.name] += 1
        return self.inner.open(artifact, threads)


def evaluation() -> list[Pair]:
    pairs = []
    for seed in range(5):
        sharp = photo(100 + seed)
        blurred = (sharp + np.roll(sharp, 1, axis=1) + np.roll(sharp, 2, axis=1)) / 3
        pairs.append(Pair(f"photo-{seed}", blurred, sharp))
    return pairs


@pytest.fixture
def renderings() -> Renderings:
    return Renderings(iter(evaluation()), threads=1)


def test_stages(tiny: TinyFiles, renderings: Renderings):
    teacher, onnx = ("teacher", tiny.torch()), ("torch_to_onnx", tiny.onnx())
    chains = [
        [teacher, onnx, ("onnx_to_tflite", tiny.tflite())],
        [teacher, onnx, ("onnx_to_tflite", tiny.tflite()), ("quantize_tflite", tiny.tflite("int8"))],
        [teacher, onnx, ("quantize_onnx", tiny.qdq())],
    ]
    counted = {format: Counting(r) for format, r in WHERE.items()}
    stages = measure_stages(chains, renderings, counted)
    assert [r.name for r in stages] == [
        "teacher",
        "torch_to_onnx",
        "onnx_to_tflite",
        "quantize_tflite",
        "quantize_onnx",
    ]
    assert all(set(r.opened.values()) == {1} for r in counted.values()), "each file runs once"

    by_name = {r.name: r for r in stages}
    assert by_name["teacher"].parity is None and by_name["teacher"].quality.loss_db == 0
    assert (by_name["teacher"].parameters, by_name["torch_to_onnx"].parameters) == (432, None)
    assert by_name["teacher"].macs > 0 and by_name["teacher"].runtime == "torch_cpu"
    assert by_name["torch_to_onnx"].parity.worst_psnr_db > 100
    assert by_name["onnx_to_tflite"].parity.worst_psnr_db > 100
    for quantised in ("quantize_tflite", "quantize_onnx"):
        assert 30 < by_name[quantised].parity.worst_psnr_db < 70
    assert by_name["quantize_tflite"].quality.images == 5


def test_each_file_is_compared_with_the_float_model_of_its_own_chain(tiny: TinyFiles):
    teacher = tiny.torch()
    student, fake_quantised = replace(teacher, sha256="s"), replace(teacher, sha256="q", precision="int8")
    chain = [("teacher", teacher), ("distill", student), ("qat", fake_quantised), ("onnx", tiny.onnx())]
    assert float_reference(chain[:1]) is teacher
    assert [float_reference(chain[:n]) for n in (2, 3, 4)] == [student] * 3
    with pytest.raises(ValueError, match="float torch model"):
        float_reference([("onnx", tiny.onnx())])


def test_stages_without_an_engine_says_so(tiny: TinyFiles, renderings: Renderings):
    where = WHERE | {Format.TFLITE: TfliteRuntime("/nowhere/python")}
    with pytest.raises(MissingTool, match="onnx_to_tflite.*pip install"):
        measure_stages([[("teacher", tiny.torch()), ("onnx_to_tflite", tiny.tflite())]], renderings, where)


def test_a_target_is_measured_whole_and_shares_the_ladders_pictures(tiny: TinyFiles, renderings: Renderings):
    counted = {format: Counting(r) for format, r in WHERE.items()}
    chain = [("teacher", tiny.torch()), ("quantize_tflite", tiny.tflite("int8"))]
    stages = measure_stages([chain], renderings, counted)
    litert = counted[Format.TFLITE]
    before = litert.opened.total()
    result = measure_target("android", litert, tiny.tflite("int8"), tiny.torch(), TORCH, renderings, threads=1)
    assert litert.opened.total() == before + 2, "once for the layout and once for what it takes, not for the pictures"
    assert result.parity == stages[1].parity and result.quality == stages[1].quality
    assert result.latency == NOT_TIMED, "all targets of a run are timed at once"
    assert isinstance(result.audit, Audit) and result.audit.int8_mac_share == 1
    assert [finding.rule for finding in result.findings] == ["delegate"], "TensorFlow's clamp, which XNNPACK leaves"
    assert isinstance(result.residency, Residency) and (result.residency.taken, result.residency.operators) == (3, 5)
    assert (result.name, result.runtime) == ("android", "litert_cpu")


@pytest.mark.extra("old-runtime")
def test_the_same_file_on_another_runtime_is_run_there(tiny: TinyFiles, renderings: Renderings):
    old = runtime("tflite_runtime")
    result = measure_target("old", old, tiny.tflite("int8"), tiny.torch(), TORCH, renderings, threads=1)
    assert isinstance(result.parity, Parity) and isinstance(result.quality, Quality)
    (latency,) = time_calls([Call(old, result.artifact, 1, renderings.evaluation[0].blurred)], 2, 1)
    assert isinstance(latency, Latency) and "tflite-runtime 2.14" in latency.device


def test_a_float_file_that_is_called_int8_is_an_error(tiny: TinyFiles, renderings: Renderings):
    called = replace(tiny.tflite("fp32"), precision="int8")
    result = measure_target("android", LITERT, called, tiny.torch(), TORCH, renderings, threads=1)
    (finding,) = (finding for finding in result.findings if finding.rule == "not-int8")
    assert finding.severity == "error" and "0% of its multiply-accumulates" in finding.message


def test_missing_runtime_leaves_audit_and_findings(tiny: TinyFiles, renderings: Renderings):
    gone = TfliteRuntime("/nowhere/python")
    result = measure_target("old", gone, tiny.tflite("int8"), tiny.torch(), TORCH, renderings, threads=1)
    for measured in (result.parity, result.quality, result.latency):
        assert isinstance(measured, NotMeasured) and "pip install" in measured.reason
    assert isinstance(result.audit, Audit)


def test_an_engine_that_crashes_is_not_measured_and_an_error(tiny: TinyFiles, renderings: Renderings, tmp_path):
    python = tmp_path / "python"  # answers the probe, then dies at work
    python.write_text("#!/bin/sh\n[ \"$1\" = -c ] && echo 2.14.0 && exit 0\necho 'Illegal instruction' >&2\nexit 132\n")
    python.chmod(0o755)
    crashing = TfliteRuntime(str(python))
    result = measure_target("old", crashing, tiny.tflite(), tiny.torch(), TORCH, renderings, threads=1)
    (latency,) = time_calls([Call(crashing, result.artifact, 1, renderings.evaluation[0].blurred)], 2, 1)
    for measured in (result.parity, result.quality, latency):
        assert isinstance(measured, NotMeasured) and "Illegal instruction" in measured.reason
    assert any(f.severity == "error" and f.rule == "runs" for f in result.findings)


def test_a_swapped_file_is_found_by_the_target(tiny: TinyFiles, renderings: Renderings):
    swapped = tiny.onnx("swapped", after=[("Gather", {"axis": 1}, np.array([2, 1, 0]))])
    result = measure_target("web", ORT, swapped, tiny.torch(), TORCH, renderings, threads=1)
    assert any(f.rule == "layout" and f.severity == "error" for f in result.findings)


def test_pictures(tiny: TinyFiles, renderings: Renderings, tmp_path):
    from PIL import Image

    stages = {"teacher": (tiny.torch(), TORCH), "int8": (tiny.tflite("int8"), LITERT)}
    (stage,) = measure_stages([[("teacher", tiny.torch())]], renderings, WHERE)
    made = save_pictures(tmp_path / "pictures", renderings, stages, stage.quality, count=2)
    again = save_pictures(tmp_path / "again", renderings, stages, stage.quality, count=2)
    assert [p.name for p in made] == [p.name for p in again] and len({p.name for p in made}) == 2
    assert made[1].name == stage.quality.worst_image
    for picture in made:
        assert list(picture.files) == ["blurred", "sharp", "teacher", "int8"]
        sharp = next(pair.sharp for pair in renderings.evaluation if pair.name == picture.name)
        assert np.array_equal(np.asarray(Image.open(picture.files["sharp"])), np.rint(sharp * 255))


def test_choose_takes_best_worst_median_then_goes_on():
    gains = [3.0, 1.0, 2.0, 5.0, 4.0]
    assert choose(gains, 3) == (3, 1, 0)
    assert choose(gains, 5) == (3, 1, 0, 4, 2) and choose(gains, 9) == choose(gains, 5)
    assert choose([1.0, float("nan"), 2.0], 2) == (2, 1)
    assert choose([], 3) == () and choose([1.0], 3) == (0,)


def test_no_evaluation_images_is_refused():
    with pytest.raises(ValueError, match="no evaluation images"):
        Renderings([], threads=1)


def test_nan_from_an_engine_misses_every_promise_on_pictures(tiny: TinyFiles, renderings: Renderings):
    poisoned = tiny.onnx("poisoned", after=[("Div", {}, np.float32(0)), ("Sub", {}, np.float32(np.inf))])
    result = measure_target("web", ORT, poisoned, tiny.torch(), TORCH, renderings, threads=1)
    limits = Budget(min_parity_db=1, max_loss_db=99, min_gain_db=-99, min_psnr_db=1, min_ssim=0, forbid_errors=True)
    assert {v.status for v in judge({"web": Pledge(ORT.name, limits)}, {"web": result})} == {"missed"}
    assert any(f.rule == "layout" for f in result.findings)


def test_progress_ticks_once_per_image(tiny: TinyFiles):
    class Watch(Silent):
        ticks = 0

        def advance(self, steps: int = 1, note: str = "") -> None:
            self.ticks += steps

    watch = Watch()
    Renderings(evaluation(), 1, watch).of(tiny.onnx(), ORT)
    assert watch.ticks == 5
