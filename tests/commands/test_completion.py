"""What shells offer at the cursor, asked of the shells themselves."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exporter.commands.recipe_completion import recipe_files, words_after
from tests.conftest import REPO
from tools.toolchains.shells import ShellsToolchain

DEBLUR = "exporter plan recipe=mobile_deblur.yaml "
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "dumb"}
BREAKS = " \t\n\"'><=;|&(:"  # where bash itself cuts words, at its start
ASK = """
eval "$(exporter completion bash)"
for line in "$@"; do
    COMP_LINE=$line COMP_POINT=${#line} COMP_TYPE=9 COMP_WORDBREAKS=$BREAKS
    _python_argcomplete exporter
    printf '%s|' "${COMPREPLY[@]}"; echo
done
"""
CASES = {
    "exporter pl": "plan",
    f"{DEBLUR}distill.ste": "distill.steps=",
    f"{DEBLUR}--json quantize_tflite.precision=fp": "quantize_tflite.precision=fp16",
    "exporter stages reest": "reestimate_norm",
    "exporter sweep mobile_deblur.yaml --set distill.ste": "distill.steps=",
}


@pytest.fixture(scope="module")
def shells() -> ShellsToolchain:
    toolchain = ShellsToolchain()
    if why := toolchain.installed():
        pytest.skip(why)
    return toolchain


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPO)


def asked_of_bash(*lines: str) -> list[list[str]]:
    words = ["bash", "--norc", "-c", ASK, "bash", *lines]
    done = subprocess.run(words, env=ENVIRONMENT | {"BREAKS": BREAKS}, capture_output=True, text=True, cwd=REPO)
    assert done.returncode == 0, done.stderr
    return [[word.strip() for word in line.split("|")[:-1]] for line in done.stdout.splitlines()]


def test_bash_completes_a_key_of_the_recipe_that_was_named() -> None:
    assert asked_of_bash(f"{DEBLUR}distill.ste") == [["distill.steps="]]


@pytest.mark.slow
def test_bash() -> None:
    lines = {
        **CASES,
        "exporter recipe=mobile_deb": "",
        "exporter bench a.onnx --runtime onnxruntime_cp": "",
        "exporter bench a.tflite --farm aw": "",
        "exporter re": "",
    }
    *cases, recipe, runtime, farm, word = asked_of_bash(*lines)
    # bash itself cuts words at `=`: of a key and its value the value alone is asked for.
    assert cases == [[becomes.rpartition("=")[2] or becomes] for becomes in CASES.values()]
    assert (recipe, runtime, word) == (["mobile_deblur.yaml"], ["onnxruntime_cpu"], ["recipe="])
    assert farm == ["aws-device-farm"]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "becomes"), CASES.items())
def test_fish(shells: ShellsToolchain, line: str, becomes: str) -> None:
    script = "exporter completion fish | source; complete -C $argv[1]"
    env = ENVIRONMENT | shells.environment
    done = subprocess.run([shells.fish, "-c", script, line], env=env, capture_output=True, text=True, cwd=REPO)
    assert [answer.partition("\t")[0] for answer in done.stdout.splitlines()] == [becomes], done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("line", "becomes"), CASES.items())
def test_zsh(shells: ShellsToolchain, line: str, becomes: str) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(shells.zsh, ["zsh", "-f", "-i"], ENVIRONMENT | shells.environment)
    begin = f"{shells.zsh_finds_its_parts}; stty columns 200; PS1='> '; autoload -U compinit; compinit -u -D; "
    begin += "eval \"$(exporter completion zsh)\"; echo rea''dy\n"
    os.write(terminal, begin.encode())
    _read_until(terminal, "ready\r")
    os.write(terminal, line.encode() + b"\t")
    _read_until(terminal, " ".join([*line.split()[:-1], becomes]))
    os.close(terminal)
    os.waitpid(pid, 0)


def _read_until(terminal: int, text: str, most_s: float = 60) -> None:
    seen, end = "", time.monotonic() + most_s
    while text not in seen:
        assert time.monotonic() < end, f"{text!r} is not in {seen!r}"
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536).decode(errors="replace")


def test_only_what_the_recipe_holds_is_offered() -> None:
    words = words_after(DEBLUR, "", "recipe")
    assert {"distill.steps=", "input.height=", "quantize_tflite.mixed.max_loss_db=", "version="} <= set(words)
    assert {"targets.tflite_int8.budget.max_latency_ms=", "targets.tflite_int8.runtime="} <= set(words)
    assert not any(word.startswith(("quantize_aware_train.", "stages=", "build_tensorrt.")) for word in words)
    assert all(words.values()), "every key says what it is"


def test_keys_of_a_training() -> None:
    words = words_after("exporter train recipe=train_student.yaml ", "", "train")
    assert {"training.steps=", "data.blur.max_length_px=", "data.pool.pairs="} <= set(words)


def test_values_are_offered_where_they_are_few() -> None:
    words = words_after(DEBLUR, "targets.onnx.budget.forbid_errors=", "recipe")
    assert list(words) == [f"targets.onnx.budget.forbid_errors={value}" for value in ("true", "false")]
    assert words_after(DEBLUR, "distill.steps=", "recipe") == {}
    assert words_after(DEBLUR, "no.such.key=", "recipe") == {}


def test_without_a_recipe_the_recipe_comes_first() -> None:
    assert list(words_after("exporter plan ", "", "recipe")) == ["recipe="]


def test_a_recipe_that_cannot_be_read_offers_every_stage() -> None:
    words = words_after("exporter recipe=gone.yaml 'an open quote", "", "recipe")
    assert {"build_tensorrt.builder=", "distill.steps="} <= set(words)


def test_recipe_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("recipes/far.yaml", "near.yaml", "folder/inner.yml", "note.txt", ".hidden/a.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(recipe_files("")) == ["far.yaml", "folder/", "near.yaml", "recipes/"]
    assert list(recipe_files("folder/")) == ["folder/inner.yml"] and list(recipe_files("gone/")) == []
    assert list(recipe_files(f"{tmp_path}/folder/")) == [f"{tmp_path}/folder/inner.yml"]
