"""A file on further engines: real ones, one that is not here, one that fails, one that gives other pictures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.errors import EngineError
from exporter.judge.budget import Pledge, judge
from exporter.judge.verdicts import tally
from exporter.measure.cross_runtime import PICTURES, check_runtimes
from exporter.measure.evaluation import Renderings
from exporter.measure.results import Parity
from exporter.measure.targets import measure_target
from exporter.not_measured import NotMeasured
from exporter.recipes.promises import Budget
from exporter.runtimes import runtime
from exporter.runtimes.tflite_runtime import TfliteRuntime
from tests.measure.test_accuracy_and_targets import evaluation
from tests.runtimes.tiny_models import TinyFiles

TORCH, LITERT = runtime("torch_cpu"), runtime("litert_cpu")
PLEDGED = {"t": Pledge("litert_cpu", Budget(min_parity_db=80), ("swapped",))}


class Swapped:
    """A runtime that really runs, but another file than it was given: weights that were changed on the way."""

    name, takes = "swapped", LITERT.takes

    def __init__(self, file) -> None:
        self.file = file

    def missing(self):
        return None

    def device(self, threads):
        return "swapped"

    def open(self, artifact, threads):
        if self.file is None:
            raise EngineError("out of memory")
        return LITERT.open(self.file, threads)


@pytest.fixture(scope="module")
def renderings() -> Renderings:
    return Renderings(iter(evaluation()), threads=1)


@pytest.mark.extra("old-runtime")
def test_an_older_engine_gives_the_same_int8_pictures(tiny: TinyFiles, renderings: Renderings):
    file = tiny.tflite("int8")
    own, expected = renderings.of(file, LITERT), renderings.of(tiny.torch(), TORCH)
    (check,) = check_runtimes(file, [runtime("tflite_runtime")], own, expected, renderings)
    assert check.device.startswith("tflite-runtime 2.14") and check.parity.images == PICTURES
    assert 0 < check.max_abs < 8 / 255, "its kernels round in other places"
    assert check.parity.worst_psnr_db > 30
    assert abs(check.loss_db) < 0.1, "on the same pictures, against the float model"


def test_what_is_not_here_is_not_measured_and_counts_only_where_all_are_demanded(
    tiny: TinyFiles, renderings: Renderings
):
    absent = TfliteRuntime(python="/nowhere/python")
    result = measure(tiny.tflite(), [absent], tiny, renderings)
    (check,) = result.cross_runtime
    assert not check.installed and "/nowhere/python" in check.parity.reason and result.findings == ()
    pledges, results = {"t": Pledge("litert_cpu", Budget(min_parity_db=60), (absent.name,))}, {"t": result}
    for demand_all, exit_code in ((False, 0), (True, 3)):
        verdicts = judge(pledges, results, demand_all)
        assert [v.status for v in verdicts] == ["kept", "not measured"]
        assert tally(verdicts).status.exit_code == exit_code


def test_other_pictures_miss_the_targets_own_promise(tiny: TinyFiles, renderings: Renderings):
    result = measure(tiny.tflite(), [Swapped(tiny.tflite("int8"))], tiny, renderings)
    assert isinstance(result.cross_runtime[0].parity, Parity) and result.cross_runtime[0].max_abs > 0
    verdicts = judge(PLEDGED, {"t": result})
    assert [v.status for v in verdicts] == ["kept", "missed"]
    assert "on swapped is" in verdicts[1].sentence


def test_an_engine_that_fails_is_an_error(tiny: TinyFiles, renderings: Renderings):
    result = measure(tiny.tflite(), [Swapped(None)], tiny, renderings)
    assert result.cross_runtime[0].parity == NotMeasured("out of memory", failed=True)
    assert [f.severity for f in result.findings] == ["error"]
    assert [v.status for v in judge(PLEDGED, {"t": result})] == ["kept", "not measured"]


def measure(file, also_on, tiny: TinyFiles, renderings: Renderings):
    result = measure_target("t", LITERT, file, tiny.torch(), TORCH, renderings, threads=1, also_on=also_on)
    return replace(result, findings=tuple(f for f in result.findings if f.severity == "error"))
