"""Commands of README and docs/: each is one that the tool takes, and is run here or says why not."""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from exporter.cli import COMMANDS, TAKE_WORDS, _command_first, _Parser, main
from exporter.commands.words import split_words
from exporter.recipes.export import load_recipe
from exporter.recipes.train import load_train_recipe
from tests.conftest import REPO
from tests.documents import FENCED, INDENTED, PROGRAMS, Command, commands, files, pages

EVERYWHERE = [
    *pages(),
    "CONTRIBUTING.md",
    "calibration/README.md",
    "recipes/weights/README.md",
    "android-demo/README.md",
]
ALL = [command for document in EVERYWHERE for command in commands(document)]
TO_RUN = [command for command in ALL if command.document in pages() and not command.mark]
SHELL = re.compile(r"[|&;<>$]")


def test_pages_are_in_the_navigation():
    there = {str(path.relative_to(REPO)) for path in (REPO / "docs").rglob("*.md")}
    assert set(pages()) == there | {"README.md"}


@pytest.mark.parametrize("page", pages())
def test_blocks_of_shell_are_found(page):
    """A block of commands that is indented, or is called otherwise than sh, would be overlooked."""
    text = (REPO / page).read_text()
    assert {match["language"] for match in FENCED.finditer(text)} <= {"sh", "python", "yaml", "json", "text"}
    indented = INDENTED.findall(FENCED.sub("", text))
    assert all(block.split()[0] in PROGRAMS for block in indented)


@pytest.mark.parametrize("command", ALL, ids=str)
def test_the_tool_takes_it(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO)
    words = shlex.split(command.text.partition(" > ")[0])
    program = words[0].removeprefix(".venv/bin/")
    assert command.mark or command.document not in pages() or program == "exporter", "mark it, or let it be run"
    if program == "srun":
        words, program = words[words.index("exporter") :], "exporter"
    if program == "exporter":
        _check_exporter(words[1:])
    elif program == "make":
        _check_make(words[1:])
    elif program == "pip":
        _check_pip(words[1:])
    elif program == "python":
        _check_python(words[1:])
    else:
        assert program in ("podman", "torchrun"), f"{program} is not known here"


def _check_exporter(words: list[str]) -> None:
    words = _command_first(words)
    if words[0].startswith("-"):
        assert words[0] in ("--help", "--version")
        return
    assert words[0] in COMMANDS
    parser = _Parser(prog=words[0])
    command = import_module(f"exporter.commands.{words[0]}")
    command.add_arguments(parser)
    args, unknown = parser.parse_known_intermixed_args(words[1:])
    assert not unknown
    if words[0] in TAKE_WORDS:
        _check_recipe(args)


def _check_recipe(args: argparse.Namespace) -> None:
    name, overrides = split_words(args.words)
    overrides.pop("space", None)
    if name in _recipes_of_pages():
        name = "mobile_deblur.yaml"  # what is written there has no keys that a shipped one lacks
    load = load_train_recipe if Path(name).name.startswith("train_") else load_recipe
    load(name, overrides)


def _recipes_of_pages() -> set[str]:
    """Those that a page shows, or that `exporter init` writes on one."""
    written = {command.text.split(" -o ")[1] for command in ALL if command.text.startswith("exporter init")}
    return written | set(files())


def _check_make(words: list[str]) -> None:
    verbs = re.findall(r"^([a-z]+):.*## ", (REPO / "Makefile").read_text(), re.MULTILINE)
    assert words[0] in verbs
    if words[0] == "export":
        _check_exporter(words[1:])


def _check_python(words: list[str]) -> None:
    if words[0] == "-m":
        assert find_spec(words[1])
    else:
        assert any((folder / words[0]).exists() for folder in (REPO, REPO / "exporter/bundle"))  # its code/ goes along


def _check_pip(words: list[str]) -> None:
    extras = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.fullmatch(r"(?:exporter|\.)(?:\[([\w,-]+)\])?", words[-1])
    assert words[0] == "install" and named and set((named[1] or "export").split(",")) <= set(extras)


@pytest.mark.parametrize("command", [c for c in ALL if c.mark.startswith("run by")], ids=str)
def test_the_gate_runs_what_it_is_said_to_run(command: Command) -> None:
    gate = (REPO / ".ci" / "run").read_text()
    as_named = re.search(r"as `(.*)`", command.mark)
    by_the_readme = command.text in [each.text for each in commands("README.md")][:2]  # which it reads there
    assert by_the_readme or (as_named[1] if as_named else command.text) in gate


@pytest.mark.slow
@pytest.mark.extra("signing")
@pytest.mark.extra("old-runtime")  # which doctor looks for
def test_what_is_not_marked_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the order of the site, each once, in one folder with the pages' files, a photograph and the image sets."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # the tool looks for my_net here
    monkeypatch.delenv("EXPORTER_STORE", raising=False)
    for name, content in files().items():
        Path(name).write_text(content)
    Path("calibration").symlink_to(REPO / "calibration")
    shutil.copy(sorted((REPO / "calibration/photos_256").glob("*.jpg"))[0], "photo.jpg")
    for text in dict.fromkeys(command.text for command in TO_RUN):
        code = _run(text)
        assert code == 0, f"{text}: exit code {code}\n{capfd.readouterr().err}"
    assert Path("restored.png").exists() and Path("dist/my_net-0.1.0/signature.dsse.json").exists()


def _run(text: str) -> int:
    """Without a shell where none is needed, so that PyTorch is imported once."""
    words = shlex.split(text)
    if words[0] == "exporter" and not SHELL.search(text):
        return main(words[1:])
    assert words[0] == "exporter", text
    command = text.replace("exporter", f"{shlex.quote(sys.executable)} -m exporter", 1)
    return subprocess.run(["bash", "-c", command], env=_environment(), check=False).returncode


def _environment() -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(REPO)}
