"""The command line as a process of its own, and what its output says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPO


def command(recipe: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "exporter", f"recipe={recipe}", *words]


def plain_env() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(REPO)}


def run_cli(recipe: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(recipe, *words), capture_output=True, text=True, env=plain_env())


def ran(output: str) -> list[str]:
    """The stages that were run anew."""
    return re.findall(r"^(\w+): running", output, re.MULTILINE)


def assert_one_sentence(error: str, says: str, code: int) -> None:
    assert says in error
    assert "Traceback" not in error
    assert f"exit code {code}: " in error.splitlines()[-1]
    assert len([line for line in error.splitlines() if line.startswith("error: ")]) == 1
