"""CUDA runtimes where there is no GPU: they say so, and never pass for one another. Their pure parts."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import numpy as np
import pytest

from exporter.artifact import Format
from exporter.errors import EngineError
from exporter.nvidia.gpu import Gpu
from exporter.nvidia.library import Library
from exporter.runtimes import CUDA_RUNTIMES, cuda, onnxruntime_cuda
from exporter.runtimes.cuda import buffers_beyond_cache, missing_torch_cuda
from exporter.runtimes.onnxruntime_cuda import require_provider
from exporter.runtimes.tensorrt import TensorrtSession
from exporter.runtimes.torch_cuda import TorchCudaSession
from tests.conftest import artifact_of
from tests.nvidia.stand_in import stand_in

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
    import onnxruntime

    monkeypatch.setattr(onnxruntime_cuda, "missing_torch_cuda", lambda: None)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
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


class _HalvingEngine:
    """A TensorRT engine, its context and runtime in one: halves a picture at the addresses it was given."""

    num_io_tensors = 2
    runs = True

    def get_tensor_name(self, number):
        return ("input", "output")[number]

    def create_execution_context(self):
        self._addresses = {}
        return self

    def set_input_shape(self, name, shape):
        self._shape = shape
        return max(shape) <= 64

    def get_tensor_shape(self, name):
        return self._shape

    def set_tensor_address(self, name, address):
        self._addresses[name] = address

    def create_engine_inspector(self):
        return SimpleNamespace(
            get_engine_information=lambda form: {"JSON": '{"Layers": ["conv1 + relu", "conv2"]}'}[form]
        )

    def execute_async_v3(self, stream):
        count = int(np.prod(self._shape))
        given, made = ((ctypes.c_float * count).from_address(self._addresses[n]) for n in ("input", "output"))
        np.frombuffer(made, np.float32)[:] = np.frombuffer(given, np.float32) / 2
        return self.runs


@pytest.fixture
def open_engine(monkeypatch, tmp_path):
    """`open_engine(engine)`: a session on a stand-in of TensorRT whose runtime gives that engine; tensors stay here."""
    import torch

    monkeypatch.setattr(cuda, "DEVICE", "cpu")
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: SimpleNamespace(cuda_stream=0))

    def open_(engine):
        module = stand_in("11.4.0")
        module.LayerInformationFormat = SimpleNamespace(JSON="JSON")
        module.Runtime = lambda logger: SimpleNamespace(deserialize_cuda_engine=lambda plan: engine)
        (tmp_path / "m.engine").write_bytes(b"plan")
        artifact = artifact_of(tmp_path / "m.engine", Format.TENSORRT)
        return TensorrtSession(Library("tensorrt", module), b"plan", artifact)

    return open_


def test_an_engine_is_given_addresses_and_fills_them(open_engine):
    image = np.random.default_rng(0).random((8, 12, 3), dtype=np.float32)
    with open_engine(_HalvingEngine()) as session:
        one, two = session.infer(image), session.infer(image * 2)
    assert np.array_equal(one, image / 2) and np.array_equal(two, image)
    with pytest.raises(EngineError, match="closed"):
        session.infer(image)


def test_a_tensorrt_engine_is_on_the_gpu_layer_by_layer(open_engine):
    with open_engine(_HalvingEngine()) as session:
        placement = session.placement()
    assert (placement.accelerator, placement.operators, placement.taken) == ("TensorRT", 2, 2)
    assert placement.left == ()


def test_what_an_engine_refuses_is_an_error(open_engine):
    with pytest.raises(EngineError, match=r"TensorRT 11\.4\.0 refuses m\.engine here"):
        open_engine(None)
    with open_engine(_HalvingEngine()) as session, pytest.raises(EngineError, match="takes no picture of"):
        session.infer(np.zeros((65, 12, 3), np.float32))
    failing = _HalvingEngine()
    failing.runs = False
    with open_engine(failing) as session, pytest.raises(EngineError, match="could not run m.engine"):
        session.infer(np.zeros((8, 12, 3), np.float32))


@pytest.mark.parametrize(("dtype", "least", "most"), [("float32", 0, 1e-6), ("float16", 1e-6, 2e-3)])
def test_a_torch_session_gives_the_networks_picture(dtype, least, most, monkeypatch, tmp_path):
    """In its own precision: a float16 session that never left float32 would be too exact."""
    import torch

    monkeypatch.setattr(cuda, "DEVICE", "cpu")
    (tmp_path / "n.safetensors").write_bytes(b"x")
    artifact = artifact_of(tmp_path / "n.safetensors", Format.TORCH)
    image = np.random.default_rng(0).random((8, 12, 3), dtype=np.float32)
    network = torch.nn.AvgPool2d(3, 1, 1).eval()
    expected = network(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    with TorchCudaSession(network, artifact, getattr(torch, dtype), torch.channels_last, False) as session:
        assert least <= np.abs(session.infer(image) - expected).max() <= most
    with pytest.raises(EngineError, match="closed"):
        session.infer(image)


def test_pictures_survive_the_way_to_the_gpu_and_back(monkeypatch):
    """On the CPU, which takes the same calls."""
    import torch

    monkeypatch.setattr(cuda, "DEVICE", "cpu")
    image = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    for layout, shape in (("NCHW", (1, 3, 5, 7)), ("NHWC", (1, 5, 7, 3))):
        there = cuda.to_gpu(image, layout)
        assert tuple(there.shape) == shape and there.dtype == torch.float32
        assert np.array_equal(cuda.from_gpu(there, layout), image)
        half = cuda.to_gpu(image, layout, torch.float16)
        assert half.dtype == torch.float16
        assert np.array_equal(cuda.from_gpu(half, layout), image.astype(np.float16).astype(np.float32))
