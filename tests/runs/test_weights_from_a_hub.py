"""A release whose weights a hub keeps, through the command line: HF_ENDPOINT names a fake on loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.artifact import sha256_of
from exporter.cli import main
from exporter.recipes.export import load_recipe
from tests.checkpoints.fake_hub import COMMIT, TOKEN, FakeHub, as_the_hub, served
from tests.recipes.recipe_folder import write_recipe_folder
from tests.runs.command_line import assert_one_sentence, ran, run_cli

pytestmark = pytest.mark.extra("hub")
TEACHER, STUDENT = f"hf://anna/deblur@{COMMIT}/fpn_mobilenet.h5", f"hf://anna/student@{COMMIT}/s.safetensors"


@pytest.fixture
def hub(tmp_path: Path, teacher_file: Path, student_file: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EXPORTER_HUB", str(tmp_path / "cache"))
    files = {
        "anna/deblur/fpn_mobilenet.h5": teacher_file.read_bytes(),
        "anna/student/s.safetensors": student_file.read_bytes(),
    }
    return FakeHub(files, gated={"anna/deblur"})


@pytest.mark.slow
def test_it_is_fetched_once_and_the_bundle_says_from_where(
    hub: FakeHub, tmp_path: Path, teacher_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe_folder(tmp_path, teacher_file)
    words = (f"model.checkpoint={TEACHER}", f"distill.warm_start={STUDENT}")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with served(hub):
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        first = run_cli(recipe, *words)
    assert first.returncode == 0, first.stderr
    assert f"fetching {TEACHER}" in first.stdout

    again = run_cli(recipe, *words)  # nobody answers any more
    assert again.returncode == 0 and ran(again.stdout) == []

    bundle = tmp_path / "dist" / "tiny-1.0"
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["recipe"]["model"]["checkpoint"] == TEACHER and manifest["provenance"]["model"]["source"] == TEACHER
    named = {"file": "fpn_mobilenet.h5", "sha256": sha256_of(teacher_file), "source": TEACHER, "revision": COMMIT}
    assert manifest["provenance"]["files"]["model.checkpoint"] == named
    assert manifest["provenance"]["files"]["distill.warm_start"]["source"] == STUDENT
    purl = f"pkg:huggingface/anna/deblur@{COMMIT}#fpn_mobilenet.h5"
    for document in ("sbom.cdx.json", "provenance.intoto.json"):
        assert purl in (bundle / document).read_text()
    assert main(["verify", str(bundle)]) == 0
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 50 and not [file for file in files if TOKEN.encode() in file.read_bytes()]


def test_plan_fetches_nothing_and_says_so(hub: FakeHub, tmp_path: Path, student_file: Path, capfd, monkeypatch) -> None:
    recipe = write_recipe_folder(tmp_path, student_file)
    with served(hub):
        as_the_hub(hub, monkeypatch)
        assert main(["plan", f"recipe={recipe}", f"model.checkpoint={TEACHER}"]) == 0
        assert f"not here yet: {TEACHER}; an export fetches it first" in capfd.readouterr().out
        assert hub.asked == []
        assert main(["plan", f"recipe={recipe}", "model.checkpoint=hf://anna/deblur@main/fpn_mobilenet.h5"]) == 2
        refused = capfd.readouterr().err
        assert_one_sentence(refused, "@main is not pinned, a branch or tag can move: name its commit", 2)
        assert f"today it is {COMMIT}" in refused
        assert main([f"recipe={recipe}", f"model.checkpoint={TEACHER}"]) == 2
        assert_one_sentence(capfd.readouterr().err, "accepted its conditions", 2)


@pytest.mark.slow
def test_init_names_the_hub(hub: FakeHub, capfd, monkeypatch) -> None:
    with served(hub):
        as_the_hub(hub, monkeypatch)
        assert main(["init", STUDENT, "--size", "64", "-o", "mine.yaml"]) == 0
    assert f"checkpoint: {STUDENT}" in Path("mine.yaml").read_text()
    assert load_recipe("mine.yaml").model.checkpoint.is_file()
