"""A bundle holds nothing of the machine it was made on: no variable of the environment, no folder, no user."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.recipes.recipe_folder import write_recipe_folder

MARK = "marker7f3secret"


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file by name, and what the compressed ones unpack to."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    yield from ((f"{path.name}/{name}", archive.read(name)) for name in archive.namelist())


@pytest.mark.slow
def test_no_path_and_no_variable_reaches_a_bundle(tmp_path: Path, teacher_file: Path) -> None:
    """The user, the home, the working folder and a variable all bear one mark, which no byte of the bundle repeats."""
    home = tmp_path / f"home-{MARK}"
    home.mkdir()
    recipe = write_recipe_folder(
        home,
        teacher_file,
        stages=[],
        targets={
            "torch": {"runtime": "torch_cpu"},
            "onnx": {"runtime": "onnxruntime_cpu", "stages": ["torch_to_onnx"]},
            "fp32": {"runtime": "litert_cpu", "stages": ["torch_to_onnx", "onnx_to_tflite"]},
        },
    )
    marked = dict.fromkeys(("USER", "LOGNAME", "SECRET_TOKEN", "HOSTNAME"), MARK)
    environment = os.environ | marked | {"HOME": str(home), "PYTHONPATH": str(REPO)}
    words = [sys.executable, "-m", "exporter", f"recipe={recipe}"]
    done = subprocess.run(words, cwd=home, env=environment, capture_output=True, text=True)
    bundle = home / "dist" / "tiny-1.0"
    assert done.returncode in (0, 3), done.stderr[-2000:]
    found = dict(contents(bundle))
    assert {"manifest.json", "SHA256SUMS"} <= found.keys()
    machine = [MARK, str(tmp_path), str(teacher_file.parent), str(REPO), sys.prefix]
    leaks = [(name, word) for name, content in found.items() for word in machine if word.encode() in content]
    assert not leaks
