"""The command line: exit codes, sentences, and that light commands import nothing heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from exporter import cli
from exporter.cli import COMMANDS, main
from exporter.errors import EXIT_CODES
from tests.conftest import REPO
from tests.recipes.conftest import recipe_file  # noqa: F401

HEAVY = (
    "torch",
    "onnx",
    "onnxruntime",
    "tensorflow",
    "ai_edge_litert",
    "tensorrt",
    "cv2",
    "skimage",
    "matplotlib",
    "PIL",
)


TORCH_CODE = ("exporter.generators.", "exporter.checkpoints.", "exporter.training.", "exporter.quantization.qat")


def run_without(modules: tuple[str, ...], code: str) -> subprocess.CompletedProcess[str]:
    blocked = f"import sys; sys.modules.update(dict.fromkeys({modules!r})); "
    return subprocess.run([sys.executable, "-c", blocked + code], capture_output=True, text=True, cwd=REPO)


def test_every_module_imports_without_the_heavy_libraries():
    """Networks and training are torch code by nature; nothing may import them at import time."""
    code = (
        "import importlib, pathlib\n"
        "for path in sorted(pathlib.Path('exporter').rglob('*.py')):\n"
        "    name = '.'.join(path.with_suffix('').parts).removesuffix('.__init__')\n"
        f"    torch_code = name.startswith({TORCH_CODE}) and (' torch' in path.read_text() or '.qat' in name)\n"
        "    handed_out = 'code' in path.parts  # sources for apps, which nothing of ours imports\n"
        "    if name != 'exporter.__main__' and not torch_code and not handed_out:\n"
        "        importlib.import_module(name)\n"
    )
    done = run_without(HEAVY, code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words", [["--help"], ["plan", "recipe=mobile_deblur.yaml"], ["schema"], ["stages"], ["generators", "--json"]]
)
def test_light_commands_need_no_heavy_library(words):
    done = run_without(HEAVY, f"from exporter.cli import main; raise SystemExit(main({words!r}))")
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    assert COMMANDS[command].split(":")[0][:40] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["recipe=gone.yaml"], "recipe=gone.yaml: no such file"),
        (["recipe"], "'recipe' is neither a command nor key=value"),
        (["paln", "recipe=mobile_deblur.yaml"], "'paln' is neither a command nor key=value; did you mean 'plan'?"),
        (["mobile_deblur.yaml"], "did you mean recipe=mobile_deblur.yaml?"),
        (["plan", "mobile_deblur.yaml"], "hint: for example: recipe=mobile_deblur.yaml"),
        (["distill.steps=3"], "no recipe was named"),
        (["plan", "recip=mobile_deblur.yaml"], "did you mean recipe=mobile_deblur.yaml?"),
        (["plan", "recipe=a.yaml", "recipe=b.yaml"], "recipe is given twice, as 'a.yaml' and 'b.yaml'"),
        (["plan", "recipe=mobile_deblur.yaml", "a=1", "a=2"], "a is given twice"),
        (["recipe=mobile_deblur.yaml", "--bild", "x"], "exporter export has no option '--bild'; did you mean --build?"),
        (["plan", "--recipe=mobile_deblur.yaml"], "did you mean recipe=…, without dashes?"),
        (["--distill.steps=5", "recipe=x.yaml"], "did you mean distill.steps=…, without dashes?"),
        (["recipe=mobile_deblur.yaml", "--build"], "--build: expected one argument"),
        (["run", "--model"], "exporter run: argument --model: expected one argument"),
        (["verify"], "exporter verify: the following arguments are required"),
        (["plan", "recipe=mobile_deblur.yaml", "distill.stepz=3"], "did you mean 'steps'"),
        (["recipe=mobile_deblur.yaml", "distill.stepz=3"], "did you mean 'steps'"),
        (["lint", "gone.tflite"], "gone.tflite"),
        (["bench", "gone.onnx"], "gone.onnx: there is no such file"),
        (["diff", "gone", "gone"], "gone is not a folder"),
    ],
)
def test_mistakes_exit_with_2_and_one_sentence(words, says, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert error.splitlines()[-1] == f"exit code 2: {EXIT_CODES[2]}"


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "recipe=mobile_deblur.yaml", "--json", "distill.steps=5"],
        ["plan", "--json", "recipe=mobile_deblur.yaml", "distill.steps=5"],
        ["plan", "distill.steps=5", "recipe=mobile_deblur.yaml", "--json"],
        ["--json", "plan", "recipe=mobile_deblur.yaml", "distill.steps=5"],
        ["recipe=mobile_deblur.yaml", "distill.steps=5", "plan", "--json"],
    ],
)
def test_options_and_words_come_in_any_order(words, capsys, monkeypatch):
    monkeypatch.chdir(REPO)
    assert main(words) == 0
    stages = json.loads(capsys.readouterr().out)["recipe"]["stages"]
    assert stages[1]["distill"]["steps"] == 5


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["recipe=x", "--build", "plan", "a=1"], ["export", "recipe=x", "--build", "plan", "a=1"]),
        (["--build", "B", "--dist", "D", "recipe=x"], ["export", "--build", "B", "--dist", "D", "recipe=x"]),
        (["--build", "B", "plan", "recipe=x"], ["plan", "--build", "B", "recipe=x"]),
        (["verify", "plan"], ["verify", "plan"]),
        ([], []),
    ],
)
def test_the_command_is_found_among_the_words(words, command):
    assert cli._command_first(words) == command


def test_models_and_options_come_in_any_order(monkeypatch, capsys):
    from exporter.commands import bench

    seen = []
    monkeypatch.setattr(bench, "run", lambda args: seen.append((args.models, args.threads)) or 0)
    assert main(["bench", "a.onnx", "--threads", "1", "b.onnx"]) == 0
    assert seen == [([Path("a.onnx"), Path("b.onnx")], "1")]


def raising(error: BaseException):
    def raise_it(*_):
        raise error

    return raise_it


@pytest.mark.parametrize(
    ("words", "says"), [(["recipe=x"], "the same command goes on from there"), (["stages"], "nothing half-written")]
)
def test_ctrl_c_says_what_is_kept(monkeypatch, capsys, words, says):
    monkeypatch.setattr(cli, "import_module", raising(KeyboardInterrupt()))
    assert main(words) == 130
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (OSError(28, "No space left on device", "build/x"), 4, "the disk is full while writing build/x"),
        (OSError("49152 requested and 36736 written"), 4, "the disk is full"),
        (PermissionError(13, "Permission denied", "build/x"), 2, "build/x cannot be used: permission denied"),
        (OSError(24, "Too many open files", "build/x"), 4, "build/x cannot be used: too many open files"),
        (ZeroDivisionError("division by zero"), 5, "ZeroDivisionError: division by zero"),
        (RecursionError("too deep"), 5, "RecursionError"),
        (MemoryError(), 4, "not enough memory"),
    ],
)
def test_every_error_is_one_sentence_with_its_code(monkeypatch, capsys, tmp_path, error, code, says):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cli, "import_module", raising(error))
    assert main(["stages"]) == code
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said
    assert said.splitlines()[-1] == f"exit code {code}: {EXIT_CODES[code]}"
    logs = list(tmp_path.iterdir())
    assert len(logs) == (code == 5)
    for log in logs:
        assert str(log) in said
        assert "Traceback" in log.read_text()


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """`script` in bash with pipefail, where `exporter` is this one."""
    start = f'set -o pipefail; exporter() {{ {sys.executable} -m exporter "$@"; }}; '
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    return subprocess.run(["bash", "-c", start + script], capture_output=True, text=True, cwd=REPO, env=environment)


@pytest.mark.parametrize("words", ["stages", "stages --json", "generators", "--help", "plan recipe=mobile_deblur.yaml"])
def test_a_closed_pipe_ends_quietly(words):
    done = shell(f"exporter {words} | true")
    assert done.returncode in (0, 141)  # 0: it was quicker than its reader
    assert done.stderr == ""


def test_a_pipe_that_is_closed_for_sure():
    done = shell("{ sleep 1; exporter stages; } | true")
    assert (done.returncode, done.stderr) == (141, "")
    done = shell("{ sleep 1; exporter stages --no-such-option 2>&1; } | true")
    assert (done.returncode, done.stderr) == (2, ""), "what cannot be said is still an exit code"


def test_a_closed_output_is_nobodys_business():
    assert shell("exporter stages >&-").returncode == 0
    done = shell("exporter stages >&- 2>&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert shell("exporter recipe=gone >&- 2>&-").returncode == 2


@pytest.mark.parametrize("words", ["stages", "--help", "--version", "stages --json"])
def test_an_output_that_is_full(words):
    done = shell(f"exporter {words} > /dev/full")
    assert done.returncode == 4
    assert "error: the disk is full while writing" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_json_listings_are_json(capsys):
    for command in ("stages", "generators", "runtimes", "doctor"):
        main([command, "--json"])
        assert json.loads(capsys.readouterr().out)


def test_make_passes_every_word_on(tmp_path):
    """`make export recipe=… key.sub=value` and `exporter recipe=… key.sub=value` are the same words."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((REPO / name).read_text())
    fake = tmp_path / ".venv" / "bin" / "exporter"
    fake.parent.mkdir(parents=True)
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    (tmp_path / ".venv" / ".installed").touch()
    words = ["recipe=mobile_deblur.yaml", "distill.steps=50", "targets.tflite_int8.budget.min_parity_db=41"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(["make", "-s", "export", *words], cwd=tmp_path, capture_output=True, text=True, env=clean)
    assert sorted(done.stdout.split()) == sorted(words)


def test_recipe_paths_are_found_from_anywhere(recipe_file, monkeypatch, tmp_path):  # noqa: F811
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["plan", f"recipe={recipe_file}"]) == 0


def test_the_repository_has_no_stray_paths():
    tracked = subprocess.run(["git", "ls-files", "*.py", "*.yaml", "*.md"], cwd=REPO, capture_output=True, text=True)
    for name in tracked.stdout.split():
        assert str(Path.home()) + "/." not in (REPO / name).read_text(), name
