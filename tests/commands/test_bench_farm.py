"""`exporter bench … --farm`: the words of the command line, and one row for every device whatever became of it.

A farm that answers as the test says stands in for the services, whose own answers are replayed in `tests/farms/`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from exporter.cli import main
from exporter.commands import bench_farm
from exporter.engines.litert_versions import write_abs
from exporter.errors import EngineError, MissingTool
from exporter.farms.base import FarmDevice, Layer, Order, Outcome, ProfiledRun
from exporter.not_measured import NotMeasured

PIXEL, GALAXY = FarmDevice("1", "Google Pixel 8", "15", "tensor"), FarmDevice("2", "Samsung Galaxy S23", "14")
NPU, CPU = Layer("conv", "CONV_2D", "NPU"), Layer("pack", "PACK", "CPU")


class StandIn:
    """A farm with two phones; `outcomes`: by id what becomes of them, a run where nothing is said."""

    name = "ai-hub"
    backends = ("npu", "gpu", "cpu")

    def __init__(self) -> None:
        self.outcomes: dict[str, Outcome | None] = {}
        self.fault: Exception | None = None
        self.absent = ""
        self.layers: tuple[Layer, ...] = (NPU,)
        self.wrong = False

    def missing(self) -> str | None:
        return self.absent or None

    def devices(self) -> list[FarmDevice]:
        return [PIXEL, GALAXY]

    def measure(self, devices: list[FarmDevice], order: Order) -> dict[str, Outcome]:
        if self.fault:
            raise self.fault
        found = {device.id: self.outcomes.get(device.id, self.run(device, order)) for device in devices}
        return {id: outcome for id, outcome in found.items() if outcome is not None}

    def run(self, device: FarmDevice, order: Order) -> ProfiledRun:
        outputs = tuple(np.full_like(output, np.nan) if self.wrong else output for _, output in order.golden)
        load = order.load
        times = tuple(2.0 + 0.01 * (i % 3) for i in range(30))
        return ProfiledRun(
            device, "j1", "LiteRT", order.backend, load.threads, times, 9.0, None, 2048, outputs, self.layers
        )


@pytest.fixture
def farm(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn()
    monkeypatch.setattr(bench_farm, "farm_of", lambda args: stand_in)
    return stand_in


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_abs(tmp_path_factory.mktemp("model") / "tiny.tflite", version=1))


@pytest.fixture
def bench(model: str, farm: StandIn, capsys: pytest.CaptureFixture[str]):
    def call(*words: str) -> tuple[int, str]:
        code = main(["bench", model, "--farm", "ai-hub", "--devices", "Pixel 8,Galaxy S23", "--threads", "1", *words])
        said = capsys.readouterr()
        return code, said.out if code in (0, 1, 3) and said.out else said.err

    return call


def test_every_device_has_its_row(bench, tmp_path: Path) -> None:
    code, said = bench("--json", "--out", str(tmp_path / "farm.json"))
    document = json.loads(said)
    assert code == 0 and json.loads((tmp_path / "farm.json").read_text()) == document
    assert [one["name"] for one in document["phones"]] == ["Google Pixel 8", "Samsung Galaxy S23"]
    for row in document["rows"]:
        assert row["backend"] == "npu" and row["p50_ms"] == pytest.approx(2.01) and row["accelerated_share"] == 1
        assert row["golden"]["max_abs"] == 0 and row["layers"] == [{"name": "conv", "kind": "CONV_2D", "unit": "NPU"}]
    assert "2.01" in bench()[1]


@pytest.mark.parametrize("outcome", [None, NotMeasured("the farm had an error, the device may have been lost")])
def test_a_lost_device_is_no_pass(outcome: Outcome | None, bench, farm: StandIn) -> None:
    farm.outcomes["2"] = outcome
    code, said = bench("--json")
    first, second = json.loads(said)["rows"]
    assert code == 3 and first["not_measured"] is None and first["p50_ms"]
    assert second["p50_ms"] is None and (outcome.reason if outcome else "does not name") in second["not_measured"]


def test_a_farm_that_fails_in_the_middle_has_measured_nothing(bench, farm: StandIn) -> None:
    for fault in (EngineError("it does not answer"), MissingTool("the token has run out")):
        farm.fault = fault
        code, said = bench("--json")
        assert code == 3 and {row["not_measured"] for row in json.loads(said)["rows"]} == {str(fault)}


def test_a_farm_that_cannot_be_asked_says_what_to_do(bench, farm: StandIn) -> None:
    farm.absent = "exporter runtimes --install ai_hub"
    assert bench() == (3, f"error: {farm.absent}\nexit code 3: a promise could not be measured\n")


def test_another_picture_is_a_miss(bench, farm: StandIn) -> None:
    farm.wrong = True
    code, said = bench()
    assert code == 1 and "gives another picture: nan dB" in " ".join(said.split())


@pytest.mark.parametrize(
    ("layers", "code", "word"),
    [
        ((NPU, NPU), 0, "100%"),
        ((NPU, CPU), 1, "missed min_accelerated_share: 0.500 of its operators, promised 0.9: 1 of 2, because PACK"),
        ((CPU,), 1, "not measured: none of its 1 layers ran on the NPU"),
        ((), 3, "how many operators the accelerator took is not told"),
    ],
)
def test_layers_are_held_against_the_promised_share(layers, code: int, word: str, bench, farm: StandIn) -> None:
    farm.layers = layers
    found, said = bench("--min-accelerated-share", "0.9")
    assert found == code and word in " ".join(said.split())


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--devices", "Pxel 8"), "did you mean 'Google Pixel 8'"),
        (("--devices", ""), "--farm needs --devices"),
        (("--backend", "nnapi"), "--backend nnapi: ai-hub has npu, gpu, cpu, not 'nnapi'"),
        (("--runtime", "android_adb"), "--farm goes without --runtime"),
        (("--limit-minutes", "0"), "--limit-minutes 0: it must be above 0"),
        (("--apk", "none.apk"), "--apk none.apk: there is no such file"),
    ],
)
def test_words_that_do_not_fit(words: tuple[str, ...], problem: str, bench) -> None:
    code, said = bench(*words)
    assert code == 2 and problem in said


def test_a_farm_that_nobody_knows(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", model, "--farm", "aws-devicefarm", "--devices", "x"]) == 2
    assert "no device farm is named 'aws-devicefarm'; did you mean 'aws-device-farm'" in capsys.readouterr().err
