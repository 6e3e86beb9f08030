"""Runs that are interrupted, killed, or have no disk or folder of their own: no half bundle, and they can go on."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from exporter.bundle import reproducible_files
from exporter.cli import main
from tests.recipes.recipe_folder import FULL_CHAINS, write_recipe_folder
from tests.runs.command_line import assert_one_sentence, command, plain_env, ran, run_cli


def test_two_runs_in_one_folder(recipe, capfd):
    from exporter.runs.folder import RunFolder

    with RunFolder(Path("build/tiny")).locked():
        assert main([f"recipe={recipe}"]) == 2
    assert_one_sentence(capfd.readouterr().err, "in use by another run", 2)


@pytest.mark.parametrize(
    "stage", ["load_generator", *(pytest.param(name, marks=pytest.mark.slow) for name in ("prune", "distill"))]
)
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


@pytest.mark.parametrize("where", ["stage", pytest.param("bundle", marks=pytest.mark.slow)])
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
