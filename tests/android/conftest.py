"""The Java of android-demo/ compiled once, and a way to ask it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exporter.bundle import Golden, write_bundle
from exporter.data.images import read_pixels
from exporter.judge.outcome import Outcome
from exporter.runtimes import runtime
from tests.bundle.conftest import SIDE
from tests.bundle.conftest import finished as finished  # a finished run, as the bundle's own tests have it
from tests.conftest import REPO
from tests.installed import put_together
from tools.toolchains.apk import ApkToolchain

DEMO = REPO / "android-demo"
CODE = REPO / "exporter" / "bundle" / "code" / "java"
PHOTOS = sorted((REPO / "calibration" / "photos_256").glob("*.jpg"))[:2]
JUNIT = ("junit4.jar", "hamcrest.jar")


@pytest.fixture(scope="session")
def apk(monkeypatch_session: pytest.MonkeyPatch) -> ApkToolchain:
    """Java and JUnit."""
    tools = ApkToolchain()
    tools.install_java(lambda line: None)
    return tools


@pytest.fixture(scope="session")
def android(apk: ApkToolchain) -> ApkToolchain:
    """Java, and all that builds an APK."""
    put_together(apk)
    return apk


@pytest.fixture(scope="session")
def monkeypatch_session() -> pytest.MonkeyPatch:
    """Engines and toolchains lie under the repository, wherever a test stands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EXPORTER_ENGINES", os.environ.get("EXPORTER_ENGINES") or str(REPO / "build" / "engines"))
        yield patch


@pytest.fixture(scope="session")
def classes(apk: ApkToolchain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """core/, jvm/ and the tests' own Java."""
    folder = tmp_path_factory.mktemp("classes")
    jars = [apk.jar(name) for name in JUNIT]
    sources = [file for part in (CODE, DEMO / "core", DEMO / "jvm") for file in part.rglob("*.java")]
    apk.javac([*sources, *Path(__file__).with_name("java").glob("*.java")], folder, classpath=jars)
    return folder


@pytest.fixture(scope="session")
def ask(apk: ApkToolchain, classes: Path) -> Callable[..., bytes]:
    """`ask(folder, what, input, *numbers)`: what core/ makes of these bytes; `folder` is a scratch folder."""

    def answer(folder: Path, what: str, given: bytes | Path, *numbers: object) -> bytes:
        source = given if isinstance(given, Path) else folder / "in.bin"
        if isinstance(given, bytes):
            source.write_bytes(given)
        command = [apk.jdk_tool("java"), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes, "Answers"]
        done = subprocess.run(
            [str(word) for word in (*command, what, source, folder / "out.bin", *numbers)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return (folder / "out.bin").read_bytes()

    return answer


@pytest.fixture(scope="session")
def bundle(finished: tuple[Outcome, tuple[Golden, ...]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose golden vectors are crops of real photographs."""
    outcome, _ = finished
    golden = []
    for path in PHOTOS:
        pixels = read_pixels(path)[96 : 96 + SIDE, 96 : 96 + SIDE].copy()
        expected = {}
        for target in outcome.targets:
            if target.runtime != "tflite_runtime":
                with runtime(target.runtime).open(target.artifact, threads=1) as session:
                    expected[target.name] = session.infer(pixels.astype(np.float32) / 255)
        golden.append(Golden(path.stem, pixels, expected))
    return write_bundle(outcome, golden, tmp_path_factory.mktemp("dist"), multiple=4)
