"""What Java makes of a bundle: golden vectors judged, a bench run as BenchActivity does it, and core/'s own tests."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exporter.android.protocol import Request, read_result
from exporter.artifact import sha256_of
from exporter.bundle.manifest import read_manifest
from exporter.errors import EngineError
from tests.android.conftest import DEMO, JUNIT, PHOTOS
from tools.toolchains.apk import ApkToolchain

INT8 = "models/mobile_deblur.int8.tflite"


def vectors_of(bundle: Path, file: str) -> list[dict]:
    golden = json.loads((bundle / "golden" / "golden.json").read_text())
    return [entry for vector in golden["vectors"] for entry in vector["models"] if entry["model"] == file]


def run_litert(bundle: Path, file: str, folder: Path) -> None:
    """The raw output tensors that LiteRT gives for the bundle's golden inputs: 0.bin, 1.bin …"""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(bundle / file))
    interpreter.allocate_tensors()
    for index, entry in enumerate(vectors_of(bundle, file)):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.load(bundle / entry["input"]))
        interpreter.invoke()
        output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        (folder / f"{index}.bin").write_bytes(output.tobytes())


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_java_judges_golden_vectors(bundle: Path, precision: str, ask: Callable[..., bytes], tmp_path: Path) -> None:
    file = f"models/mobile_deblur.{precision}.tflite"
    run_litert(bundle, file, tmp_path)
    said = ask(tmp_path, "golden", bundle, file, "litert_cpu").decode().splitlines()
    assert said == ["ok", "ok", "models/mobile_deblur.fp16.tflite models/mobile_deblur.int8.tflite"]
    raw = bytearray((tmp_path / "1.bin").read_bytes())
    raw[len(raw) // 2 + 3] ^= 0x40  # one pixel
    (tmp_path / "1.bin").write_bytes(raw)
    said = ask(tmp_path, "golden", bundle, file, "litert_cpu").decode().splitlines()
    assert said[0] == "ok"
    assert said[1].startswith(f"{PHOTOS[1].stem}: "), "one flipped pixel must fail"
    assert "allowed" in said[1]


def bench(
    apk: ApkToolchain, classes: Path, folder: Path, bundle: Path, file: str, **changes: str
) -> tuple[str, Request]:
    """BenchMain with the words that the host gives BenchActivity: what it wrote, and what it was asked."""
    for index, entry in enumerate(vectors_of(bundle, file)):
        for kind in ("input", "output"):
            (folder / f"{index}.{kind}.npy").write_bytes((bundle / entry[kind]).read_bytes())
    paths = {"model": str(bundle / file), "golden": str(folder), "result": str(folder / "result.json")}
    asked = {"run": "0123456789abcdef" * 2, "backend": "cpu", "threads": 1, "warmup": 1, "runs": 3, "seconds": 0}
    request = Request.model_validate(asked | paths | changes)
    program = (sys.executable, DEMO / "jvm/litert_child.py")
    apk.java("-cp", classes, "io.github.exporter.deblur.jvm.BenchMain", *program, *request.extras())
    assert not (folder / "result.json.part").exists()
    return (folder / "result.json").read_text(), request


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_bench_run(bundle: Path, precision: str, apk: ApkToolchain, classes: Path, tmp_path: Path) -> None:
    file = f"models/mobile_deblur.{precision}.tflite"
    text, request = bench(apk, classes, tmp_path, bundle, file)
    sha256 = next(model.sha256 for model in read_manifest(bundle).models if model.file == file)
    result = read_result(text, request, sha256)
    assert list(json.loads(text))[-1] == "end"
    assert result.accelerated
    assert result.engine.startswith("LiteRT 2.")
    assert len(result.samples_ms) == 3
    assert [entry.status for entry in result.thermal] == [-1, -1]
    assert result.golden.vectors == 2
    assert result.golden.psnr_db > 60


def test_a_backend_that_is_not_there_is_said(bundle: Path, apk: ApkToolchain, classes: Path, tmp_path: Path) -> None:
    text, request = bench(apk, classes, tmp_path, bundle, INT8, backend="gpu")
    result = read_result(text, request, sha256_of(bundle / INT8))
    assert not result.accelerated
    assert len(result.samples_ms) == 3, "it goes on with what it falls back to"


def test_a_run_that_fails_says_so_in_its_result(bundle: Path, apk: ApkToolchain, classes: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes((bundle / INT8).read_bytes()[:200])
    text, request = bench(apk, classes, tmp_path, bundle, INT8, model=str(broken))
    assert json.loads(text)["golden"] is None
    with pytest.raises(EngineError, match=r"failed on the phone: broken\.tflite is a damaged \.tflite file"):
        read_result(text, request, sha256_of(broken))


@pytest.mark.parametrize("name", sorted(path.stem for path in Path(__file__).with_name("java").glob("*Test.java")))
def test_core_by_itself(name: str, apk: ApkToolchain, classes: Path) -> None:
    path = ":".join(str(part) for part in (classes, *(apk.jar(jar) for jar in JUNIT)))
    command = [str(apk.jdk_tool("java")), "-cp", path, "org.junit.runner.JUnitCore", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    assert "OK (" in done.stdout


@pytest.mark.slow
def test_the_whole_bundle_is_checked_by_the_apps_own_java(bundle: Path, tmp_path: Path) -> None:
    def check(folder: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(DEMO / "ci" / "check_bundle.py"), str(folder)]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    done = check(bundle)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("2 golden vectors are right") == 3
    changed = Path(shutil.copytree(bundle, tmp_path / bundle.name))
    output = changed / vectors_of(bundle, INT8)[1]["output"]
    data = bytearray(output.read_bytes())
    data[-1] ^= 0x40
    output.write_bytes(data)
    done = check(changed)
    assert done.returncode == 4
    assert f"{INT8} on LiteRT" in done.stderr
    assert "allowed" in done.stderr
