"""Whole runs through the command line: results, reuse, and every kind of bad input."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from exporter.artifact import sha256_of
from exporter.bundle import reproducible_files
from exporter.cli import main
from exporter.measure import measurements
from exporter.sources import closure
from tests.conftest import REPO
from tests.edited_sources import EditedSources
from tests.recipes.recipe_folder import FULL_CHAINS, write_recipe_folder

MANIFEST, REPORT = "manifest.json", "report/report.json"


@pytest.fixture
def recipe(tmp_path, teacher_file, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_recipe_folder(tmp_path, teacher_file)


def ran(output: str) -> list[str]:
    return re.findall(r"^(\w+): running", output, re.MULTILINE)


def test_a_run_an_unchanged_run_and_an_edited_run(recipe, capfd):
    assert main([f"recipe={recipe}"]) == 0
    first = capfd.readouterr().out
    assert ran(first) == ["load_generator", "prune", "distill"]
    assert first.splitlines()[-1] == "exit code 0: the one promise is kept"
    digests = reproducible_files(Path("dist/tiny-1.0"))
    assert digests

    assert main([f"recipe={recipe}"]) == 0
    assert ran(capfd.readouterr().out) == []
    assert reproducible_files(Path("dist/tiny-1.0")) == digests

    assert main([f"recipe={recipe}", "distill.steps=5"]) == 0
    edited = capfd.readouterr().out
    assert ran(edited) == ["distill"]
    assert "distill: steps 4 → 5\n" in edited and "verify: target torch changed\n" in edited
    assert reproducible_files(Path("dist/tiny-1.0")) != digests


def test_an_unchanged_run_measures_nothing(recipe, capfd, monkeypatch):
    assert main([f"recipe={recipe}"]) == 0
    calls = []
    measure = measurements.measure
    monkeypatch.setattr(measurements, "measure", lambda *given: calls.append(given) or measure(*given))
    assert main([f"recipe={recipe}"]) == 0
    assert main([f"recipe={recipe}", "verify.demand_all=true"]) == 0
    assert calls == []
    assert main([f"recipe={recipe}", "verify.warmup=2"]) == 0
    assert len(calls) == 1


@pytest.mark.slow
def test_code_that_was_edited_since_is_run_again_and_named(recipe, capfd, monkeypatch):
    assert main([f"recipe={recipe}"]) == 0
    capfd.readouterr()
    monkeypatch.setattr(closure, "_here", EditedSources({"exporter/training/losses.py"}))
    assert main([f"recipe={recipe}"]) == 0
    said = capfd.readouterr().out
    assert ran(said) == ["prune", "distill"]
    assert said.count("code changed: exporter/training/losses.py") == 2 and "verify: code" not in said
    monkeypatch.setattr(closure, "_here", EditedSources({"exporter/measure/parity.py", "exporter/training/losses.py"}))
    assert main([f"recipe={recipe}"]) == 0
    said = capfd.readouterr().out
    assert ran(said) == [] and "verify: code changed: exporter/measure/parity.py\n" in said


def test_a_corrupted_cache_is_run_again(recipe, capfd):
    assert main([f"recipe={recipe}"]) == 0
    digests = reproducible_files(Path("dist/tiny-1.0"))
    (pruned,) = Path("build/tiny/stages").glob("prune-*/pruned.safetensors")
    pruned.write_bytes(pruned.read_bytes()[:-1] + b"\0")
    capfd.readouterr()
    assert main([f"recipe={recipe}"]) == 0
    assert ran(capfd.readouterr().out) == ["prune"]
    assert reproducible_files(Path("dist/tiny-1.0")) == digests


def test_provenance_names_every_file_of_weights_and_the_exporter(recipe, student_file, capfd):
    assert main([f"recipe={recipe}"]) == 0
    (pruned,) = Path("build/tiny/stages").glob("prune-*/pruned.safetensors")
    earlier = Path(shutil.copyfile(pruned, "earlier.safetensors"))
    starts = {"prune.warm_start": earlier, "distill.warm_start": student_file}
    capfd.readouterr()
    assert main([f"recipe={recipe}", *(f"{key}={path}" for key, path in starts.items())]) == 0
    assert ran(capfd.readouterr().out) == ["prune", "distill"]
    manifest, report = (json.loads(Path("dist/tiny-1.0", file).read_text()) for file in (MANIFEST, REPORT))
    files = manifest["provenance"]["files"]
    assert {place: entry["file"] for place, entry in files.items()} == {
        "model.checkpoint": "fpn_mobilenet.h5",
        "prune.warm_start": "earlier.safetensors",
        "distill.warm_start": student_file.name,
    }
    assert all(files[key]["sha256"] == sha256_of(path) for key, path in starts.items())
    assert report["provenance"] == manifest["provenance"]
    exporter = manifest["provenance"]["exporter"]
    assert len(exporter.get("commit", "")) == 40 or len(exporter["code_sha256"]) == 64
    page = Path("dist/tiny-1.0/report/index.html").read_text()
    assert all(entry["sha256"] in page for entry in files.values())
    assert str(Path.cwd()) not in json.dumps(manifest), "no place of this machine"


def test_a_missed_promise_is_exit_1_and_its_bundle_lies_apart(recipe, capfd):
    good, missed = Path("dist/tiny-1.0"), Path("dist/tiny-1.0.missed")
    words = [f"recipe={recipe}", "targets.torch.budget.min_gain_db=90"]
    assert main(words) == 1
    output = capfd.readouterr().out
    assert "missed: torch: mean PSNR gained over the blurred input" in output
    assert output.splitlines()[-1] == "exit code 1: 1 missed of 2"
    assert (missed / "report/index.html").exists() and not good.exists()

    assert main([f"recipe={recipe}"]) == 0
    assert f"{missed}, an earlier run's, was removed" in capfd.readouterr().out
    assert [path.name for path in Path("dist").iterdir()] == [good.name]

    digests = reproducible_files(good)
    assert main([*words, "--json"]) == 1
    said = json.loads(capfd.readouterr().out)
    assert (said["bundle"], said["earlier_bundle"]) == (str(missed), str(good))
    assert reproducible_files(good) == digests
    assert main(words) == 1
    assert f"{good} is an earlier run's and was left as it is" in capfd.readouterr().out


def test_an_unmeasured_promise_is_exit_3(recipe):
    assert main([f"recipe={recipe}", "targets.torch.budget.max_rank=4"]) == 3
    assert "not measured: torch: highest tensor rank" in Path("dist/tiny-1.0/README.md").read_text()[:400]


def test_json_output_is_json_alone(recipe, capfd):
    assert main([f"recipe={recipe}", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["exit_code"] == 0
    assert result["bundle"] == "dist/tiny-1.0"


def test_verify_and_diff_read_the_bundle(recipe, capfd):
    main([f"recipe={recipe}"])
    assert main(["verify", "dist/tiny-1.0"]) == 0
    shutil.copytree("dist/tiny-1.0", "old")
    assert main([f"recipe={recipe}", "targets.torch.budget.min_parity_db=300"]) == 1
    capfd.readouterr()
    missed = "dist/tiny-1.0.missed"
    assert main(["diff", missed, "old", "--json"]) == 0
    figures = json.loads(capfd.readouterr().out)["figures"]
    assert {figure["figure"] for figure in figures} >= {"parity_db", "psnr_db", "gain_db", "latency_ms", "size_mb"}
    assert all(figure["change"] == "same" for figure in figures), "nothing was measured again"
    assert main(["diff", "old", missed]) == 1
    assert "torch: min_parity_db on torch_cpu was kept, is missed" in capfd.readouterr().out
    model = next(Path("dist/tiny-1.0/models").iterdir())
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    capfd.readouterr()
    assert main(["verify", "dist/tiny-1.0"]) == 2
    assert model.name in capfd.readouterr().err


def _one_calibration_image(folder: Path) -> None:
    for path in sorted((folder / "calibration").iterdir())[1:]:
        path.unlink()


def _unreadable_image(folder: Path) -> None:
    (folder / "calibration" / "3.png").write_bytes(b"\x89PNG broken")


def _calibration_is_evaluation(folder: Path) -> None:
    (folder / "calibration" / "3.png").write_bytes((folder / "evaluation" / "sharp" / "1.png").read_bytes())


def _no_training(folder: Path) -> None:
    for path in (folder / "training").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_one_calibration_image, "holds 1 picture; calibration needs 8"),
        (_unreadable_image, "3.png"),
        (_calibration_is_evaluation, "is learned from and shows what"),
        (_no_training, "training holds no pictures"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_unusable_images(recipe, spoil, says, capfd):
    spoil(recipe.parent)
    assert main([f"recipe={recipe}"]) == 2
    assert_one_sentence(capfd.readouterr().err, says, 2)
    assert not Path("dist").exists()


def _nan(state):
    state["model"]["module.final.weight"][0, 0, 0, 0] = float("nan")
    return state


def _other_architecture(state):
    return {"conv.weight": torch.ones(3, 3, 1, 1)}


@pytest.mark.parametrize(
    ("change", "says"), [(_nan, "final.weight holds NaN"), (_other_architecture, "does not fit deblurgan_v2_mobilenet")]
)
def test_unusable_checkpoints(recipe, teacher_file, change, says, capfd):
    torch.save(change(torch.load(teacher_file, weights_only=True)), "bad.pth")
    assert main([f"recipe={recipe}", "model.checkpoint=bad.pth"]) == 2
    assert_one_sentence(capfd.readouterr().err, says, 2)
    assert not Path("dist").exists()


def test_a_truncated_checkpoint(recipe, teacher_file, capfd):
    Path("cut.pth").write_bytes(teacher_file.read_bytes()[:1000])
    assert main([f"recipe={recipe}", "model.checkpoint=cut.pth"]) == 2
    assert_one_sentence(capfd.readouterr().err, "damaged", 2)


def test_a_size_that_is_no_multiple(recipe, capfd):
    assert main([f"recipe={recipe}", "input.height=72"]) == 2
    assert_one_sentence(capfd.readouterr().err, "72 is not a multiple of 16", 2)


def test_two_runs_in_one_folder(recipe, capfd):
    from exporter.runs.folder import RunFolder

    with RunFolder(Path("build/tiny")).locked():
        assert main([f"recipe={recipe}"]) == 2
    assert_one_sentence(capfd.readouterr().err, "in use by another run", 2)


@pytest.mark.parametrize("stage", ["load_generator", "prune", "distill"])
def test_ctrl_c_in_any_stage_leaves_no_bundle_and_can_go_on(recipe, stage, capfd, monkeypatch):
    from exporter.stages import LoadGenerator
    from exporter.stages.distill import Distill
    from exporter.stages.prune import Prune

    kind = {"load_generator": LoadGenerator, "prune": Prune, "distill": Distill}[stage]

    def interrupted(self, source, workspace):
        (workspace.folder / "half-written.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kind, "run", interrupted)
        assert main([f"recipe={recipe}"]) == 130
    assert "finished stages are kept" in capfd.readouterr().err
    assert not Path("dist").exists()
    assert main([f"recipe={recipe}"]) == 0
    assert ran(capfd.readouterr().out)[0] == stage


@pytest.mark.parametrize("where", ["stage", "bundle"])
def test_a_full_disk_leaves_no_bundle(recipe, where, capfd, monkeypatch):
    from exporter.generators import network_file

    def full(*_, **__):
        raise OSError(28, "No space left on device", "somewhere")

    if where == "stage":
        monkeypatch.setattr(network_file, "write_network", full)
    else:
        monkeypatch.setattr("exporter.bundle.write.write_golden", full)
    assert main([f"recipe={recipe}"]) == 4
    assert_one_sentence(capfd.readouterr().err, "disk", 4)
    assert list(Path("dist").glob("*")) == []


def assert_one_sentence(error: str, says: str, code: int) -> None:
    assert says in error
    assert "Traceback" not in error
    assert f"exit code {code}: " in error.splitlines()[-1]
    assert len([line for line in error.splitlines() if line.startswith("error: ")]) == 1


STRANGER = '''
"""A small U-Net from another package: transposed convolution, max pooling, concatenation, sigmoid gate."""
import torch
from torch import nn

def block(i, o):
    first = (nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())
    return nn.Sequential(*first, nn.Conv2d(o, o, 3, padding=1), nn.ReLU())

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.a, self.b, self.c = block(3, width), block(width, 2 * width), block(3 * width, width)
        self.up = nn.ConvTranspose2d(2 * width, 2 * width, 2, 2)
        self.gate = nn.Conv2d(width, width, 1)
        self.out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        a = self.a(x)
        b = self.up(self.b(nn.functional.max_pool2d(a, 2)))
        y = self.c(torch.cat([b, a], 1))
        y = y * torch.sigmoid(self.gate(y))
        return torch.clamp(x + 0.1 * self.out(y), 0, 1)
'''


@pytest.fixture
def stranger(tmp_path, teacher_file, monkeypatch) -> Path:
    """A network this project has never seen, in a package of its own, with its checkpoint."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strangers").mkdir()
    (tmp_path / "strangers" / "__init__.py").touch()
    (tmp_path / "strangers" / "unet.py").write_text(STRANGER)
    scope: dict = {}
    exec(STRANGER, scope)
    torch.manual_seed(0)
    network = scope["Net"](width=8)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "unet.pth")
    model = {"arch": "strangers.unet:Net", "kwargs": {"width": 8}, "checkpoint": "unet.pth", "multiple": 2}
    chains = FULL_CHAINS | {"stages": FULL_CHAINS["stages"][2:], "name": "unet", "model": model}
    return write_recipe_folder(tmp_path, teacher_file, **chains)


