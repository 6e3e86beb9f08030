"""CUDA runtimes where there is no GPU: they say so, and never pass for one another. Their pure parts."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from exporter.artifact import Format
from exporter.errors import EngineError
from exporter.nvidia.gpu import Gpu
from exporter.runtimes import CUDA_RUNTIMES, cuda, onnxruntime_cuda
from exporter.runtimes.cuda import buffers_beyond_cache, missing_torch_cuda
from exporter.runtimes.onnxruntime_cuda import require_provider
from tests.conftest import artifact_of

ADA = Gpu("NVIDIA Test", "00ff", "8.9", "580.65.06", 64 << 20)


@pytest.mark.parametrize("member", CUDA_RUNTIMES, ids=lambda member: member.name)
def test_what_is_missing_is_one_line(member, monkeypatch):
    monkeypatch.setattr(cuda, "missing_gpu", lambda: "there is no NVIDIA driver here")
    monkeypatch.setattr("exporter.runtimes.tensorrt.missing_library", lambda builder: None)
    assert member.missing() == "there is no NVIDIA driver here"
    assert member.takes in (Format.TORCH, Format.ONNX, Format.TENSORRT)


def test_a_torch_without_cuda_is_named(monkeypatch):
    monkeypatch.setattr(cuda, "missing_gpu", lambda: None)
    monkeypatch.setattr(cuda, "version_of", lambda name: "2.13.0+cpu")
    assert "PyTorch 2.13.0+cpu is built without CUDA" in (missing_torch_cuda() or "")
    monkeypatch.setattr(cuda, "version_of", lambda name: "2.13.0+cu130")
    assert missing_torch_cuda() is None


def test_an_onnxruntime_without_cuda_is_named(monkeypatch):
    """The one installed here has no CUDA provider."""
    monkeypatch.setattr(onnxruntime_cuda, "missing_torch_cuda", lambda: None)
    assert "has no CUDAExecutionProvider" in (onnxruntime_cuda.OnnxRuntimeCuda().missing() or "")


def test_a_fall_back_to_the_cpu_is_an_error(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"x")
    artifact = artifact_of(tmp_path / "m.onnx", Format.ONNX)
    require_provider(SimpleNamespace(get_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]), artifact)
    with pytest.raises(EngineError, match="gave m.onnx to CPUExecutionProvider, not to CUDAExecutionProvider"):
        require_provider(SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"]), artifact)


def test_device_lines_tell_engine_kinds_apart(monkeypatch):
    monkeypatch.setattr(cuda, "find_gpu", lambda: ADA)
    lines = {member.name: member.device(1) for member in CUDA_RUNTIMES if member.takes != Format.TENSORRT}
    assert len(set(lines.values())) == len(lines)
    assert all("NVIDIA Test (compute capability 8.9), driver 580.65.06" in line for line in lines.values())
    assert "fake-quant" in lines["onnxruntime_cuda"] and "INT8" not in lines["onnxruntime_cuda"]


@pytest.mark.parametrize(("bytes_each", "l2_bytes"), [(786_432, 64 << 20), (11_059_200, 50 << 20), (10, 0)])
def test_buffers_outgrow_the_cache(bytes_each, l2_bytes):
    count = buffers_beyond_cache(bytes_each, l2_bytes)
    assert count >= 2 and (count - 1) * bytes_each >= 2 * l2_bytes


def test_pictures_survive_the_way_to_the_gpu_and_back(monkeypatch):
    """On the CPU, which takes the same calls."""
    import torch

    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_: self)
    image = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    for layout in ("NCHW", "NHWC"):
        assert np.array_equal(cuda.from_gpu(cuda.to_gpu(image, layout), layout), image)
