"""Whole searches through the command line."""

import csv
import json
import signal
import subprocess
import sys
import time
from html import unescape
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.recipes.export import load_recipe
from tests.recipes.recipe_folder import TINY_TRAINING, write_recipe_folder
from tests.runs.command_line import assert_one_sentence, plain_env

STAGES = [{"distill": TINY_TRAINING | {"kwargs": {"preset": "s"}}}]
SPACE = """objectives: [{target: torch, figure: size_mb}, {target: torch, figure: gain_db}]
keys:
  distill.steps: {integer: [1, 3]}
  distill.learning_rate: {number: [1.0e-4, 1.0e-2], log: true}
  distill.kwargs.preset: [s, p]
"""


@pytest.fixture
def recipe(tmp_path, teacher_file, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_searched(tmp_path, teacher_file)


def write_searched(folder: Path, teacher: Path, **budget: float) -> Path:
    target = {"runtime": "torch_cpu", "budget": {"min_parity_db": 60, **budget}}
    path = write_recipe_folder(folder, teacher, stages=STAGES, targets={"torch": target})
    (folder / "spaces").mkdir(exist_ok=True)
    (folder / "spaces" / path.name).write_text(SPACE)
    return path


def trials_in(build: Path) -> dict:
    (file,) = build.glob("tiny/search/*/trials.json")
    return json.loads(file.read_text())


def test_a_mistake_is_one_sentence_and_exit_2(recipe, capfd):
    Path("spaces/tiny.yaml").write_text(SPACE.replace("distill.steps", "distil.steps"))
    assert main(["search", f"recipe={recipe}"]) == 2
    assert_one_sentence(capfd.readouterr().err, "tiny.yaml:3: distil.steps: unknown key; did you mean", 2)
    assert main(["search", f"recipe={recipe}", "--trials", "0"]) == 2
    assert main(["search", f"recipe={recipe}", "space=gone.yaml"]) == 2
    assert not Path("build").exists()


def test_without_optuna_it_says_what_to_install(recipe, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["search", f"recipe={recipe}"]) == 3
    assert "pip install 'exporter[search]'" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.extra("search")
def test_killed_at_trial_7_and_resumed_it_finds_the_same_front(recipe, capfd):
    """SIGKILL while the seventh trial is under way; stages, measurements and all come from two build folders."""
    words = [sys.executable, "-m", "exporter", "search", f"recipe={recipe}", "--trials", "9", "--seed", "5"]
    killed = [*words, "--build", "killed", "--dist", "killed_dist"]
    with subprocess.Popen(killed, stdout=subprocess.PIPE, text=True, env=plain_env()) as child:
        assert any(line.startswith("trial 6: ") for line in child.stdout)
        time.sleep(0.5)
        child.send_signal(signal.SIGKILL)
    assert len(trials_in(Path("killed"))["trials"]) == 6 and not Path("killed_dist").exists()
    resumed = subprocess.run(killed, capture_output=True, text=True, env=plain_env())
    assert "trials of an earlier run: 6" in resumed.stdout and "\ntrial 7: " in resumed.stdout
    whole = subprocess.run([*words, "--build", "whole"], capture_output=True, text=True, env=plain_env())
    assert (resumed.returncode, whole.returncode) == (0, 0), resumed.stderr + whole.stderr
    one, other = trials_in(Path("killed")), trials_in(Path("whole"))
    assert [trial["point"] for trial in one["trials"]] == [trial["point"] for trial in other["trials"]]
    assert [trial["figures"] for trial in one["trials"]] == [trial["figures"] for trial in other["trials"]]
    assert (one["front"], one["chosen"]) == (other["front"], other["chosen"]) and len(one["trials"]) == 9


@pytest.mark.slow
@pytest.mark.extra("search")
def test_what_is_found_is_a_recipe_that_an_export_proves(tmp_path, teacher_file, monkeypatch, capfd):
    """The recipe's own student is taught far too fast. What is too large is given up before it is taught."""
    monkeypatch.chdir(tmp_path)
    recipe = write_searched(tmp_path, teacher_file, max_size_mb=1)
    recipe.write_text(recipe.read_text().replace("steps: 4", "steps: 4\n    learning_rate: 0.05"))
    assert main(["search", f"recipe={recipe}", "--trials", "6", "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    found = trials_in(Path("build"))
    chosen = found["trials"][said["chosen"] - 1]
    version = f"1.0-trial{chosen['number']}"
    assert Path("dist", f"tiny-{version}", "manifest.json").is_file() and said["proof"]["exit_code"] == 0
    (proved,) = said["proof"]["report"]["targets"]
    assert proved["quality"]["gain_db"] == pytest.approx(chosen["figures"]["torch"]["gain_db"])
    assert chosen["figures"]["torch"]["gain_db"] > found["own"]["figures"]["torch"]["gain_db"]
    written = load_recipe(said["recipe"])
    assert (written.version, written.stages[0].learning_rate) == (version, chosen["point"]["distill.learning_rate"])
    assert f"from trial {chosen['number']}" in Path(said["recipe"]).read_text()

    large = [trial for trial in found["trials"] if trial["point"]["distill.kwargs.preset"] == "p"]
    assert large and all(trial["state"] == "pruned" for trial in large)
    assert "untrained, the file is 2.98 MB, promised at most 1 MB" in large[0]["reasons"][0]
    assert not {trial["number"] for trial in large} & set(found["front"])
    taught = [json.loads(file.read_text()) for file in Path("build/tiny/stages").glob("distill-*/made_from.json")]
    sizes = [(made["option kwargs"], made["option steps"]) for made in taught]
    assert [steps for kwargs, steps in sizes if '"p"' in kwargs] == ["1"], "once, for all that are as large"

    folder = Path(said["folder"])
    rows = list(csv.DictReader((folder / "trials.csv").open()))
    assert [row["state"] for row in rows[1:]] == [trial["state"] for trial in found["trials"]]
    page = unescape((folder / "index.html").read_text())
    assert found["sentence"] in page and "<svg" in page and "<script" not in page
    assert found["sentence"] in (folder / "README.md").read_text()


@pytest.mark.slow
@pytest.mark.extra("search")
def test_where_no_settings_keep_every_promise_it_is_exit_1(tmp_path, teacher_file, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    recipe = write_searched(tmp_path, teacher_file, min_gain_db=50)
    assert main(["search", f"recipe={recipe}", "--trials", "1"]) == 1
    output = capfd.readouterr().out
    assert "keeps every promise" in output and "exit code 1: " in output.splitlines()[-1]
    assert not Path("dist").exists()


@pytest.mark.slow
@pytest.mark.extra("search")
def test_ctrl_c_keeps_what_is_there(recipe, capfd, monkeypatch):
    from exporter.search.trials import Trials

    run = Trials.run

    def interrupted(self, number, point, rivals):
        if number == 2:
            raise KeyboardInterrupt
        return run(self, number, point, rivals)

    with monkeypatch.context() as patch:
        patch.setattr(Trials, "run", interrupted)
        assert main(["search", f"recipe={recipe}", "--trials", "2"]) == 130
    assert "the same command goes on from there" in capfd.readouterr().err
    assert len(trials_in(Path("build"))["trials"]) == 1 and not Path("dist").exists()
    assert main(["search", f"recipe={recipe}", "--trials", "2"]) == 0
    said = capfd.readouterr().out
    assert "trials of an earlier run: 1" in said and "\ntrial 2: " in said and "\ntrial 1: " not in said
