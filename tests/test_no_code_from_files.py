"""A file never decides what is imported: every command that opens a network file, with files that ask for harm."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from exporter.cli import main
from tests.conftest import save_network
from tests.hostile import Trap
from tests.recipes.recipe_folder import SIDE, TINY_TRAINING, write_recipe_folder
from tests.stages.networks import UNet

ARCHS = ["subprocess:Popen", "os:system", "trap_module:Net", "builtins:eval", "spandrel"]
USERS_OWN = "tests.stages.networks:UNet"


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trap:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (64, 64), "grey").save(tmp_path / "photo.png")
    return Trap(tmp_path)


def refused(words: list[str], arch: str, capfd: pytest.CaptureFixture[str]) -> None:
    """One sentence that names the class and the way out; not a zero, not a traceback."""
    assert main(words) == 2
    said = capfd.readouterr().err
    assert repr(arch) in said and f"--arch {arch}" in said and "never imported" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize(
    "words",
    [
        ["run", "--model", "evil.safetensors", "photo.png", "out.png"],
        ["bench", "evil.safetensors", "--runs", "1", "--warmup", "1"],
        ["bench", "evil.safetensors", "--runs", "1", "--runtime", "all"],
    ],
    ids=lambda words: " ".join(words),
)
def test_a_class_that_a_file_names_is_not_imported(trap: Trap, arch: str, words: list[str], capfd) -> None:
    trap.network("evil.safetensors", arch)
    refused(words, arch, capfd)
    trap.require_untouched()
    assert not Path("out.png").exists()


@pytest.mark.parametrize("arch", ARCHS)
def test_lint_and_diff_open_no_network_file(trap: Trap, arch: str, capfd) -> None:
    trap.network("evil.safetensors", arch)
    assert main(["lint", "evil.safetensors"]) == 2
    assert main(["lint", "evil.safetensors", "--against", "evil.safetensors"]) == 2
    for name in ("old", "new"):
        trap.network(f"{name}/models/evil.safetensors", arch)
    assert main(["diff", "old", "new"]) == 2
    assert "Traceback" not in capfd.readouterr().err
    trap.require_untouched()


@pytest.mark.parametrize("arch", ["subprocess:Popen", "os:system", "builtins:eval"])
def test_what_the_user_names_must_be_a_network(trap: Trap, arch: str, capfd) -> None:
    trap.network("evil.safetensors", arch)
    assert main(["bench", "evil.safetensors", "--arch", arch]) == 2
    assert "no class of torch.nn.Module" in capfd.readouterr().err
    trap.require_untouched()


def test_another_class_than_the_users_is_not_imported(trap: Trap, capfd) -> None:
    trap.network("evil.safetensors", "trap_module:Net")
    assert main(["bench", "evil.safetensors", "--arch", USERS_OWN]) == 2
    assert "'trap_module:Net'" in capfd.readouterr().err
    trap.require_untouched()


def test_the_users_own_class_runs(trap: Trap, capfd) -> None:
    """In a process of its own, which then has imported the class because it was told to."""
    trap.network("own.safetensors", "trap_module:Net")
    words = ["run", "--model", "own.safetensors", "photo.png", "out.png", "--arch", "trap_module:Net"]
    done = subprocess.run([sys.executable, "-m", "exporter", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert trap.trace.exists()
    assert Image.open("out.png").getpixel((1, 1)) == (128, 128, 128)


@pytest.fixture
def tiny_recipe(trap: Trap, teacher_file: Path):
    """`tiny_recipe(**changes)`: the path of a small whole recipe."""
    return lambda **changes: write_recipe_folder(trap.folder, teacher_file, **changes)


@pytest.mark.parametrize("arch", ARCHS)
def test_a_recipes_checkpoint(trap: Trap, arch: str, tiny_recipe, capfd) -> None:
    evil = trap.network("evil.safetensors", arch)
    recipe = tiny_recipe(model={"checkpoint": str(evil)})
    refused([f"recipe={recipe}"], arch, capfd)
    trap.require_untouched()


@pytest.mark.parametrize("arch", ARCHS)
def test_a_checkpoint_for_a_named_architecture_gives_only_its_weights(
    trap: Trap, arch: str, tiny_recipe, capfd
) -> None:
    evil = trap.network("evil.safetensors", arch)
    assert main([f"recipe={tiny_recipe()}", f"model.checkpoint={evil}"]) == 2
    assert "does not fit deblurgan_v2_mobilenet" in capfd.readouterr().err
    trap.require_untouched()


@pytest.mark.parametrize("arch", ARCHS)
def test_warm_starts(trap: Trap, arch: str, tiny_recipe, capfd) -> None:
    evil = trap.network("evil.safetensors", arch)
    recipe = tiny_recipe()
    refused([f"recipe={recipe}", f"prune.warm_start={evil}"], arch, capfd)
    assert main([f"recipe={recipe}", f"distill.warm_start={evil}"]) == 2
    assert "does not fit mobilenetv3_student" in capfd.readouterr().err
    trap.require_untouched()


@pytest.mark.extra("zoo")
@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("labelled", [False, True])
def test_the_teacher_of_a_training(trap: Trap, arch: str, labelled: bool, tiny_recipe, capfd) -> None:
    evil = trap.network("evil.safetensors", arch)
    tiny_recipe()
    pool = {"pool": {"pairs": 2, "size_px": 32, "labelled": True}} if labelled else {}
    recipe = {
        "name": "demo",
        "model": {"arch": "mobilenetv3_student", "kwargs": {"preset": "s"}},
        "teacher": str(evil),
        "data": {"training": "training"} | pool,
        "training": TINY_TRAINING | {"tensorboard": False},
    }
    Path("train.yaml").write_text(yaml.safe_dump(recipe))
    refused(["train", "recipe=train.yaml"], arch, capfd)
    trap.require_untouched()


@pytest.mark.slow
def test_a_recipes_own_class_goes_through_every_stage_twice(trap: Trap, tiny_recipe, capfd) -> None:
    """Teacher, pruned network, cached files and the bundle's network file are all of the class the recipe names."""
    torch.save(UNet().state_dict(), "own.pth")
    recipe = tiny_recipe(
        model={"arch": USERS_OWN, "checkpoint": "own.pth"},
        stages=[{"prune": dict(TINY_TRAINING)}],
        targets={"torch": {"runtime": "torch_cpu"}},
    )
    assert main([f"recipe={recipe}"]) == 0, capfd.readouterr().err
    assert main([f"recipe={recipe}", "prune.steps=5"]) == 0, capfd.readouterr().err  # its teacher is in the cache
    (shipped,) = Path("dist/tiny-1.0/models").glob("*.safetensors")
    capfd.readouterr()
    refused(["run", "--model", str(shipped), "photo.png", "out.png"], USERS_OWN, capfd)
    assert main(["run", "--model", str(shipped), "photo.png", "out.png", "--arch", USERS_OWN]) == 0
    assert main(["verify", "dist/tiny-1.0"]) == 3
    said = capfd.readouterr().out.replace("\n", " ")
    assert "not checked" in said and "--arch" in said
    assert main(["verify", "dist/tiny-1.0", "--arch", USERS_OWN]) == 0


