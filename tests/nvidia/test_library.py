"""What is special to TensorRT itself, on stand-ins of its versions; and machines without a GPU."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

from exporter.errors import MissingTool, StageError
from exporter.nvidia import build, gpu, library
from exporter.nvidia.build import build_plan
from exporter.nvidia.gpu import Gpu
from exporter.nvidia.library import Library, missing_library, open_library
from tests.nvidia.stand_in import stand_in

ADA = Gpu("NVIDIA Test", "00ff", "8.9", "580.65.06", 64 << 20)


@pytest.fixture
def installed(monkeypatch):
    """`installed("11.4.0")`: a stand-in of that version can be imported as tensorrt, beside a GPU."""

    def install(version: str):
        module = stand_in(version)
        monkeypatch.setitem(sys.modules, "tensorrt", module)
        monkeypatch.setattr(library, "find_spec", lambda name: object() if name == "tensorrt" else None)
        monkeypatch.setattr(library, "missing_gpu", lambda: None)
        return module

    return install


@pytest.mark.parametrize("version", ["10.0.1", "10.13.3", "11.4.0.106"])
def test_versions_with_and_without_precision_flags_build_the_same_way(version, installed, monkeypatch, tmp_path):
    module = installed(version)
    monkeypatch.setattr(build, "find_gpu", lambda: ADA)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    opened = open_library("tensorrt")
    plan = build_plan(opened, Path("model.onnx"), None, None)
    assert opened.title == f"TensorRT {version}"
    assert (plan.content, plan.weights_bytes, plan.inputs[0].dtype) == (b"plan", 123, "float32")
    assert module.asked == [1 << 1], "strongly typed, and nothing that one of the versions does not know"


def test_timings_of_one_gpu_driver_and_version_are_kept_and_given_back(installed, monkeypatch, tmp_path):
    installed("11.4.0")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for machine, expected in ((ADA, b"+"), (ADA, b"++"), (Gpu("Other", "01", "8.9", "580", 1), b"+")):
        monkeypatch.setattr(build, "find_gpu", lambda machine=machine: machine)
        build_plan(open_library("tensorrt"), Path("model.onnx"), None, None)
        newest = max((tmp_path / "exporter" / "nvidia").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        assert newest.read_bytes() == expected


def test_too_old(installed):
    installed("8.6.1")
    with pytest.raises(MissingTool, match=r"TensorRT 8\.6\.1 has no strongly typed networks\n.*TensorRT 10"):
        open_library("tensorrt")


def test_a_target_is_chosen_for_tensorrt_rtx_only(installed):
    installed("11.4.0")
    with pytest.raises(StageError, match="builds for the GPU it runs on"):
        build_plan(open_library("tensorrt"), Path("model.onnx"), None, "8.9")


def test_absent(monkeypatch):
    monkeypatch.setattr(library, "find_spec", lambda name: None)
    with pytest.raises(MissingTool, match=r"TensorRT-RTX is not installed: pip install 'exporter\[tensorrt-rtx\]'"):
        open_library("tensorrt_rtx")
    assert "from NVIDIA" in (missing_library("tensorrt") or "")


def test_tensorrt_needs_the_gpu_to_build(installed, monkeypatch):
    installed("11.4.0")
    monkeypatch.setattr(library, "missing_gpu", lambda: "there is no NVIDIA driver here")
    with pytest.raises(MissingTool, match="builds on the GPU the engine is for: there is no NVIDIA driver"):
        open_library("tensorrt")


def test_the_logger_keeps_what_it_is_told():
    logger = Library("tensorrt", stand_in("11.0")).logger()
    logger.log(1, "bad")
    logger.log(3, "fine")
    assert logger.said(0, 1) == ["bad"]


class _Driver:
    """libcuda with one GPU, or as broken as told."""

    def __init__(self, starts: bool = True, count: int = 1) -> None:
        self._starts, self._count = starts, count

    def cuInit(self, flags):  # noqa: N802
        return 0 if self._starts else 999

    def cuDeviceGetCount(self, count):  # noqa: N802
        count._obj.value = self._count
        return 0

    def cuDeviceGet(self, device, number): ...  # noqa: N802

    def cuDeviceGetName(self, name, length, device):  # noqa: N802
        name.value = b"NVIDIA Test"

    def cuDeviceGetUuid(self, uuid, device):  # noqa: N802
        ctypes.memmove(uuid, bytes(range(16)), 16)

    def cuDeviceGetAttribute(self, value, number, device):  # noqa: N802
        value._obj.value = {75: 8, 76: 9, 38: 64 << 20}[number]

    def cuDriverGetVersion(self, version):  # noqa: N802
        version._obj.value = 13000


def test_what_the_driver_says(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "_DRIVER_FILE", tmp_path / "none")
    assert gpu._ask(_Driver()) == Gpu("NVIDIA Test", bytes(range(16)).hex(), "8.9", "CUDA 13.0", 64 << 20)
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27\nGCC 12.3")
    monkeypatch.setattr(gpu, "_DRIVER_FILE", tmp_path / "version")
    assert gpu._ask(_Driver()).driver == "580.65.06"


def test_a_driver_without_gpu():
    assert "shows no GPU" in gpu._ask(_Driver(count=0))
    assert "does not start (CUDA error 999)" in gpu._ask(_Driver(starts=False))


def test_no_driver(monkeypatch):
    def absent(name):
        raise OSError(name)

    monkeypatch.setattr(gpu.ctypes, "CDLL", absent)
    gpu.find_gpu.cache_clear()
    assert "libcuda.so.1 is not found" in gpu.missing_gpu()
    gpu.find_gpu.cache_clear()
