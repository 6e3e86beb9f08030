"""LiteRT in a real browser as a runtime. Everything that starts one is slow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exporter.browser.chromium import Chromium
from exporter.browser.interpreter import BrowserInterpreter
from exporter.engines.gpu_canary import SIDE, write_overflow, write_six_dimensions
from exporter.engines.litert_web import LiteRtWebEngine
from exporter.errors import EngineError, LostWorker
from exporter.measure.latency import Call, table_jobs, time_calls
from exporter.not_measured import NotMeasured
from exporter.runtimes import runtime
from exporter.runtimes.cpu import available_cores
from tests.installed import put_together
from tests.runtimes.test_litert_gpu import spec
from tests.runtimes.tiny_models import TinyFiles, photo

NAMES = ("litert_web", "litert_web_gpu")


@pytest.fixture(scope="module")
def engine() -> LiteRtWebEngine:
    engine = LiteRtWebEngine()
    put_together(engine)
    return engine


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_engine_says_what_to_type(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    assert "exporter runtimes --install litert_web" in str(runtime(name).missing())


def test_a_software_gpu_is_not_timed(tiny: TinyFiles) -> None:
    (latency,) = time_calls([Call(runtime("litert_web_gpu"), tiny.tflite(), 2, photo(0))], 2, 0)
    assert isinstance(latency, NotMeasured) and "litert_web_gpu is not timed: a software GPU" in latency.reason
    assert all(job[0].name != "litert_web_gpu" for job in table_jobs([tiny.tflite()], [1]))


def test_a_browser_that_does_not_start_is_one_sentence(tmp_path: Path) -> None:
    program = tmp_path / "browser"
    program.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 3\n")
    program.chmod(0o755)
    with pytest.raises(EngineError, match="the browser ended with exit code 3: no such library"):
        Chromium(program)


@pytest.mark.slow
def test_codes_and_times_as_beside_litert_for_python(engine: LiteRtWebEngine, tiny: TinyFiles) -> None:
    pictures = [photo(seed) for seed in range(3)]
    for artifact in (tiny.tflite(), tiny.tflite("int8")):
        with runtime("litert_cpu").open(artifact, 1) as beside, runtime("litert_web").open(artifact, 2) as web:
            wanted, made = beside.infer_all(pictures), web.infer_all(pictures)
            samples_ms = web.time_ms(pictures[0], runs=4, warmup=1)
            placed, theirs = web.placement(), beside.placement()
        if theirs is not None and theirs.taken == theirs.operators:
            assert placed is not None and (placed.taken, placed.operators) == (theirs.taken, theirs.operators)
        else:
            assert placed is None, "it does not tell which it left"
        tolerance = 0 if "int8" in artifact.path.name else 1e-5
        assert max(np.abs(a - b).max() for a, b in zip(wanted, made, strict=True)) <= tolerance
        assert len(samples_ms) == 4 and all(0 < sample < 60_000 for sample in samples_ms)
    device = runtime("litert_web").device(1000)
    assert "LiteRT.js 2.5.3 in Chromium " in device and "relaxed SIMD" in device
    assert f"{available_cores()} thread" in device, "no more threads are said than are had"


@pytest.mark.slow
def test_webgpu_takes_all_of_a_file_or_says_what_it_does_not(engine: LiteRtWebEngine, tmp_path: Path) -> None:
    web = runtime("litert_web_gpu")
    if reason := web.missing():
        pytest.fail(reason)
    taken = spec(write_overflow(tmp_path / "a.tflite"), SIDE, 3)
    picture = photo(0, SIDE, SIDE)
    with web.open(taken, 1) as session:
        assert np.allclose(session.infer(picture), 2 * picture, rtol=1e-5)
        placed = session.placement()
    assert placed is not None and placed.taken == placed.operators == 3 and "swiftshader" in placed.ran
    refused = spec(write_six_dimensions(tmp_path / "b.tflite"), SIDE, 3)
    with pytest.raises(EngineError, match="RESHAPE"), web.open(refused, 1):
        pass


@pytest.mark.slow
def test_what_the_browser_does_not_take_is_a_sentence(engine: LiteRtWebEngine, tiny: TinyFiles, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(tiny.tflite().path.read_bytes()[:600])
    with pytest.raises(EngineError, match="litert_web could not run damaged.tflite"):
        runtime("litert_web").open(replace(tiny.tflite(), path=damaged), 1)
    with BrowserInterpreter(tiny.tflite().path, engine.web) as interpreter:
        with pytest.raises(EngineError, match="no such thing"):
            interpreter.browser.evaluate("Promise.reject(new Error('no such thing'))")
        with pytest.raises(LostWorker, match=r"gave no answer to Runtime.evaluate"):
            interpreter.browser.evaluate("new Promise(() => 0)", timeout_s=0.2)
        assert interpreter.browser.evaluate("1 + 1") == 2, "a late answer to an earlier call is passed over"
        with pytest.raises(EngineError, match="page crashed|browser ended"):
            interpreter.browser.call("Page.crash", timeout_s=20)
