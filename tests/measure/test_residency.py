"""Residency as a promise, with real engines: kept by a network that fits, missed by one operator that does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from exporter.artifact import Artifact
from exporter.inspect.residency import ask_residency
from exporter.inspect.results import Residency
from exporter.judge.budget import Pledge, judge
from exporter.judge.verdicts import Verdict, tally
from exporter.measure.evaluation import Renderings
from exporter.measure.results import TargetResult
from exporter.measure.targets import measure_target
from exporter.not_measured import NotMeasured
from exporter.recipes.promises import Budget
from exporter.runtimes import runtime
from exporter.runtimes.base import Runtime
from exporter.runtimes.placement import Placement
from exporter.runtimes.tflite_runtime import TfliteRuntime
from tests.inspect.gpu.engine import gpu_engine
from tests.measure.test_accuracy_and_targets import evaluation
from tests.runtimes.tiny_models import TinyFiles
from tests.stages.chain import to_tflite

TORCH, LITERT = runtime("torch_cpu"), runtime("litert_cpu")
WHOLE = Budget(min_accelerated_share=1.0, forbid_fallback=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("left_behind")
    return {name: to_tflite(folder / name, f"tests.measure.left_behind:{name}") for name in ("Left", "Taken")}


@pytest.fixture(scope="module")
def renderings() -> Renderings:
    return Renderings(iter(evaluation()), threads=1)


def judged(file: Artifact, engine: Runtime) -> tuple[Verdict, ...]:
    absent = NotMeasured("nobody asked")
    residency = ask_residency(engine, file)
    result = TargetResult("t", engine.name, file, absent, absent, absent, absent, residency=residency)
    return judge({"t": Pledge(engine.name, WHOLE)}, {"t": result})


def test_xnnpack_keeps_the_promise_of_a_network_that_fits_and_misses_it_by_one_operator(files: dict[str, Artifact]):
    kept = judged(files["Taken"], LITERT)
    assert [v.status for v in kept] == ["kept", "kept"] and tally(kept).status.exit_code == 0
    share, fallback = judged(files["Left"], LITERT)
    assert (share.status, share.value, fallback.status, fallback.value) == ("missed", 0.75, "missed", 1)
    named = "XNNPACK took 3 of 4, because RELU_0_TO_1 in body.1 (XNNPACK has no such operator)"
    assert share.sentence.endswith(named) and fallback.sentence.endswith(named)
    assert tally((share, fallback)).status.exit_code == 1


@pytest.mark.slow
def test_the_gpu_keeps_the_promise_of_a_network_that_fits_and_misses_it_by_one_operator(files: dict[str, Artifact]):
    gpu_engine()
    engine = runtime("litert_gpu")
    assert [v.status for v in judged(files["Taken"], engine)] == ["kept", "kept"]
    share, _ = judged(files["Left"], engine)
    assert (share.status, share.value) == ("missed", 0.5)
    assert share.sentence.endswith("GPU took 2 of 4, because RELU_0_TO_1 in body.1 (Not supported op RELU_0_TO_1)")


def measured(file: Artifact, tiny: TinyFiles, renderings: Renderings, *also_on: Runtime) -> TargetResult:
    return measure_target("t", LITERT, file, tiny.torch(), TORCH, renderings, threads=1, also_on=also_on)


@pytest.mark.extra("old-runtime")
def test_every_engine_of_a_target_says_what_it_took(tiny: TinyFiles, renderings: Renderings):
    result = measured(tiny.tflite("int8"), tiny, renderings, runtime("tflite_runtime"))
    old = result.cross_runtime[0].residency
    assert isinstance(result.residency, Residency) and isinstance(old, Residency)
    assert (result.residency.taken, old.taken, old.ran) == (3, 0, "built-in kernels")
    assert "XNNPACK computes it in float alone, not in int8" in result.residency.because
    assert "took nothing that computes in integers" in old.because
    pledges = {"t": Pledge("litert_cpu", Budget(min_accelerated_share=0.6), ("tflite_runtime",))}
    assert [v.status for v in judge(pledges, {"t": result})] == ["kept", "missed"]


def test_an_engine_that_is_absent_took_nothing_that_anybody_knows(tiny: TinyFiles, renderings: Renderings):
    absent = TfliteRuntime(python="/nowhere/python")
    result = measure_target("t", absent, tiny.tflite(), tiny.torch(), TORCH, renderings, threads=1)
    verdicts = judge({"t": Pledge(absent.name, WHOLE)}, {"t": result})
    assert [v.status for v in verdicts] == ["not measured", "not measured"]
    assert "/nowhere/python" in verdicts[0].sentence and tally(verdicts).status.exit_code == 3


class Gpu:
    """Says that it is a GPU, and is the CPU with the file that it was given, or with another."""

    name, takes, cpu_twin = "so_called_gpu", LITERT.takes, "litert_cpu"

    def __init__(self, other: Artifact | None = None) -> None:
        self.other = other

    def missing(self) -> None:
        return None

    def device(self, threads: int) -> str:
        return "a GPU"

    @contextmanager
    def open(self, artifact: Artifact, threads: int) -> Iterator[object]:
        with LITERT.open(self.other or artifact, threads) as session:
            session.placement = lambda: Placement("GPU", "a GPU", 5, 5)  # type: ignore[method-assign]
            yield session


def test_a_gpus_picture_that_is_the_cpus_to_the_last_bit_is_suspect(tiny: TinyFiles, renderings: Renderings):
    result = measured(tiny.tflite(), tiny, renderings, Gpu())
    (suspicion,) = [finding for finding in result.findings if finding.rule == "suspect"]
    said = "its pictures are those of litert_cpu to the last bit: GPU probably did not run"
    assert suspicion.severity == "warning" and suspicion.message == f"so_called_gpu: {said}"
    _, share = judge({"t": Pledge("litert_cpu", Budget(min_accelerated_share=0.1), (Gpu.name,))}, {"t": result})
    assert (share.runtime, share.status) == (Gpu.name, "not measured") and share.sentence.endswith(said)
    own = measure_target("t", Gpu(), tiny.tflite(), tiny.torch(), TORCH, renderings, threads=1)
    assert isinstance(own.residency, Residency) and own.residency.suspect == said


def test_a_picture_that_differs_in_some_bit_is_not_suspect(tiny: TinyFiles, renderings: Renderings):
    result = measured(tiny.tflite(), tiny, renderings, Gpu(tiny.tflite("fp16")))
    assert result.cross_runtime[0].residency == Residency("GPU", "a GPU", 5, 5)
    assert "suspect" not in {finding.rule for finding in result.findings}


@pytest.mark.slow
def test_the_real_gpu_is_not_suspect(tiny: TinyFiles, renderings: Renderings):
    gpu_engine()
    for kind in ("fp32", "int8"):
        result = measured(tiny.tflite(kind), tiny, renderings, runtime("litert_gpu"))
        found = result.cross_runtime[0].residency
        assert isinstance(found, Residency) and found.is_whole and not found.suspect
        assert found.accelerator == "GPU" and "llvmpipe" in found.ran


def test_a_measurement_of_residency_survives_being_kept(files: dict[str, Artifact]):
    from pydantic import TypeAdapter

    found = ask_residency(LITERT, files["Left"])
    kept = TypeAdapter(Residency).validate_python(TypeAdapter(Residency).dump_python(found, mode="json"))
    assert kept == found and replace(kept, suspect="x") != found
