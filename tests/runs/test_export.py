"""Whole runs through the command line: results, and what of an earlier run is used again."""

import json
import shutil
from pathlib import Path

import pytest

from exporter.artifact import sha256_of
from exporter.bundle import reproducible_files
from exporter.cli import main
from exporter.measure import measurements
from exporter.sources import closure
from tests.edited_sources import EditedSources
from tests.runs.command_line import ran

MANIFEST, REPORT = "manifest.json", "report/report.json"


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_corrupted_cache_is_run_again(recipe, capfd):
    assert main([f"recipe={recipe}"]) == 0
    digests = reproducible_files(Path("dist/tiny-1.0"))
    (pruned,) = Path("build/tiny/stages").glob("prune-*/pruned.safetensors")
    pruned.write_bytes(pruned.read_bytes()[:-1] + b"\0")
    capfd.readouterr()
    assert main([f"recipe={recipe}"]) == 0
    assert ran(capfd.readouterr().out) == ["prune"]
    assert reproducible_files(Path("dist/tiny-1.0")) == digests


@pytest.mark.slow
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
    assert "missed: torch: mean PSNR gained over the input" in output
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


@pytest.mark.slow
def test_an_unmeasured_promise_is_exit_3(recipe):
    assert main([f"recipe={recipe}", "targets.torch.budget.max_rank=4"]) == 3
    assert "not measured: torch: highest tensor rank" in Path("dist/tiny-1.0/README.md").read_text()[:400]


@pytest.mark.slow
def test_json_output_is_json_alone(recipe, capfd):
    assert main([f"recipe={recipe}", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    assert result["exit_code"] == 0
    assert result["bundle"] == "dist/tiny-1.0"


@pytest.mark.slow
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
