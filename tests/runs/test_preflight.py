"""What would only be found out after training is found out before it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from exporter.cli import main
from exporter.errors import DiskFull, MissingTool, PlanError
from exporter.progress import Silent
from exporter.recipes.export import load_recipe
from exporter.recipes.plan import Chain, make_plan
from exporter.runs import preflight as under_test
from exporter.runs.build import open_images, run_chain, workspace_of
from exporter.runs.folder import RunFolder
from exporter.runs.preflight import preflight, require_packages
from tests.conftest import save_network
from tests.recipes.recipe_folder import FULL_CHAINS, TINY_TRAINING, write_recipe_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, narrow_teacher: Path) -> Path:
    folder = tmp_path_factory.mktemp("preflight")
    write_recipe_folder(folder, narrow_teacher, **FULL_CHAINS)
    save_network(folder / "large.safetensors", "mobilenetv3_student", {"preset": "m"})
    return folder


@pytest.fixture(scope="module")
def check(folder: Path) -> Callable[..., str]:
    """`preflight` of the recipe with overrides, its checkpoint loaded."""

    def run(**words: str) -> str:
        given = {key.replace("__", "."): value for key, value in words.items()}
        recipe = load_recipe(folder / "tiny.yaml", given)
        chains, images, kept = make_plan(recipe), open_images(recipe), RunFolder(folder / "build")
        workspace = workspace_of(recipe, kept, Silent(), nullcontext)
        first = replace(chains[0], stages=chains[0].stages[:1])
        loaded = run_chain(first, workspace, kept, {}, {}, {})
        ready = replace(workspace, teacher=loaded.file, training=images.training)
        return preflight(recipe, chains, ready, images.evaluation, kept, folder / "dist")

    return run


def test_a_good_recipe_is_told_in_one_line(check: Callable[..., str]) -> None:
    said = check()
    assert said.startswith("checked: 3 networks at 64×64 px, 10 calibration + 3 evaluation + 3 training pictures")
    assert "\n" not in said


def test_each_stage_is_tried_on_the_network_of_the_one_before(check: Callable[..., str]) -> None:
    """What is pruned after a student was learned is the student, and that a second time what the first left."""
    distill = {"distill": TINY_TRAINING | {"kwargs": {"preset": "s"}}}
    prune, again = ({"prune": TINY_TRAINING | {"ratio": ratio}} for ratio in (0.25, 0.5))
    chain = [distill, prune, again, "torch_to_onnx", "simplify_onnx"]
    assert check(stages=json.dumps(chain)).startswith("checked: 4 networks")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            {"distill__warm_start": "large.safetensors"},
            r"tiny\.yaml:\d+: stages\.distill: .*large\.safetensors does not fit mobilenetv3_student",
        ),
        (
            {"distill__student": "srvgg", "distill__kwargs": "{upscale: 4}"},
            r"stages\.distill: the student srvgg gives \(1, 3, 256, 256\) where the teacher gives \(1, 3, 64, 64\)",
        ),
        ({"prune__warm_start": "large.safetensors"}, r"stages\.prune: .*large\.safetensors does not fit"),
        ({"prune__keep": "[no_such_layer]"}, r"stages\.prune: prune\.keep: the network has no module 'no_such_layer'"),
        ({"distill__crop_px": "128"}, r"stages\.distill: .*0\.png is 96×96 px, a training crop is 128 px"),
    ],
)
def test_what_a_stage_would_find_out_later(check: Callable[..., str], words: dict[str, str], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        check(**words)


def test_a_device_that_is_not_here(check: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingTool, match="device: cuda, but PyTorch sees no CUDA GPU"):
        check(distill__device="cuda")


def test_a_disk_with_too_little_room(check: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    with pytest.raises(DiskFull, match=r"has 0\.00 GB of disk left; this run may need 0\.\d\d GB"):
        check()


def _watched(tried: Callable[..., list[int]], seen: list[object]) -> Callable[..., list[int]]:
    import torch

    def run(*given: object) -> list[int]:
        seen.append(torch.random.get_rng_state())
        sizes = tried(*given)
        seen.append(torch.random.get_rng_state())
        return sizes

    return run


def test_nothing_that_is_drawn_shifts_what_training_draws(
    check: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    seen = []
    monkeypatch.setattr(under_test, "try_networks", _watched(under_test.try_networks, seen))
    torch.manual_seed(5)
    check()
    assert torch.equal(*seen)


def test_a_package_that_is_not_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chains: Sequence[Chain] = make_plan(load_recipe(folder / "tiny.yaml"))
    require_packages(chains)
    monkeypatch.delitem(__import__("sys").modules, "torch_pruning", raising=False)
    monkeypatch.setattr(under_test, "find_spec", lambda name: None if name == "torch_pruning" else object())
    with pytest.raises(MissingTool, match=r"prune needs torch_pruning, .*\n  hint: pip install 'exporter\[export\]'"):
        require_packages(chains)


@pytest.mark.slow
def test_no_training_begins_and_a_finished_run_is_not_checked_again(
    narrow_teacher: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = write_recipe_folder(tmp_path, narrow_teacher)
    save_network(tmp_path / "large.safetensors", "mobilenetv3_student", {"preset": "m"})
    assert main([f"recipe={recipe}", "distill.warm_start=large.safetensors"]) == 2
    assert "stages.distill: " in capfd.readouterr().err
    assert [path.name.split("-")[0] for path in Path("build/tiny/stages").iterdir()] == ["load_generator"]
    assert main([f"recipe={recipe}"]) == 0
    assert "checked: 3 networks" in capfd.readouterr().out
    assert main([f"recipe={recipe}"]) == 0
    assert "checked:" not in capfd.readouterr().out


def test_what_every_export_needs_is_what_the_project_asks_for():
    """A package that is here by chance only would stop every export on a fresh machine."""
    asked = {Requirement(line).name.lower() for line in requires("exporter") or ()}
    distributions = packages_distributions()
    for module in under_test.EVERY_EXPORT:
        assert asked & {name.lower() for name in distributions[module]}, module
