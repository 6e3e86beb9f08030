"""A result is believed only when it is whole and answers this run; the worker writes one that is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exporter.android import bench_worker
from exporter.android.device import Phone
from exporter.android.protocol import Request, read_result
from exporter.android.runs import DeviceRun
from exporter.artifact import Artifact, sha256_of
from exporter.errors import EngineError
from exporter.runtimes import runtime
from tests.android.test_adb import COOL
from tests.runtimes.tiny_models import TinyFiles, photo

RUN = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyFiles:
    return TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models")


def request_for(folder: Path, artifact: Artifact, expected: np.ndarray | None = None, **changes: object) -> Request:
    """A request whose golden folder holds one pair: our LiteRT's answer, or `expected`."""
    golden = folder / "golden"
    golden.mkdir(exist_ok=True)
    image = photo(3)
    if expected is None:
        with runtime("litert_cpu").open(artifact, 1) as session:
            expected = session.infer(image)[None]
    np.save(golden / "0.input.npy", image[None])
    np.save(golden / "0.output.npy", expected)
    parts = {"run": RUN, "model": str(artifact.path), "golden": str(golden), "backend": "cpu", "threads": 1}
    parts |= {"warmup": 1, "runs": 4, "seconds": 0, "result": str(folder / "result.json")}
    return Request.model_validate(parts | changes)


def work(folder: Path, request: Request, engine: str = "ai_edge_litert") -> str:
    """The worker's answer, from a process without the exporter."""
    (folder / "request.json").write_text(json.dumps(request.model_dump() | {"engine": engine}))
    subprocess.run(
        [sys.executable, "-I", bench_worker.__file__, folder / "request.json"], check=True, capture_output=True
    )
    return (folder / "result.json").read_text()


@pytest.fixture(scope="module")
def answered(tiny: TinyFiles, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Request, str]:
    """A real answer: its text, the request, the model's digest."""
    artifact, folder = tiny.tflite(), tmp_path_factory.mktemp("answered")
    request = request_for(folder, artifact)
    return work(folder, request), request, artifact.sha256


def test_the_worker_answers_what_was_asked(answered: tuple[str, Request, str]):
    result = read_result(*answered)
    assert len(result.samples_ms) == 4 and result.accelerated and result.engine.startswith("ai_edge_litert ")
    assert result.golden.vectors == 1 and result.golden.max_abs == 0 and result.golden.psnr_db == 200
    assert result.memory_kb > 10_000 and result.thermal[0].status == -1, "there is no thermal service here"
    assert list(json.loads(answered[0]))[-1] == "end"


def test_every_way_of_cutting_it_short_is_refused(answered: tuple[str, Request, str]):
    text, request, digest = answered
    for length in range(0, len(text), 7):
        with pytest.raises(EngineError, match="cut short|not complete"):
            read_result(text[:length], request, digest)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"end": False}, "no end mark"),
        ({"run": "f" * 32}, "of another run"),
        ({"model_sha256": "0" * 64}, "ran another model"),
        ({"backend": "gpu"}, "ran gpu"),
        ({"threads": 2}, "with 2 threads"),
        ({"samples_ms": [1.0, 2.0, 3.0]}, "gave 3 timings"),
        ({"samples_ms": [1.0, 2.0, 3.0, 0.0]}, "some unusable"),
        ({"golden": None}, "does not fit the protocol: golden"),
        ({"schema_version": 2}, "does not fit the protocol: schema_version"),
        ({"error": "out of memory"}, "failed on the phone: out of memory"),
    ],
)
def test_an_answer_to_something_else_is_refused(answered: tuple[str, Request, str], changes: dict, refused: str):
    text, request, digest = answered
    with pytest.raises(EngineError, match=refused):
        read_result(json.dumps(json.loads(text) | changes), request, digest)


def test_nan_in_the_figures_is_refused(answered: tuple[str, Request, str]):
    text, request, digest = answered
    with pytest.raises(EngineError, match="golden.psnr_db"):
        read_result(text.replace('"psnr_db": 200.0', '"psnr_db": NaN'), request, digest)


