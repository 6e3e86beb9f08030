"""What bundles hand out in `code/`: Python, Java and Kotlin make of a photograph what `exporter run` makes of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.bundle.verify import checked_files
from exporter.cli import main
from tests.android.conftest import DEMO
from tests.conftest import REPO
from tools.toolchains.apk import ApkToolchain
from tools.toolchains.kotlin import KotlinToolchain

PHOTOS = sorted((REPO / "calibration" / "training_384").glob("*.jpg"))
SIZES = ((450, 600), (333, 251))  # height × width: landscape, and a portrait of odd sides
PRECISIONS = ("int8", "fp16")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four photographs beside each other, cropped."""
    folder = tmp_path_factory.mktemp("photographs")
    four = [np.asarray(Image.open(path).convert("RGB")) for path in PHOTOS[::5][:4]]
    wide = np.vstack([np.hstack(four[:2]), np.hstack(four[2:])])
    paths = [folder / f"{height}x{width}.png" for height, width in SIZES]
    for path, (height, width) in zip(paths, SIZES, strict=True):
        Image.fromarray(wide[150 : 150 + height, 75 : 75 + width]).save(path)
    return paths


@pytest.fixture(scope="module")
def expected(bundle: Path, photographs: list[Path], tmp_path_factory) -> dict[tuple[str, str], np.ndarray]:
    """(precision, photograph) to what `exporter run` makes of it."""
    folder, made = tmp_path_factory.mktemp("run"), {}
    for precision in PRECISIONS:
        (model,) = (bundle / "models").glob(f"*.{precision}.tflite")
        for photo in photographs:
            assert main(["run", "--model", str(model), str(photo), str(folder / photo.name)]) == 0
            made[precision, photo.name] = pixels(folder / photo.name)
            assert not np.array_equal(made[precision, photo.name], pixels(photo))
    return made


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def on_a_jvm(
    apk: ApkToolchain, program: Sequence[str | Path], bundle: Path, photographs: list[Path], folder: Path
) -> dict[tuple[str, str], np.ndarray]:
    made = {}
    for precision in PRECISIONS:
        words: list[object] = [*program, sys.executable, DEMO / "jvm" / "litert_child.py", bundle, precision]
        for photo in photographs:
            picture = pixels(photo)
            (folder / f"{photo.stem}.rgb").write_bytes(picture.tobytes())
            words += [folder / f"{photo.stem}.rgb", *picture.shape[:2], folder / f"{photo.stem}.out"]
        java = [apk.jdk_tool("java"), "-XX:+UseSerialGC", *words]
        done = subprocess.run([str(word) for word in java], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        for photo in photographs:
            raw = np.frombuffer((folder / f"{photo.stem}.out").read_bytes(), np.uint8)
            made[precision, photo.name] = raw.reshape(pixels(photo).shape)
    return made


def same(found: dict[tuple[str, str], np.ndarray], expected: dict[tuple[str, str], np.ndarray]) -> bool:
    return found.keys() == expected.keys() and all(np.array_equal(found[key], expected[key]) for key in expected)


@pytest.mark.slow
def test_python_makes_the_same_picture(bundle, photographs, expected, tmp_path) -> None:
    program = bundle / "code" / "python" / "restore.py"
    made = {}
    for precision, photo in ((precision, photo) for precision in PRECISIONS for photo in photographs):
        (model,) = (bundle / "models").glob(f"*.{precision}.tflite")
        words = [sys.executable, program, photo, tmp_path / "out.png", model]
        subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
        made[precision, photo.name] = pixels(tmp_path / "out.png")
    assert same(made, expected)
    assert checked_files(bundle), "and nothing was written into the bundle"
    made["int8", photographs[0].name] = made["int8", photographs[0].name] ^ 1
    assert not same(made, expected)


@pytest.mark.slow
def test_java_makes_the_same_picture(apk, classes, bundle, photographs, expected, tmp_path) -> None:
    program = ["-cp", classes, "io.github.exporter.deblur.jvm.RestoreMain"]
    assert same(on_a_jvm(apk, program, bundle, photographs, tmp_path), expected)


@pytest.mark.slow
def test_kotlin_makes_the_same_picture(android, classes, bundle, photographs, expected, tmp_path) -> None:
    kotlin = KotlinToolchain()
    kotlin.install(lambda line: None)
    sources = [bundle / "code/kotlin/Photographs.kt", Path(__file__).with_name("kotlin") / "PhotographsMain.kt"]
    kotlin.compile(sources, tmp_path / "classes", [classes])
    path = ":".join(map(str, (tmp_path / "classes", classes, kotlin.folder / "kotlin-stdlib.jar")))
    program = ["-cp", path, "io.github.exporter.deblur.jvm.PhotographsMainKt"]
    assert same(on_a_jvm(android, program, bundle, photographs, tmp_path), expected)
