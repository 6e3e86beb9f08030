"""An engine of our own process that fails is "not measured" on its stage, and the export goes on."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from exporter.artifact import Artifact
from exporter.cli import main
from exporter.measure.accuracy_per_stage import measure_stages
from exporter.measure.evaluation import Renderings
from exporter.measure.pictures import save_pictures
from exporter.measure.results import Parity, Quality
from exporter.measure.targets import measure_target
from exporter.not_measured import NotMeasured
from exporter.report.document import schema
from exporter.runtimes.onnxruntime_cpu import OnnxRuntimeCpu
from exporter.runtimes.torch_cpu import TorchCpu
from tests.measure.test_accuracy_and_targets import ORT, TORCH, WHERE, evaluation
from tests.recipes.recipe_folder import write_recipe_folder
from tests.runtimes.tiny_models import TinyFiles

TFLITE = {"runtime": "litert_cpu", "stages": ["onnx_to_tflite"], "budget": {"min_parity_db": 60}}
ONNX = {"runtime": "onnxruntime_cpu", "budget": {"min_parity_db": 60, "max_size_mb": 90}}


@pytest.fixture
def renderings() -> Renderings:
    return Renderings(evaluation(), threads=1)


def cut_short(artifact: Artifact, folder: Path) -> Artifact:
    """The same file with half its bytes."""
    content = artifact.path.read_bytes()
    path = folder / f"cut-{artifact.path.name}"
    path.write_bytes(content[: len(content) // 2])
    return replace(artifact, path=path)


def test_a_file_its_engine_refuses_is_a_rung_without_figures(tiny: TinyFiles, tmp_path):
    for cut in (tiny.onnx(), tiny.tflite(), tiny.tflite("int8")):
        cut = cut_short(cut, tmp_path)
        chain = [("teacher", tiny.torch()), ("cut", cut), ("quantize_onnx", tiny.qdq())]
        teacher, broken, quantised = measure_stages([chain], Renderings(evaluation(), threads=1), WHERE)
        assert isinstance(broken.quality, NotMeasured) and broken.parity == broken.quality
        assert f"could not run {cut.path.name}" in broken.quality.reason and not broken.quality.lost
        assert isinstance(teacher.quality, Quality) and isinstance(quantised.parity, Parity)


def test_a_float_model_that_does_not_run_is_no_fault_of_the_files(
    tiny: TinyFiles, renderings: Renderings, monkeypatch: pytest.MonkeyPatch, tmp_path
):
    refuse_torch(monkeypatch)
    chain = [("teacher", tiny.torch()), ("torch_to_onnx", tiny.onnx())]
    teacher, onnx = measure_stages([chain], renderings, WHERE)
    assert isinstance(teacher.quality, NotMeasured) and teacher.parity is None
    assert onnx.quality == onnx.parity == teacher.quality and "operator gone" in teacher.quality.reason
    result = measure_target("web", ORT, tiny.onnx(), tiny.torch(), TORCH, renderings, threads=1)
    assert result.parity == result.quality == teacher.quality
    assert not [finding for finding in result.findings if finding.rule == "runs"]
    saved = save_pictures(tmp_path / "pictures", renderings, {}, None, count=2)
    assert [list(picture.files) for picture in saved] == [["blurred", "sharp"]] * 2


def test_a_torch_model_whose_cost_cannot_be_counted_keeps_its_quality(
    tiny: TinyFiles, renderings: Renderings, monkeypatch: pytest.MonkeyPatch
):
    from torch.utils.flop_counter import FlopCounterMode

    def refuse(*_: object) -> None:
        raise RuntimeError("no counting here")

    monkeypatch.setattr(FlopCounterMode, "__enter__", refuse)
    (stage,) = measure_stages([[("teacher", tiny.torch())]], renderings, WHERE)
    assert isinstance(stage.quality, Quality) and (stage.parameters, stage.macs) == (None, None)


def refuse_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(network, given):
        raise RuntimeError("operator gone")

    opened = TorchCpu.open

    def open_broken(self, artifact, threads):
        session = opened(self, artifact, threads)
        session._network.register_forward_pre_hook(broken)
        return session

    monkeypatch.setattr(TorchCpu, "open", open_broken)


@pytest.fixture
def cut_onnx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """ONNX Runtime gets half of every file."""
    opened = OnnxRuntimeCpu.open
    monkeypatch.setattr(
        OnnxRuntimeCpu, "open", lambda self, artifact, threads: opened(self, cut_short(artifact, tmp_path), threads)
    )


def report_of(bundle: Path) -> dict:
    report = json.loads((bundle / "report/report.json").read_text())
    jsonschema.validate(report, schema())
    return report


@pytest.mark.slow
def test_an_export_whose_rung_without_a_promise_was_not_measured(
    tmp_path, teacher_file, monkeypatch, capfd, request: pytest.FixtureRequest
):
    monkeypatch.chdir(tmp_path)
    recipe = write_recipe_folder(tmp_path, teacher_file, stages=["torch_to_onnx"], targets={"app": TFLITE})
    request.getfixturevalue("cut_onnx")
    assert main([f"recipe={recipe}"]) == 0
    said = capfd.readouterr().out
    assert "not measured: torch_to_onnx fp32 on onnxruntime_cpu: ONNX Runtime could not run" in said
    report = report_of(Path("dist/tiny-1.0"))
    stages = {stage["name"]: stage for stage in report["stages"]}
    onnx = stages.pop("torch_to_onnx fp32")
    assert "ONNX Runtime could not run" in onnx["quality"]["not_measured"] and onnx["parity"] == onnx["quality"]
    assert all("psnr_db" in stage["quality"] for stage in stages.values())
    assert all("torch_to_onnx fp32" not in picture["stages"] for picture in report["pictures"])
    page = Path("dist/tiny-1.0/report/index.html").read_text()
    assert "1 of 3 stages not measured: ONNX. " in page and onnx["quality"]["not_measured"].split(":")[0] in page
    assert main(["verify", "dist/tiny-1.0"]) == 0
    assert main([f"recipe={recipe}"]) == 0
    assert "not measured: torch_to_onnx fp32" in capfd.readouterr().out
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main([f"recipe={recipe}"]) == 0
    assert "not measured" not in capfd.readouterr().out, "what failed is measured again"


@pytest.mark.slow
def test_an_export_whose_promise_needed_the_engine_is_exit_3(tmp_path, teacher_file, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    recipe = write_recipe_folder(tmp_path, teacher_file, stages=["torch_to_onnx"], targets={"app": TFLITE, "web": ONNX})
    assert main([f"recipe={recipe}", "--build", "well"]) == 0
    shutil.move("dist/tiny-1.0", "well-1.0")
    with monkeypatch.context() as patch:
        opened = OnnxRuntimeCpu.open
        patch.setattr(
            OnnxRuntimeCpu, "open", lambda self, artifact, threads: opened(self, cut_short(artifact, tmp_path), threads)
        )
        assert main([f"recipe={recipe}"]) == 3
    app, web = report_of(Path("dist/tiny-1.0"))["targets"]
    for figure in ("parity", "quality", "latency"):
        assert "ONNX Runtime could not run" in web[figure]["not_measured"] and "not_measured" not in app[figure]
    capfd.readouterr()
    assert main(["verify", "dist/tiny-1.0"]) == 3
    assert main(["diff", "well-1.0", "dist/tiny-1.0", "--latency-rise", "1e9"]) == 3
    assert "web: min_parity_db on onnxruntime_cpu was kept, is not measured" in capfd.readouterr().out


@pytest.mark.slow
def test_an_export_whose_float_model_does_not_run_has_measured_nothing_of_pictures(
    tmp_path, teacher_file, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    recipe = write_recipe_folder(tmp_path, teacher_file, stages=["torch_to_onnx"], targets={"app": TFLITE})
    with monkeypatch.context() as patch:
        refuse_torch(patch)
        assert main([f"recipe={recipe}"]) == 3
    report = report_of(Path("dist/tiny-1.0"))
    assert all("operator gone" in stage["quality"]["not_measured"] for stage in report["stages"])
    assert "No stage was measured." in Path("dist/tiny-1.0/report/index.html").read_text()
    assert main(["verify", "dist/tiny-1.0"]) == 3
