"""`exporter sweep`: its words, and what it says where an engine is not here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.cli import main
from tests.recipes.conftest import recipe_file  # noqa: F401
from tests.sweep.scripts import BUNDLE, scripted


@pytest.fixture(autouse=True)
def _here(recipe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.chdir(recipe_file.parent)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no recipe was named"),
        (["seed=1"], "no recipe was named"),
        (["demo.yaml", "demo.yaml"], "demo.yaml is named twice"),
        (["demo.yaml", "seed=1", "seed=2"], "seed is given twice"),
        (["demo.yaml", "--set", "seed"], "is not key=a,b,c"),
        (["demo.yaml", "--workers", "0"], "--workers 0"),
        (["demo.yaml", "--on", "slrum"], "did you mean 'slurm'?"),
        (["demo.yaml", "--slurm", "partition=x"], "--slurm is for --on slurm"),
        (["demo.yaml", "--ray", "num_cpus=2", "--on", "slurm"], "--ray is for --on ray"),
        (["demo.yaml", "--on", "slurm", "--slurm", "partition"], "is not NAME=VALUE"),
        (["demo.yaml", "--on", "slurm", "--slurm", "array=1-9"], "a sweep sets that itself"),
        (["demo.yaml", "--on", "ray", "--ray", "num_cpu=2"], "did you mean 'num_cpus'?"),
        (["demo.yaml", "--on", "ray", "--ray", "num_cpus=many"], "could not convert"),
        (["demo.yaml", "--on", "ray", "--ray", "num_gpus=-1"], "a number from 0 up"),
        (["demo.yaml", "--name", "../up"], "letters, digits, _ and -"),
        (["demo.yaml", "--set", "distill.steps=1,many"], "with distill.steps=many"),
    ],
)
def test_mistakes_exit_with_2_and_one_sentence(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", *words]) == 2
    assert says in capsys.readouterr().err
    assert not Path("dist").exists()


@pytest.mark.parametrize(
    ("on", "package", "says"),
    [("slurm", "submitit", "pip install 'exporter[slurm]'"), ("ray", "ray", "pip install 'exporter[ray]'")],
)
def test_without_the_extra(
    on: str, package: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("exporter.sweep.slurm.find_spec", lambda name: None)
    monkeypatch.setattr("exporter.sweep.ray_cluster.find_spec", lambda name: None)
    assert main(["sweep", "demo.yaml", "--on", on]) == 4
    said = capsys.readouterr().err
    assert f"needs {package}, which is not installed" in said
    assert says in said


def test_where_there_is_no_slurm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("exporter.sweep.slurm.find_spec", lambda name: True)
    monkeypatch.setenv("PATH", "")
    assert main(["sweep", "demo.yaml", "--on", "slurm"]) == 4
    assert "there is no Slurm here: sbatch is not on the PATH" in capsys.readouterr().err


def test_a_plan_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "demo.yaml", "--set", "seed=1,2", "--plan"]) == 0
    assert capsys.readouterr().out.splitlines() == ["demo seed=1", "demo seed=2", "2 exports, 2 of them to run"]
    assert main(["sweep", "recipe=demo.yaml", "--set", "seed=1,2", "--plan", "--json"]) == 0
    assert [each["finished"] for each in json.loads(capsys.readouterr().out)["exports"]] == [False, False]
    assert not Path("build").exists()


def test_a_bundle_is_not_taken_for_a_sweeps_folder(capsys: pytest.CaptureFixture[str]) -> None:
    Path("dist/sweep").mkdir(parents=True)
    Path("dist/sweep/manifest.json").touch()
    assert main(["sweep", "demo.yaml"]) == 2
    assert "is a bundle" in capsys.readouterr().err


def test_codes_lines_and_summary(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fails = "print('error: no room\\nexit code 4: a stage failed'); sys.exit(4)"
    scripted(monkeypatch, {"demo--seed-1": fails, "demo--seed-2": "sys.exit(2)"})
    assert main(["sweep", "demo.yaml", "--set", "seed=1,2", "--workers", "2"]) == 4
    said = capsys.readouterr().out
    assert "demo seed=1: exit code 4, no room" in said
    assert said.splitlines()[-1].startswith("exit code 4: ")
    assert sorted(path.name for path in Path("dist/sweep").iterdir()) == [
        *("index.html", "junit.xml", "summary.md", "sweep.json"),
    ]


def test_interrupted_it_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    scripted(monkeypatch, {"demo": BUNDLE + "os.kill(os.getppid(), signal.SIGINT); time.sleep(60)"})
    assert main(["sweep", "demo.yaml"]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert not list(Path("dist").rglob("sweep.json"))