@pytest.mark.slow
def test_a_network_never_seen_before_goes_through(stranger):
    done = run_cli(stranger)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(Path("dist/unet-1.0/report/report.json").read_text())
    int8 = next(target for target in report["targets"] if target["name"] == "int8")
    assert int8["audit"]["int8_mac_share"] == 1
    assert main(["verify", "dist/unet-1.0"]) == 0


@pytest.mark.slow
def test_killed_anywhere_it_ends_with_the_same_bundle(tmp_path, teacher_file, monkeypatch):
    """SIGKILL whenever one more stage has begun; the digests are those of an undisturbed run."""
    monkeypatch.chdir(tmp_path)
    recipe = write_recipe_folder(tmp_path, teacher_file, **FULL_CHAINS)
    whole = run_cli(recipe, "--build", "whole", "--dist", "whole_dist")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    words = "--build", "killed", "--dist", "killed_dist"
    begun = 0
    while begun < len(list(Path("whole/tiny/stages").iterdir())):
        process = subprocess.Popen(command(recipe, *words), env=plain_env())
        while len(list(Path("killed/tiny/stages").glob("*"))) <= begun:
            assert process.poll() is None, "it ended before it had begun every stage"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        begun = len(list(Path("killed/tiny/stages").iterdir()))
    done = run_cli(recipe, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    undisturbed = reproducible_files(Path("whole_dist/tiny-1.0"))
    assert reproducible_files(Path("killed_dist/tiny-1.0")) == undisturbed
    assert any(name.endswith(".int8.tflite") for name in undisturbed)


def command(recipe: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "exporter", f"recipe={recipe}", *words]


def plain_env() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(REPO)}


def run_cli(recipe: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(recipe, *words), capture_output=True, text=True, env=plain_env())