def test_only_what_is_shown_counts(tiny: TinyFiles, tmp_path: Path):
    """The vector lies beyond 1 where the engine's picture is 0.9999 at most: on a screen both are white."""
    artifact = tiny.tflite()
    with runtime("litert_cpu").open(artifact, 1) as session:
        given = session.infer(photo(3))[None]
    white = given >= np.quantile(given, 0.9)
    beyond = np.where(white, given + 3, given)
    request = request_for(tmp_path, artifact, beyond)
    golden = read_result(work(tmp_path, request), request, artifact.sha256).golden
    assert golden.max_abs == pytest.approx(1 - given[white].min(), abs=1e-5)


def test_another_picture_is_seen(tiny: TinyFiles, tmp_path: Path):
    artifact = tiny.tflite()
    request = request_for(tmp_path, artifact, np.full((1, *photo(3).shape), 0.5, np.float32))
    golden = read_result(work(tmp_path, request), request, artifact.sha256).golden
    assert golden.psnr_db < 20 and golden.max_abs > 0.3


def test_a_picture_that_is_no_number_is_far_off(tiny: TinyFiles, tmp_path: Path):
    artifact = tiny.tflite()
    expected = np.full((1, *photo(3).shape), np.nan, np.float32)
    golden = read_result(work(tmp_path, request := request_for(tmp_path, artifact, expected)), request, artifact.sha256)
    assert golden.golden.psnr_db == -200 and golden.golden.max_abs == 1e9


def test_it_goes_on_for_as_long_as_asked(tiny: TinyFiles, tmp_path: Path):
    artifact = tiny.tflite()
    request = request_for(tmp_path, artifact, seconds=1)
    result = read_result(work(tmp_path, request), request, artifact.sha256)
    assert len(result.samples_ms) > 4 and result.thermal[-1].after_s >= 1


@pytest.mark.parametrize(
    ("changes", "engine", "said"),
    [
        ({"backend": "gpu"}, "ai_edge_litert", "runs on the CPU, not on gpu"),
        ({"model": "/nowhere/model.tflite"}, "ai_edge_litert", "FileNotFoundError"),
        ({"golden": "/nowhere"}, "ai_edge_litert", "holds no golden vectors"),
        ({}, "no_such_engine", "ModuleNotFoundError"),
    ],
)
def test_what_fails_over_there_is_told(changes: dict, engine: str, said: str, tiny: TinyFiles, tmp_path: Path):
    request = request_for(tmp_path, tiny.tflite(), **changes)
    with pytest.raises(EngineError, match=f"failed on the phone: .*{said}"):
        read_result(work(tmp_path, request, engine), request, sha256_of(tiny.tflite().path))


def test_extras_are_typed_for_am():
    request = Request(
        run=RUN, model="/m", golden="/g", backend="gpu", threads=2, warmup=0, runs=5, seconds=0, result="/r"
    )
    words = request.extras()
    assert words[:3] == ["--es", "run", RUN] and words[words.index("runs") - 1 :][:3] == ["--ei", "runs", "5"]
    assert len(words) == 3 * 9


def test_a_phone_that_throttles_is_seen(answered: tuple[str, Request, str]):
    text, request, digest = answered
    heat = [{"after_s": 0, "status": 0}, {"after_s": 70, "status": 1}, {"after_s": 140, "status": 2}]
    samples_ms = [10.0] * 8000 + [20.0] * 4000  # 160 s
    hot = json.dumps(json.loads(text) | {"thermal": heat, "samples_ms": samples_ms})
    phone = Phone("s", "Phone", "SoC", "15", 35, "print", "arm64-v8a", "boot", False)
    run = DeviceRun(phone, "app", COOL, COOL, read_result(hot, request, digest))
    assert run.throttled() == "moderate, first after 70 s" and run.sustained_ms() == (10.0, 20.0)
    cold = DeviceRun(phone, "app", COOL, COOL, read_result(text, request, digest))
    assert cold.throttled() == "" and cold.sustained_ms() is None