def test_a_file_of_the_users_class_is_a_checkpoint_once_the_recipe_names_it(trap: Trap, tiny_recipe, capfd) -> None:
    path = save_network(trap.folder / "own.safetensors", "mobilenetv3_student", {"preset": "s"})
    assert path.is_file()
    trap.network("own.safetensors", "torch.nn:Conv2d", {"in_channels": 3, "out_channels": 3, "kernel_size": 1})
    recipe = tiny_recipe(
        model={"arch": "torch.nn:Conv2d", "checkpoint": "own.safetensors"},
        input={"height": SIDE, "width": SIDE},
        stages=[],
        targets={"torch": {"runtime": "torch_cpu"}},
    )
    assert main([f"recipe={recipe}"]) == 0, capfd.readouterr().err


@pytest.mark.parametrize(
    ("arch", "kwargs", "more"),
    [
        ("nafnet", {"width": 10**9}, {}),
        ("nafnet", {"width": "x" * 10**6}, {}),
        ("nafnet", {"width": [[[[[[[1]]]]]]]}, {}),
        ("nafnet", {"width": 64, "enc_blk_nums": [8000] * 4, "middle_blk_num": 8000}, {}),
        ("nafnet", {"width": 8000}, {}),
        ("nafnet", {"width": -1}, {}),
        ("nafnet", {"width": None}, {}),
        ("nafnet", {"surprise": 1}, {}),
        ("nafnet", {"width": 1.5}, {}),
        ("swinir", {"img_size": 8192, "embed_dim": 8192}, {}),
        ("uformer", {"win_size": 0}, {}),
        ("maxim", {"num_stages": 8000}, {}),
        ("edsr", {"num_block": 8192, "num_feat": 8192}, {}),
        ("mobilenetv3_student", {"preset": "zzz"}, {}),
        ("srcnn", {}, {"multiple": 0}),
        ("srcnn", {}, {"multiple": 10**12}),
        ("srcnn", {}, {"multiple": "16"}),
        ("srcnn", {}, {"range": [1.0, 0.0]}),
        ("srcnn", {}, {"range": [0.0]}),
        ("srcnn", {}, {"range": "ab"}),
        ("srcnn", {}, {"channels_changed": True}),
        ("srcnn", {}, {"channels_changed": "no"}),
        ("srcnn", [], {}),
        ("srcnn", {}, {"surprise": 1}),
        ("", {}, {}),
        ("x" * 10**6, {}, {}),
        (3, {}, {}),
        (None, {}, {}),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_a_file_says_of_a_known_network_cannot_blow_up(trap: Trap, arch, kwargs, more, capfd) -> None:
    trap.network("odd.safetensors", arch, kwargs, **more)
    assert main(["run", "--model", "odd.safetensors", "photo.png", "out.png"]) == 2
    said = capfd.readouterr().err
    assert said.startswith("error: odd.safetensors") and "Traceback" not in said and len(said) < 1000
    trap.require_untouched()
