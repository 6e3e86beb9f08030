import json

import pytest
from pydantic import ValidationError

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.errors import MissingTool
from exporter.npu import compile as compiling
from exporter.npu.compile import CompiledFile
from exporter.npu.vendors import VENDORS
from exporter.runtimes import runtime
from exporter.stages.compile_npu import CompileNpu
from tests.graph.tflite_files import N, T, write_tflite
from tests.stages.chain import Lines, run


@pytest.fixture
def source(tmp_path) -> Artifact:
    path = tmp_path / "m.tflite"
    write_tflite(path, [T("in"), T("out")], [N("RELU", ("in",), ("out",))])
    spec = TensorSpec.image(8, 8, "NHWC")
    return Artifact(Format.TFLITE, path, spec, spec, sha256_of(path), "int16x8", ("quantize_tflite",))


@pytest.mark.parametrize("vendor", VENDORS)
def test_before_anything_runs_the_missing_package_is_named(vendor):
    with pytest.raises(MissingTool, match=f"pip install {VENDORS[vendor].package}") as caught:
        CompileNpu(vendor=vendor, soc="X1").check(None, None)
    assert caught.value.exit_code == 3


def test_what_was_compiled_is_a_file_of_its_own(tmp_path, source, monkeypatch):
    monkeypatch.setattr(compiling, "compile_for", lambda *asked: CompiledFile(b"0000TFL3", "2.3.0", 7, 9))
    lines = Lines()
    made = run(CompileNpu(vendor="qualcomm", soc="SM8750"), source, tmp_path / "npu", lines=lines)
    assert (made.format, made.precision, made.path.name) == (Format.NPU, "int16x8", "model.qualcomm_SM8750.tflite")
    assert made.history[-1] == "compile_npu soc=SM8750 vendor=qualcomm"
    facts = json.loads((tmp_path / "npu" / "facts.json").read_text())
    assert facts == {"litert": "2.3.0", "on_npu": 7, "operators": 9}
    assert lines.said == ["compile_npu: 2 of 9 operators stay on the CPU"]


def test_nothing_here_runs_it():
    assert runtime("npu").takes == Format.NPU and "that chip alone" in (runtime("npu").missing() or "")


@pytest.mark.parametrize("options", [{"vendor": "acme", "soc": "X"}, {"soc": "../x"}, {"litert": "newest"}])
def test_options_are_checked(options):
    with pytest.raises(ValidationError):
        CompileNpu(**options)
