"""What the documents say is true: commands exist, the example recipe loads, links lead somewhere."""

import re
import subprocess

import pytest

from exporter.cli import COMMANDS
from exporter.errors import EXIT_CODES
from exporter.recipes.export import load_recipe
from exporter.recipes.plan import make_plan
from tests.conftest import REPO
from tests.documents import files
from tools.reference.pages import FOLDER, PAGES

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "calibration/README.md",
    "recipes/weights/README.md",
    "android-demo/README.md",
    "benchmarks/scale.md",
    *sorted(str(path.relative_to(REPO)) for path in (REPO / "docs").rglob("*.md")),
)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    text = (REPO / name).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if not target.startswith("http"):
            assert (REPO / name).parent.joinpath(target).exists(), target


@pytest.mark.parametrize("name", DOCUMENTS)
def test_named_files_exist(name):
    for path in re.findall(
        r"`((?:exporter|tools|benchmarks|recipes|tests|calibration)/[\w./-]+)`", (REPO / name).read_text()
    ):
        if not any(placeholder in path for placeholder in ("my_", "<", "…")):
            assert (REPO / path).exists(), path


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_exist(name):
    text = (REPO / name).read_text()
    for command in re.findall(r"`(?:\.venv/bin/)?exporter (\w+)\b(?!=)", text):
        assert command in COMMANDS, command
    verbs = re.findall(r"^([a-z]+):.*## ", (REPO / "Makefile").read_text(), re.MULTILINE)
    for verb in re.findall(r"(?:^    |`)make ([a-z]+)", text, re.MULTILINE):
        assert verb in verbs, verb


def test_the_documentation_has_every_exit_code():
    text = (REPO / "docs" / "reference" / "exit_codes.md").read_text()
    for code in EXIT_CODES:
        assert re.search(rf"^\| {code} \|", text, re.MULTILINE), code


def test_the_readme_is_short():
    assert len((REPO / "README.md").read_text().splitlines()) <= 150


def test_the_recipe_of_the_documentation_loads_and_plans(tmp_path):
    (tmp_path / "my_deblur.yaml").write_text(files()["my_deblur.yaml"])
    (tmp_path / "fpn_mobilenet.h5").touch()
    for folder in ("my_photos", "my_pairs", "my_sharp_photos"):
        (tmp_path / folder / "blurred").mkdir(parents=True)
        for i in range(8):
            (tmp_path / folder / "blurred" / f"{i}.jpg").touch()
    (chain,) = make_plan(load_recipe(tmp_path / "my_deblur.yaml"))
    assert [stage.name for stage in chain.stages][-1] == "quantize_tflite"


RECIPES = sorted(path.name for path in (REPO / "recipes").glob("*.yaml") if not path.name.startswith("train_"))


@pytest.mark.parametrize("name", RECIPES)
def test_every_shipped_recipe_plans_and_says_how_to_run_it(name, monkeypatch):
    monkeypatch.chdir(REPO)
    recipe = load_recipe(name)
    assert make_plan(recipe)
    assert f"{recipe.name}.yaml" == name
    assert f"make export recipe={name}" in (REPO / "recipes" / name).read_text()


def test_examples_of_the_mobile_recipe_are_legal_overrides(monkeypatch):
    monkeypatch.chdir(REPO)
    text = (REPO / "recipes" / "mobile_deblur.yaml").read_text() + (REPO / "docs" / "first_export.md").read_text()
    examples = re.findall(r"make export recipe=mobile_deblur\.yaml((?: [\w.]+=[\w.]+)+)", text)
    assert len(examples) >= 4
    for words in examples:
        make_plan(load_recipe("mobile_deblur.yaml", dict(word.split("=") for word in words.split())))


def test_nothing_in_the_repository_is_too_large():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=True)
    sizes = {
        name: (REPO / name).stat().st_size for name in listed.stdout.split("\0") if name and (REPO / name).exists()
    }
    assert max(sizes.values()) < 20e6
    assert sum(sizes.values()) < 120e6


@pytest.mark.parametrize("name", PAGES)
def test_the_reference_is_the_codes(name):
    assert (FOLDER / name).read_text() == PAGES[name](), "write it anew: python -m tools.reference"
