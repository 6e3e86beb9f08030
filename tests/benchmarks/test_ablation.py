"""benchmarks/ablation.py: every variant is a valid recipe on one budget; two tiny ones are trained and compared."""

import importlib
import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from exporter.recipes.train import load_train_recipe
from tests.conftest import REPO

TINY = (
    "data.pool.pairs=2", "data.pool.size_px=64", "training.crop_px=32", "training.batch=1", "training.warmup_steps=0",
    "training.validate_every=1", "training.precision=fp32", "data.height=64", "data.width=64",
)  # fmt: skip


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPO / "benchmarks"))
    return importlib.import_module("ablation")


def test_variants_differ_in_one_thing_and_share_the_budget(benchmark: ModuleType, tmp_path: Path) -> None:
    maxim = tmp_path / "maxim.safetensors"
    maxim.touch()
    args = benchmark.arguments(["--steps", "40", "--maxim", str(maxim), "training.batch=4", "--workers", "2"])
    recipes = {}
    for variant in benchmark.variants(args.teacher, args.maxim):
        words = dict(word.split("=", 1) for word in variant.words(benchmark.shared_overrides(args)))
        recipes[variant.name] = load_train_recipe(words.pop("recipe"), words)
    base = recipes["distilled"]
    for recipe in recipes.values():
        assert recipe.model.init is None
        assert (recipe.training.steps, recipe.training.batch, recipe.training.validate_every) == (40, 4, 2)
        assert (recipe.seed, recipe.data.pool.pairs, recipe.data.pool.size_px) == (base.seed, 6000, 256)
        assert recipe.data.training == base.data.training
        assert recipe.data.pool.labelled == (recipe.teacher is not None)
    assert recipes["from_scratch"].teacher is None
    assert recipes["distilled_maxim"].teacher == maxim
    assert (base.training.feature, recipes["feature_term"].training.feature) == (0, 0.1)
    kwargs = {name: recipe.model.kwargs for name, recipe in recipes.items()}
    assert base.model.kwargs == {"preset": "m"}
    assert kwargs["relu"] == {"preset": "m", "activation": "relu"}
    assert (kwargs["width_s"]["preset"], kwargs["width_l"]["preset"]) == ("s", "l")


def test_without_maxim_its_variant_is_left_out(benchmark: ModuleType) -> None:
    args = benchmark.arguments(["--steps", "1"])
    assert "distilled_maxim" not in {variant.name for variant in benchmark.variants(args.teacher, args.maxim)}
    with pytest.raises(SystemExit):
        benchmark.arguments(["--steps", "1", "batch"])


def test_a_difference_is_taken_picture_by_picture(benchmark: ModuleType) -> None:
    rows = [{"sets": {"motion": {"each_db": values}}} for values in ([1.5, -0.5, 3.5], [1.0, -1.0, 3.0])]
    assert benchmark.against(*rows, "motion") == {"mean": 0.5, "ci95": 0.0}


def test_a_run_that_fails_ends_it_with_the_reason(benchmark: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"(?s)ended with exit code 2.*stepz"):
        benchmark.run("broken", [f"recipe={benchmark.RECIPE}", "training.stepz=1"], tmp_path, 1)


@pytest.mark.slow
def test_two_variants_are_trained_measured_and_drawn(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibration = tmp_path / "calibration"
    for folder in benchmark.SETS.values():
        for side in ("blurred", "sharp"):
            (calibration / folder / side).mkdir(parents=True)
            for picture in sorted((REPO / "calibration" / folder / side).iterdir())[:2]:
                shutil.copy(picture, calibration / folder / side)
    monkeypatch.setattr(benchmark, "REPO", tmp_path)
    monkeypatch.setattr(benchmark, "SIDE", 64)
    both = benchmark.variants(benchmark.TEACHER, None)[:2]
    monkeypatch.setattr(benchmark, "variants", lambda teacher, maxim: both)
    photos = str(REPO / "calibration" / "training_384")
    places = ["--build", str(tmp_path / "build"), "--results", str(tmp_path / "results"), "--photos", photos]
    evaluation = f"data.evaluation={calibration / 'evaluation_256'}"
    words = [*TINY, evaluation, "--steps", "2", "--workers", "2", *places]
    result = benchmark.main(benchmark.arguments(words))
    assert result == json.loads((tmp_path / "results" / "ablation.json").read_text())
    assert set(result["variants"]) == {"from_scratch", "distilled"}
    for row in result["variants"].values():
        assert [step for step, _ in row["curve"]] == [1, 2]
        for found in row["sets"].values():
            assert found["worst_db"] == min(found["each_db"])
            assert found["mean_db"] == pytest.approx(np.mean(found["each_db"]), abs=1e-3)
    text = (tmp_path / "results" / "ablation.md").read_text()
    assert text.count("\n| ") >= 3
    assert (tmp_path / "results" / "ablation.png").read_bytes().startswith(b"\x89PNG")
    trained = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("weights.safetensors")}
    again = benchmark.main(benchmark.arguments(words))
    assert again["variants"] == result["variants"]
    assert trained == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("weights.safetensors")}
