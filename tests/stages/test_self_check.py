"""Every conversion stage runs its file beside its source; a file that the stage before has run is not run again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from exporter.stages import self_check
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.stages.chain import run, stored


def test_each_file_of_a_chain_is_run_once(tmp_path, monkeypatch):
    runs: list[str] = []
    for name in ("run_onnx", "run_tflite"):
        original = getattr(self_check, name)
        for module in ("self_check", "torch_to_onnx", "onnx_to_tflite", "quantize_tflite"):
            counted = lambda *args, name=name, original=original: runs.append(name) or original(*args)  # noqa: E731
            monkeypatch.setattr(f"exporter.stages.{module}.{name}", counted, raising=False)
    monkeypatch.setattr(self_check, "_shown", {})
    artifact = stored(tmp_path, "srcnn", widths=(8, 4))
    for number, stage in enumerate((TorchToOnnx(), SimplifyOnnx(), OnnxToTflite(), QuantizeTflite(precision="fp16"))):
        artifact = run(stage, artifact, tmp_path / str(number))
    assert runs.count("run_tflite") == 2
    assert runs.count("run_onnx") <= 3  # the export on two pictures; simplified, it may be the same file


def test_only_the_last_pictures_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(self_check, "_shown", {})
    artifact = stored(tmp_path, "srcnn", widths=(8, 4))
    digests = [str(number) for number in range(self_check.KEPT + 3)]
    for digest in digests:
        self_check.keep_picture(replace(artifact, sha256=digest), np.zeros((1, 2, 2, 3), np.float32))
    assert list(self_check._shown) == digests[3:]
