"""The real GPU engine as a runtime. Everything that starts it is slow; its canaries are in tests/engines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.engines.gpu_probe import adapter_in, reason_in
from exporter.engines.litert_versions import NEWEST, litert_folder
from exporter.errors import EngineError
from exporter.inspect.gpu.acceptance import accepted
from exporter.measure.latency import Call, table_jobs, time_calls
from exporter.measure.parity import parity_db
from exporter.not_measured import NotMeasured
from exporter.runtimes import runtime
from tests.inspect.gpu.corpus import CORPUS
from tests.inspect.gpu.engine import gpu_engine
from tests.runtimes.tiny_models import TinyFiles, photo

NAMES = ("litert_gpu", "litert_gpu_fp32")
LOG = """I0000 1 2 environment.cc:532] Selected adapter: llvmpipe (LLVM 15.0.6, 256 bits), arch=software, vendor=mesa
ERROR: Following operations are not supported by GPU delegate:
DEQUANTIZE: 
RESHAPE: Tensor "a" has bad input dims size: 6.
RESHAPE: Tensor "b" has bad input dims size: 6.
No operations will run on the GPU, and all 3 operations will run on the CPU.
"""  # noqa: W291


def spec(path: Path, side: int, channels: int) -> Artifact:
    tensor = TensorSpec((1, side, side, channels), "NHWC")
    return Artifact(Format.TFLITE, path, tensor, tensor, sha256_of(path))


def test_the_engines_log_is_understood() -> None:
    assert adapter_in(LOG) == "llvmpipe (LLVM 15.0.6, 256 bits)" and adapter_in("") == ""
    said = reason_in(LOG, "RuntimeError: Some ops are not accelerated")
    assert said == 'RESHAPE: Tensor "a" has bad input dims size: 6. / Tensor "b" has bad input dims size: 6.'
    assert reason_in("Traceback\nRuntimeError: lost\nINFO: bye", "INFO: bye") == "RuntimeError: lost"


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_engine_says_what_to_type(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    assert "exporter runtimes --install litert_gpu" in str(runtime(name).missing())


@pytest.mark.parametrize("name", NAMES)
def test_a_software_gpus_times_are_never_a_phones(name: str, tiny: TinyFiles) -> None:
    (latency,) = time_calls([Call(runtime(name), tiny.tflite(), 2, photo(0))], 5, 1)
    assert isinstance(latency, NotMeasured)
    assert latency.reason == f"{name} is not timed: a software GPU's times say nothing about a phone's"
    assert all(job[0].name not in NAMES for job in table_jobs([tiny.tflite()], [1]))
    assert "on software Vulkan" in runtime(name).device(2) and "2 threads, " in runtime(name).device(2)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_pictures_as_on_the_cpu(name: str, tiny: TinyFiles) -> None:
    gpu_engine()
    images = [photo(seed) for seed in (10, 11)]
    # int8: the GPU computes in floats between rounded tensors, so single values differ by a few codes.
    for kind, least_db in (("fp32", 60 if name == "litert_gpu" else 120), ("int8", 45)):
        with runtime("litert_cpu").open(tiny.tflite(kind), 2) as session:
            expected = session.infer_all(images)
        with runtime(name).open(tiny.tflite(kind), 2) as session:
            pictures = session.infer_all(images)
        apart_db = min(parity_db(*pair) for pair in zip(expected, pictures, strict=True))
        assert apart_db > least_db, kind
        assert kind != "fp32" or name != "litert_gpu" or apart_db < 120, "it computed in fp32"


@pytest.mark.slow
def test_what_the_gpu_refuses_is_an_error_and_never_falls_back(tmp_path: Path) -> None:
    gpu_engine()
    artifact = spec(CORPUS["windows of rank 6"]().write(tmp_path / "model.tflite"), 8, 4)
    assert "RESHAPE" in str(accepted(artifact))
    with (
        pytest.raises(EngineError, match="litert_gpu: RESHAPE: .*bad input dims size: 6"),
        runtime("litert_gpu").open(artifact, 1) as session,
    ):
        session.infer(np.zeros((8, 8, 4), np.float32))
    assert accepted(spec(CORPUS["conv"]().write(tmp_path / "good.tflite"), 8, 4)) is None


@pytest.mark.slow
def test_without_the_driver_there_is_no_answer(
    tiny: TinyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu_engine()
    wheels = litert_folder(NEWEST)
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    (tmp_path / "litert_gpu/driver").mkdir(parents=True)
    litert_folder(NEWEST).parent.mkdir()
    litert_folder(NEWEST).symlink_to(wheels)
    with pytest.raises(EngineError, match="adapter|WebGPU"), runtime("litert_gpu").open(tiny.tflite(), 1) as session:
        session.infer(photo(0))
