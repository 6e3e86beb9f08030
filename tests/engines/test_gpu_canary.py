"""The canaries of the GPU engine must be able to fail: each lie of an engine is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.engines import gpu_canary
from exporter.engines.gpu_canary import check_engine
from exporter.engines.gpu_probe import GpuAnswer
from exporter.errors import EngineError
from tests.inspect.gpu.engine import gpu_engine

ADAPTER = "llvmpipe (LLVM 15.0.6, 256 bits)"
RIGHT = GpuAnswer(True, "", ADAPTER, inputs=((0.1, 0.9),), outputs=((0.2, 1.8),))
OVERFLOWN = GpuAnswer(True, "", ADAPTER, inputs=((0.1, 0.9),), outputs=((0.2, None),))
REFUSED = GpuAnswer(False, "RESHAPE: rank 6", ADAPTER, {"RESHAPE": "rank 6"}, 3)
SWIFTSHADER = GpuAnswer(True, "", "SwiftShader Device (LLVM 10.0.0)", inputs=((0.1, 0.9),), outputs=((0.2, 1.8),))
NO_DRIVER = GpuAnswer(False, "No adapters found", "")


def engine(monkeypatch: pytest.MonkeyPatch, fp32: list[GpuAnswer], fp16: list[GpuAnswer]) -> None:
    answers = {"fp32": fp32, "fp16": fp16}
    monkeypatch.setattr(gpu_canary, "ask_gpu", lambda files, engine, precision: answers[precision])


def test_an_honest_engine_passes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine(monkeypatch, [RIGHT, REFUSED], [OVERFLOWN, REFUSED])
    assert check_engine(tmp_path, tmp_path) == ADAPTER


@pytest.mark.parametrize(
    ("fp32", "fp16", "sentence"),
    [
        ([NO_DRIVER, REFUSED], [NO_DRIVER, REFUSED], "does not start: No adapters found"),
        ([SWIFTSHADER, REFUSED], [SWIFTSHADER, REFUSED], "runs on SwiftShader Device"),
        ([OVERFLOWN, REFUSED], [OVERFLOWN, REFUSED], "computes wrongly in fp32"),
        ([RIGHT, REFUSED], [RIGHT, REFUSED], "does not overflow in fp16 where a phone does"),
        ([RIGHT, RIGHT], [OVERFLOWN, RIGHT], "takes a tensor of rank 6"),
    ],
)
def test_a_lie_is_noticed(
    fp32: list[GpuAnswer], fp16: list[GpuAnswer], sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    engine(monkeypatch, fp32, fp16)
    with pytest.raises(EngineError, match=sentence):
        check_engine(tmp_path, tmp_path)


@pytest.mark.slow
def test_the_real_engine_passes(tmp_path: Path) -> None:
    assert "llvmpipe" in check_engine(gpu_engine().folder, tmp_path)
