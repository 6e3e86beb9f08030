"""A small network's release, the next one with other weights, and one that was judged by other pictures."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from exporter.bundle.attest import write_attestations
from exporter.bundle.sums import PROVENANCE, SBOM, SUMS, digests, sums_text
from exporter.cli import main
from exporter.releases import measure
from tests.bundle.changes import MANIFEST, REPORT, edit, put
from tests.conftest import picture
from tests.recipes.recipe_folder import SIDE, write_recipe_folder


@pytest.fixture(scope="session")
def releases(teacher_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with recipe, pictures and dist/: tiny-1.0, tiny-1.1 (other weights), tiny-2.0 (judged by others)."""
    import torch

    folder = tmp_path_factory.mktemp("releases")
    saved = torch.load(teacher_file, weights_only=True)
    saved["model"] = {key: value * 1.02 if value.ndim == 4 else value for key, value in saved["model"].items()}
    torch.save(saved, folder / "other.h5")
    targets = {"torch": {"runtime": "torch_cpu"}}
    recipe = write_recipe_folder(folder, teacher_file, stages=[], targets=targets)
    shutil.copytree(folder / "evaluation", folder / "others")
    _save(folder / "others" / "sharp" / "0.png", picture(400, SIDE, SIDE))
    here = Path.cwd()
    os.chdir(folder)
    try:
        assert main([f"recipe={recipe}"]) == 0
        assert main([f"recipe={recipe}", "version=1.1", "model.checkpoint=other.h5"]) == 0
    finally:
        os.chdir(here)
    _judged_by_others(Path(shutil.copytree(folder / "dist" / "tiny-1.1", folder / "dist" / "tiny-2.0")))
    return folder


@pytest.fixture
def at_releases(releases: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(releases)
    monkeypatch.setattr(measure, "TURNS", 1)
    monkeypatch.setattr(measure, "CALLS", 1)
    return releases


def _judged_by_others(bundle: Path) -> None:
    for file in (MANIFEST, REPORT):
        edit(bundle, file, put("provenance", "evaluation", "sha256", "77" * 32))
    for file in (SBOM, PROVENANCE):
        (bundle / file).unlink()
    write_attestations(bundle)
    (bundle / SUMS).write_text(sums_text(digests(bundle)))


def _save(path: Path, image: np.ndarray) -> None:
    from PIL import Image

    Image.fromarray((image * 255 + 0.5).astype(np.uint8)).save(path)
