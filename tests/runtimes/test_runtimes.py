"""The contract every member of CPU_RUNTIMES gets for free, and what is special to one of them."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest

from exporter.artifact import Artifact, Format
from exporter.errors import EngineError, RecipeError
from exporter.runtimes import CPU_RUNTIMES, RUNTIMES, runtime
from exporter.runtimes.base import Runtime
from tests.runtimes.tiny_models import TinyFiles, photo, weights

RUNTIME_IDS = [r.name for r in CPU_RUNTIMES]
OLD_RUNTIME = pytest.mark.extra("old-runtime")
MEMBERS = [pytest.param(r, marks=OLD_RUNTIME) if r.name == "tflite_runtime" else r for r in CPU_RUNTIMES]
IN_OUR_PROCESS = [r for r in CPU_RUNTIMES if r.name != "tflite_runtime"]


def artifact_for(member: Runtime, tiny: TinyFiles) -> Artifact:
    return {Format.TORCH: tiny.torch, Format.ONNX: tiny.onnx, Format.TFLITE: tiny.tflite}[member.takes]()


def expected(image: np.ndarray) -> np.ndarray:
    """The tiny network in plain numpy float64: no engine is its own judge."""

    def convolve(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        height, width = x.shape[:2]
        return sum(
            padded[i : i + height, j : j + width] @ kernel[:, :, i, j].T.astype(float)
            for i in range(3)
            for j in range(3)
        )

    first, second = weights()
    x = image.astype(float)
    return np.clip(x + convolve(np.clip(convolve(x, first), 0, 6), second), 0, 1)


def test_names_are_unique_and_found():
    assert len({r.name for r in RUNTIMES}) == len(RUNTIMES)
    assert all(runtime(r.name) is r for r in RUNTIMES)
    with pytest.raises(RecipeError, match="no runtime is named 'litert_npu'; did you mean 'litert_gpu'"):
        runtime("litert_npu")


@pytest.mark.parametrize("member", MEMBERS, ids=RUNTIME_IDS)
def test_contract(member: Runtime, tiny: TinyFiles):
    assert member.missing() is None
    assert isinstance(member.takes, Format)
    assert "2 threads, " in member.device(2) and "1 thread, " in member.device(1)
    assert any(digit.isdigit() for digit in member.device(1).split(",")[0]), "the device names the version"
    images = [photo(seed) for seed in (10, 11, 12)]
    with member.open(artifact_for(member, tiny), 2) as session:
        pictures = session.infer_all(images)
        again = session.infer(images[1])
        samples_ms = session.time_ms(images[0], runs=3, warmup=1)
    for image, picture in zip(images, pictures, strict=True):
        assert picture.dtype == np.float32 and picture.shape == image.shape
        assert np.abs(picture - expected(image)).max() < 1e-5
    assert np.array_equal(pictures[1], again), "an earlier picture must not be overwritten by a later one"
    assert len(samples_ms) == 3 and all(ms > 0 for ms in samples_ms)


@pytest.mark.parametrize("member", MEMBERS, ids=RUNTIME_IDS)
def test_a_file_that_is_no_model_is_an_engine_error(member: Runtime, tiny: TinyFiles, tmp_path):
    good = artifact_for(member, tiny)
    path = tmp_path / f"broken{good.path.suffix}"
    path.write_bytes(good.path.read_bytes()[:100])
    with pytest.raises(Exception) as caught, member.open(replace(good, path=path), 1) as session:
        session.infer(photo(0))
    assert type(caught.value).__name__ in ("EngineError", "CheckpointError")


@pytest.mark.parametrize("member", MEMBERS, ids=RUNTIME_IDS)
def test_a_picture_of_another_size_never_gives_a_wrong_sized_answer(member: Runtime, tiny: TinyFiles):
    if member.takes == Format.TORCH:  # it takes any size
        return
    with pytest.raises(EngineError), member.open(artifact_for(member, tiny), 1) as session:
        session.infer(photo(0, 48, 32))


@pytest.mark.parametrize("name", ["litert_cpu", pytest.param("tflite_runtime", marks=OLD_RUNTIME)])
@pytest.mark.parametrize("kind", ["int8", "uint8", "float_io", "fp16"])
def test_quantised_input_and_output(name: str, kind: str, tiny: TinyFiles):
    image = photo(20)
    with runtime(name).open(tiny.tflite(kind), 1) as session:
        error = session.infer(image) - expected(image)
    assert 20 * np.log10(1 / np.sqrt(np.mean(error**2))) > (60 if kind == "fp16" else 35)


def test_qdq_in_onnx_runtime(tiny: TinyFiles):
    image = photo(21)
    with runtime("onnxruntime_cpu").open(tiny.qdq(), 1) as session:
        error = session.infer(image) - expected(image)
    assert 20 * np.log10(1 / np.sqrt(np.mean(error**2))) > 35


@pytest.mark.parametrize("name", ["onnxruntime_cpu", "litert_cpu"])
def test_layout_comes_from_the_artifact(name: str, tiny: TinyFiles):
    """A description that names the other layout must not be able to give a plausible picture."""
    good = artifact_for(runtime(name), tiny)
    other = "NHWC" if good.input.layout == "NCHW" else "NCHW"
    wrong = replace(good, input=replace(good.input, layout=other))
    with pytest.raises(EngineError), runtime(name).open(wrong, 1) as session:
        session.infer(photo(0))


@pytest.mark.parametrize("member", IN_OUR_PROCESS, ids=lambda member: member.name)
def test_a_closed_session_holds_no_model(member: Runtime, tiny: TinyFiles):
    with member.open(artifact_for(member, tiny), 1) as session:
        session.infer(photo(0))
    with pytest.raises((EngineError, ValueError), match="closed"):
        session.infer(photo(0))


def test_torch_thread_count_is_put_back(tiny: TinyFiles):
    import torch

    before = torch.get_num_threads()
    with runtime("torch_cpu").open(tiny.torch(), before + 1) as session:
        session.infer(photo(0))
    assert torch.get_num_threads() == before


def test_onnx_runtime_uses_only_the_cpu(tiny: TinyFiles):
    with runtime("onnxruntime_cpu").open(tiny.onnx(), 1) as session:
        assert session._session.get_providers() == ["CPUExecutionProvider"]


def test_waiting_threads_do_not_spin():
    """Set by `import exporter`, before torch loads OpenMP: on a shared machine spinning costs a factor of 80."""
    assert "OMP_WAIT_POLICY" in os.environ  # the user may have chosen otherwise
