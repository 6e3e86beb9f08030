"""What the ARM64 kernels compute, on three emulated processors, held against this machine's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from exporter.artifact import Artifact
from exporter.bundle.golden import tolerances
from exporter.cli import main
from exporter.engines.arm import CPUS, ArmEngine
from exporter.engines.gpu_canary import write_overflow
from exporter.errors import EngineError, RecipeError
from exporter.inspect.model_file import artifact_of_file
from exporter.measure.latency import Call, time_calls
from exporter.not_measured import NotMeasured
from exporter.runtimes import runtime
from exporter.runtimes.arm import CPU_VARIABLE, LiteRtArm, LiteRtArmFp16, TfliteRuntimeArm
from exporter.runtimes.base import Image
from tests.conftest import REPO
from tests.installed import put_together
from tests.runtimes.tiny_models import TinyFiles, photo
from tools.arm_gate import change_weights

IMAGES = [photo(30), photo(31)]


@pytest.fixture(scope="session")
def arm_engine() -> Iterator[ArmEngine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPORTER_ENGINES", os.environ.get("EXPORTER_ENGINES") or str(REPO / "build" / "engines"))
        put_together(ArmEngine())
        yield ArmEngine()


def pictures(engine: LiteRtArm, artifact: Artifact) -> list[Image]:
    with engine.open(artifact, 2) as session:
        return session.infer_all(IMAGES)


def here(artifact: Artifact) -> list[Image]:
    with runtime("litert_cpu").open(artifact, 2) as session:
        return session.infer_all(IMAGES)


def largest(some: list[Image], others: list[Image]) -> float:
    return max(float(np.abs(a.astype(float) - b).max()) for a, b in zip(some, others, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("cpu", CPUS)
def test_int8_is_the_same_bits_on_every_processor(cpu: str, arm_engine: ArmEngine, tiny: TinyFiles):
    assert largest(pictures(LiteRtArm(cpu), tiny.tflite("int8")), here(tiny.tflite("int8"))) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fp32", "fp16"])
def test_float_files_are_nearly_the_same(kind: str, arm_engine: ArmEngine, tiny: TinyFiles):
    assert largest(pictures(LiteRtArm(), tiny.tflite(kind)), here(tiny.tflite(kind))) <= 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fp16", "int8"])
def test_the_runtime_of_2023_runs_the_files(kind: Literal["fp16", "int8"], arm_engine: ArmEngine, tiny: TinyFiles):
    allowed = tolerances(kind, "litert_cpu", ())["other"]
    assert largest(pictures(TfliteRuntimeArm(), tiny.tflite(kind)), here(tiny.tflite(kind))) <= allowed.max_abs


@pytest.mark.slow
def test_changed_weights_are_noticed(arm_engine: ArmEngine, tiny: TinyFiles, tmp_path: Path):
    """The canary: a gate that this passes proves nothing."""
    change_weights(tiny.tflite("int8").path, tmp_path / "changed.int8.tflite")
    changed = artifact_of_file(tmp_path / "changed.int8.tflite")
    assert largest(pictures(LiteRtArm(), changed), here(tiny.tflite("int8"))) > 10 / 255


@pytest.mark.slow
def test_a_file_that_is_no_model_is_an_engine_error(arm_engine: ArmEngine, tiny: TinyFiles, tmp_path: Path):
    good = tiny.tflite()
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(good.path.read_bytes()[:400])
    with pytest.raises(EngineError, match="litert_arm: the worker ended with"):
        pictures(LiteRtArm(), Artifact(good.format, broken, good.input, good.output, "0" * 64))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["fp32", "fp16"])
def test_half_precision_is_really_computed(kind: str, arm_engine: ArmEngine, tiny: TinyFiles):
    """Every value that comes out fits into sixteen bits, which those of single precision do not."""
    half, single = pictures(LiteRtArmFp16(), tiny.tflite(kind)), pictures(LiteRtArm(), tiny.tflite(kind))
    assert 1e-4 < largest(half, single) < 5e-3
    assert all(np.array_equal(picture, picture.astype(np.float16)) for picture in half)
    assert not any(np.array_equal(picture, picture.astype(np.float16)) for picture in single)


@pytest.mark.slow
def test_what_leaves_half_precision_is_lost_natively_and_not_when_it_is_upcast(arm_engine: ArmEngine, tmp_path: Path):
    canary = artifact_of_file(write_overflow(tmp_path / "overflow.tflite"))
    image = np.linspace(0, 1, 8 * 8 * 3, dtype=np.float32).reshape(8, 8, 3)
    made = {}
    for engine in (LiteRtArmFp16(), LiteRtArm(), runtime("litert_cpu")):
        with engine.open(canary, 1) as session:
            made[engine.name] = session.infer(image)
    upcast = made["litert_arm"], made["litert_cpu"]
    assert all(np.allclose(picture, 2 * image, rtol=1e-5) for picture in upcast)
    lost = ~np.isfinite(made["litert_arm_fp16"])
    assert lost[image > 0.34].all() and not lost[image < 0.32].any()


def test_a_processor_that_does_not_overflow_is_refused(monkeypatch: pytest.MonkeyPatch):
    def single(self, models, cpu, *, half):
        return [[0.5, 1.9]]

    monkeypatch.setattr(ArmEngine, "answers", single)
    with pytest.raises(EngineError, match="emulated max does not overflow in half precision: it computes in fp32"):
        ArmEngine().check_half("max")
    monkeypatch.setattr(ArmEngine, "answers", lambda self, models, cpu, *, half: [[0.5, None]])
    with pytest.raises(EngineError, match="computes wrongly in fp32"):
        ArmEngine().check_half("max")


def test_half_precision_wants_a_processor_that_has_it(monkeypatch: pytest.MonkeyPatch):
    assert "CompiledModel XNNPACK in fp16, 2 threads, cortex-a76 emulated" in LiteRtArmFp16().device(2)
    monkeypatch.setenv(CPU_VARIABLE, "cortex-a53")
    with pytest.raises(RecipeError, match="cortex-a53 has no half precision arithmetic(.|\n)*cortex-a76, max"):
        LiteRtArmFp16().device(1)


@pytest.mark.parametrize("engine", [LiteRtArm(), LiteRtArmFp16(), TfliteRuntimeArm()], ids=lambda engine: engine.name)
def test_its_times_are_nobodys(engine: LiteRtArm, tiny: TinyFiles, capsys: pytest.CaptureFixture[str]):
    (latency,) = time_calls([Call(engine, tiny.tflite(), 1, IMAGES[0])], 3, 1)
    assert isinstance(latency, NotMeasured) and "emulated CPU" in latency.reason
    with engine.open(tiny.tflite(), 1) as session, pytest.raises(EngineError, match="emulated CPU"):
        session.time_ms(IMAGES[0], 3, 1)
    assert main(["bench", str(tiny.tflite().path), "--runtime", engine.name]) == 3
    assert "emulated CPU" in capsys.readouterr().err


def test_the_device_names_the_processor(monkeypatch: pytest.MonkeyPatch):
    assert "cortex-a76 emulated by qemu" in LiteRtArm().device(2) and "2 threads" in LiteRtArm().device(2)
    monkeypatch.setenv(CPU_VARIABLE, "max")
    assert "1 thread, max emulated" in LiteRtArm().device(1) and "cortex-a53" in LiteRtArm("cortex-a53").device(1)
    monkeypatch.setenv(CPU_VARIABLE, "6502")
    with pytest.raises(RecipeError, match="EXPORTER_ARM_CPU=6502: no such processor(.|\n)*cortex-a53"):
        LiteRtArm().device(1)


def test_without_the_engine_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    why = LiteRtArm().missing() or ""
    assert why.endswith("exporter runtimes --install arm") and "\n" not in why
