"""Two whole exports at once, as processes, into one `dist`: both end well."""

import subprocess
import sys
from pathlib import Path

import pytest

from exporter.cli import main
from tests.processes.test_interruption import start
from tests.recipes.recipe_folder import write_recipe_folder


@pytest.fixture
def recipe(tmp_path: Path, teacher_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_recipe_folder(tmp_path, teacher_file, stages=[])


def run_both(recipe: Path, *words: list[str]) -> list[tuple[int, str]]:
    """Exit code and what it complained of."""
    command = [sys.executable, "-m", "exporter", f"recipe={recipe}"]
    both = [start([*command, *own], recipe.parent, stdout=subprocess.DEVNULL) for own in words]
    return [(process.returncode, said) for process in both for said in [process.communicate(timeout=300)[1]]]


@pytest.mark.slow
def test_of_other_names(recipe: Path) -> None:
    assert [code for code, _ in run_both(recipe, ["name=one"], ["name=two"])] == [0, 0]
    assert sorted(path.name for path in Path("dist").iterdir()) == ["one-1.0", "two-1.0"]
    for name in ("one", "two"):
        assert main(["verify", f"dist/{name}-1.0"]) == 0


@pytest.mark.slow
def test_of_one_name_from_two_build_folders(recipe: Path) -> None:
    """The last to finish wins, with all its files."""
    assert [code for code, _ in run_both(recipe, ["--build", "a"], ["--build", "b"])] == [0, 0]
    assert [path.name for path in Path("dist").iterdir()] == ["tiny-1.0"]
    assert main(["verify", "dist/tiny-1.0"]) == 0


@pytest.mark.slow
def test_of_one_name_in_one_build_folder(recipe: Path) -> None:
    """One has the folder; the other says so, unless it came when the first had finished."""
    ended = run_both(recipe, [], [])
    codes = sorted(code for code, _ in ended)
    assert codes in ([0, 2], [0, 0])
    assert all("another run" in said for code, said in ended if code == 2)
    assert [path.name for path in Path("dist").iterdir()] == ["tiny-1.0"]
    assert main(["verify", "dist/tiny-1.0"]) == 0
    assert main([f"recipe={recipe}"]) == 0, "what they left is whole"
