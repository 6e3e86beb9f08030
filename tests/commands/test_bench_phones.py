"""`exporter bench --runtime android_adb --serials …`: what is said of phones that run, differ, and go away.

What a run on a phone gives is made up here; `tests/android/test_side_by_side.py` has two phones run it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.android import device as device_module
from exporter.android import several
from exporter.android.adb import Adb, ConnectionLost, Device
from exporter.android.device import Conditions, Phone
from exporter.android.protocol import GoldenDistance, Result, Thermal
from exporter.android.runs import DeviceRun
from exporter.android.several import Asked
from exporter.cli import main
from exporter.commands.bench_phone import Job, Way
from exporter.delegate_log import DelegateLog
from exporter.engines.litert_versions import write_abs
from exporter.errors import MissingTool

COOL = Conditions(True, 0, False, True, (2000000, 3000000), (300000,), ("schedutil",), 80, 28.1, True, True)
STEADY = tuple(4.0 + 0.01 * (i % 5) for i in range(50))
SERIALS = ("PIXEL8", "S23")
Run = Callable[[str, Job], DeviceRun]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_abs(tmp_path_factory.mktemp("model") / "tiny.tflite", version=1))


def phone(serial: str) -> Phone:
    return Phone(serial, f"Phone {serial}", "SoC 1", "15", 35, "build", "arm64-v8a", f"boot {serial}", False)


def ran(serial: str, job: Job, **changes: object) -> DeviceRun:
    """A run without fault, or one with other fields of the result, conditions or log."""
    before, after, log = (changes.pop(key, kept) for key, kept in (("before", COOL), ("after", COOL), ("log", None)))
    result = {
        "schema_version": 1,
        "run": "0" * 32,
        "engine": "LiteRT 2.3.0 CompiledModel",
        "model_sha256": job.subject.artifact.sha256,
        "backend": job.load.backend,
        "accelerated": True,
        "threads": job.load.threads,
        "init_ms": 9.0,
        "first_run_ms": 8.0,
        "samples_ms": STEADY,
        "thermal": (Thermal(after_s=0, status=0),),
        "memory_kb": 2048,
        "golden": GoldenDistance(vectors=1, max_abs=1e-5, psnr_db=100.0),
        **changes,
    }
    return DeviceRun(phone(serial), "app", before, after, Result.model_validate(result), log or DelegateLog())


class Bench:
    """`gone`: why a phone cannot be used, by serial; read before the start, and again when one does not answer."""

    def __init__(self, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.gone = dict.fromkeys(SERIALS, "")
        self._model, self._patch, self._capsys = model, monkeypatch, capsys
        monkeypatch.setattr("exporter.android.adb.find_adb", lambda: "adb")
        monkeypatch.setattr(several, "choose_devices", lambda adb, serials: [self._asked(adb, one) for one in SERIALS])
        monkeypatch.setattr(several, "why_gone", lambda device: self.gone[device.serial])
        monkeypatch.setattr(device_module, "describe", lambda device: phone(device.serial))

    def _asked(self, adb: Adb, serial: str) -> Asked:
        return Asked(Device(adb, serial), self.gone[serial])

    def __call__(self, run: Run, *words: str) -> tuple[int, str]:
        """The exit code and what was printed; `run` stands for what happens on a phone."""
        self._patch.setattr(Way, "_run", lambda way, device, _, job: run(device.serial, job))
        start = ["bench", self._model, "--runtime", "android_adb", "--serials", "all", "--app", "--threads", "1"]
        code = main([*start, *words])
        return code, self._capsys.readouterr().out


@pytest.fixture
def bench(model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(model, monkeypatch, capsys)


def flat(text: str) -> str:
    return " ".join(text.split())


def rows_of(said: str) -> dict[str, dict]:
    return {row["phone"]: row for row in json.loads(said)["rows"]}


def test_each_phone_has_its_figures_and_its_conditions(bench, tmp_path: Path):
    code, said = bench(ran, "--json", "--out", str(tmp_path / "phones.json"))
    assert code == 0 and json.loads((tmp_path / "phones.json").read_text()) == json.loads(said)
    assert json.loads(said)["bundles"] == []
    for serial, row in rows_of(said).items():
        assert row["p50_ms"] == pytest.approx(4.02) and row["p95_ms"] == pytest.approx(4.04) and row["noise"] == []
        assert row["p50_ci95_ms"][0] <= row["p50_ms"] <= row["p50_ci95_ms"][1]
        assert row["before"]["battery_celsius"] == 28.1 and row["after"]["cpu_governors"] == ["schedutil"]
        assert phone(serial).soc == "SoC 1" and row["golden"]["psnr_db"] == 100.0
    assert [one["phone"]["name"] for one in json.loads(said)["phones"]] == ["Phone PIXEL8", "Phone S23"]


def test_a_phone_that_does_not_answer_once_is_asked_again(bench):
    def run(serial: str, job: Job) -> DeviceRun:
        if serial == "S23" and job.load.threads == 2:
            raise ConnectionLost("S23: the connection ended before the command did: adb said nothing")
        return ran(serial, job)

    code, said = bench(run, "--threads", "1,2,3", "--json")
    rows = json.loads(said)["rows"]
    assert code == 3 and [row["not_measured"] for row in rows if row["phone"] == "PIXEL8"] == [None] * 3
    assert [bool(row["not_measured"]) for row in rows if row["phone"] == "S23"] == [False, True, False]


def test_from_the_moment_that_a_phone_is_gone_nothing_is_asked_of_it_and_the_other_goes_on(bench):
    tried: list[int] = []

    def run(serial: str, job: Job) -> DeviceRun:
        if serial == "S23":
            tried.append(job.load.threads)
            if len(tried) == 2:
                bench.gone["S23"] = "S23 is offline"
                raise ConnectionLost("S23: the connection ended")
        return ran(serial, job)

    code, said = bench(run, "--threads", "1,2,3", "--json")
    reasons = {
        serial: [r["not_measured"] for r in json.loads(said)["rows"] if r["phone"] == serial] for serial in SERIALS
    }
    assert code == 3 and tried == [1, 2]
    assert reasons == {"PIXEL8": [None] * 3, "S23": [None, "S23 is offline", "S23 is offline"]}
    assert [one["not_measured"] for one in json.loads(said)["phones"]] == [None, "S23 is offline"]


def test_a_phone_that_may_not_be_used_is_named_with_the_reason(bench):
    bench.gone["S23"] = "S23 is unauthorized (allow this computer on its screen)"
    code, said = bench(ran)
    assert code == 3 and "S23 is not measured: S23 is unauthorized (allow this computer on its screen)" in flat(said)
    assert "tiny.tflite on cpu, 1 thread, PIXEL8: LiteRT 2.3.0" in flat(said)


def test_a_phone_without_the_app_keeps_nobody_else_from_running(bench):
    def run(serial: str, job: Job) -> DeviceRun:
        if serial == "S23":
            raise MissingTool("S23 has not the app")
        return ran(serial, job)

    code, said = bench(run, "--json")
    assert code == 3 and rows_of(said)["S23"]["not_measured"] == "S23 has not the app"
    assert rows_of(said)["PIXEL8"]["p50_ms"]


def test_conditions_that_differ_between_phones_are_named(bench):
    hot = replace(COOL, power_save=True, screen_on=False, battery_percent=20)
    code, said = bench(lambda serial, job: ran(serial, job, before=hot if serial == "S23" else COOL))
    assert code == 0, "said, and no verdict: nobody asked for equal conditions"
    assert "not like for like: PIXEL8 and S23 have power_save False and True, screen_on True and False" in flat(said)
    assert "20 % → 80 %" in flat(said) and "schedutil" in said and "28.1" in said


def test_runs_of_one_phone_under_different_conditions_are_not_compared(bench):
    def run(serial: str, job: Job) -> DeviceRun:
        warm = serial == "S23" and job.load.threads == 2
        return ran(serial, job, before=replace(COOL, thermal_status=1) if warm else COOL)

    code, said = bench(run, "--threads", "1,2")
    assert code == 3 and "S23 is not measured: runs under different conditions are not compared" in flat(said)


def test_another_picture_is_a_miss_even_where_a_phone_is_gone(bench):
    bench.gone["S23"] = "S23 is offline"
    wrong = GoldenDistance(vectors=1, max_abs=0.5, psnr_db=12.0)
    code, said = bench(lambda serial, job: ran(serial, job, golden=wrong))
    assert code == 1 and "gives another picture: 12.0 dB, max |Δ| 0.5 from litert_cpu" in flat(said)


def test_a_phone_that_throttles_and_one_whose_median_is_uncertain_are_noisy(bench):
    def run(serial: str, job: Job) -> DeviceRun:
        if serial == "S23":
            return ran(serial, job, thermal=(Thermal(after_s=0, status=0), Thermal(after_s=31, status=3)))
        return ran(serial, job, samples_ms=tuple(4.0 if i < 25 else 8.0 for i in range(50)))

    code, said = bench(run, "--json")
    rows = rows_of(said)
    assert code == 0 and rows["S23"]["throttled"] == "severe, first after 31 s"
    assert rows["S23"]["noise"] == ["throttling severe, first after 31 s"]
    assert rows["PIXEL8"]["noise"][0].startswith("the median is uncertain, 4 to 8 ms")


PART = DelegateLog({"PACK": "Operation is not supported."}, 4, 5, False)


@pytest.mark.parametrize(("least", "code"), [("0.8", 3), ("0.9", 1)])
def test_the_share_that_the_accelerator_took_is_held_against_its_promise(least: str, code: int, bench):
    def run(serial: str, job: Job) -> DeviceRun:
        return ran(serial, job, log=PART) if serial == "S23" else ran(serial, job)

    words = ("--backend", "gpu", "--min-accelerated-share", least, "--json")
    found, said = bench(run, *words)
    rows = rows_of(said)
    assert found == code, "what fell back is not timed; a share below what was promised is a miss"
    assert rows["S23"]["accelerated_share"] == 0.8 and "4 of 5 operators, because PACK" in rows["S23"]["took"]
    assert rows["PIXEL8"]["accelerated_share"] == 1.0 and rows["PIXEL8"]["missed"] is None
    assert bool(rows["S23"]["missed"]) == (code == 1)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--serial", "S23"), "--serial and --serials: name the phones in one of them"),
        (("--serials", " , "), "--serials names no phone"),
        (("--min-accelerated-share", "2"), "a share is 0 to 1"),
        (("--backend", "npu"), "no backend is named 'npu'"),
        (("{folder}", "--out", "{folder}/phones.json"), "lies in the bundle"),
    ],
)
def test_words_that_do_not_fit(words: tuple[str, ...], problem: str, model: str, tmp_path: Path, capsys):
    said = [word.replace("{folder}", str(tmp_path)) for word in words]
    assert main(["bench", model, "--runtime", "android_adb", "--serials", "all", *said]) == 2
    assert problem in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--serials", "all"), ("--out", "x.json"), ("--devices", "Pixel 8")])
def test_an_option_that_would_say_nothing_is_refused(words: tuple[str, ...], model: str, capsys) -> None:
    assert main(["bench", model, *words]) == 2
    assert f"{words[0]} is for phones: it needs --" in capsys.readouterr().err


def test_figures_that_cannot_be_written_down_are_seen_all_the_same(bench: Bench, tmp_path: Path, capsys) -> None:
    (tmp_path / "file").touch()
    code, said = bench(ran, "--out", str(tmp_path / "file" / "phones.json"))
    assert code == 2 and "4.02" in said
