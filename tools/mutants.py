"""How many small faults would the tests notice? mutmut puts one at a time into the modules that must not be wrong.

    make mutants                      # all of them, about a quarter of an hour on two idle cores
    make mutants only=affine          # those whose path holds that word

Works in a copy; prints each fault that no test noticed; exit code 1 when a module's tests notice less than 90 %.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).parent.parent
LEAST_NOTICED = 0.90
# A module and the tests that answer for it.
SUBJECTS: dict[str, tuple[str, ...]] = {
    "exporter/judge/budget.py": ("tests/judge/test_budget.py",),
    "exporter/judge/verdicts.py": (
        "tests/judge/test_verdicts.py",
        "tests/judge/test_budget.py",
        "--deselect=tests/judge/test_verdicts.py::test_junit_report_and_page_agree",  # draws thirty pages
    ),
    "exporter/quantization/params.py": ("tests/quantization/test_params.py", "tests/quantization/test_extremes.py"),
    "exporter/quantization/tflite/clamps.py": ("tests/quantization/tflite/test_clamps.py",),
    "exporter/runs/folder.py": ("tests/runs/test_folder.py", "tests/runs/test_stages_that_misbehave.py"),
    "exporter/bundle/verdict.py": ("tests/bundle/test_verdict.py",),
    "exporter/bundle/verify.py": ("tests/bundle/test_verify.py", "tests/bundle/test_names_that_lead_out.py"),
    "exporter/convert/builder.py": ("tests/convert/test_translate.py", "tests/convert/test_arrays.py"),
    "exporter/convert/translate.py": ("tests/convert/test_translate.py", "tests/convert/test_arrays.py"),
}
# mutmut's codes: no test failed, or there was none; a test failed, or pytest itself. With any other there is no answer.
UNNOTICED, FAILED = {0, 5, 33}, {1, 3}
SETTINGS = """
[tool.mutmut]
source_paths = ["exporter"]
only_mutate = [{module!r}]
also_copy = ["exporter", "tests", "recipes", "calibration", "tools", "benchmarks", "android-demo", "docs", "README.md"]
pytest_add_cli_args = ["-x", "-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = {tests}
process_isolation = "forkserver"
timeout_multiplier = 3.0
timeout_constant = 60.0
"""


@dataclass(frozen=True)
class Outcome:
    """Of one module: how many faults were tried, how many of them made the tests run without end or ended the process,
    and those that no test noticed, each as a diff."""

    module: str
    tried: int
    endless: int
    unnoticed: tuple[str, ...]

    @property
    def noticed(self) -> float:
        return 1 - len(self.unnoticed) / self.tried


def main(only: str = "") -> int:
    outcomes = [examine(module, tests) for module, tests in SUBJECTS.items() if only in module]
    for outcome in outcomes:
        for diff in outcome.unnoticed:
            sys.stdout.write(f"\n{outcome.module}\n{diff}\n")
    sys.stdout.write("\n")
    for outcome in outcomes:
        endless = f", {outcome.endless} of them by no answer" if outcome.endless else ""
        sys.stdout.write(f"{outcome.noticed:7.1%} of {outcome.tried:4} noticed  {outcome.module}{endless}\n")
    return int(any(outcome.noticed < LEAST_NOTICED for outcome in outcomes))


def examine(module: str, tests: tuple[str, ...]) -> Outcome:
    """Try every fault of one module. Raises CalledProcessError when mutmut itself fails, such as on a red test."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        copy_tree(copy)
        (copy / module).write_text(undecorated((copy / module).read_text()))
        settings = SETTINGS.format(module=module, tests=json.dumps(list(tests)))
        with (copy / "pyproject.toml").open("a") as file:
            file.write(settings.replace("'", '"'))
        mutmut(copy, "run", "--max-children", str(os.cpu_count() or 1))
        meta = json.loads((copy / "mutants" / f"{module}.meta").read_text())
        codes: dict[str, int | None] = meta["exit_code_by_key"]
        if None in codes.values():
            raise RuntimeError(f"mutmut ended before it had tried every fault of {module}")
        unnoticed = [name for name, code in codes.items() if code in UNNOTICED]
        endless = sum(code not in UNNOTICED | FAILED for code in codes.values())
        diffs = tuple(changed_lines(mutmut(copy, "show", name)) for name in unnoticed)
        return Outcome(module, len(codes), endless, diffs)


def copy_tree(target: Path) -> None:
    """What git knows of the work tree, as it lies there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPO, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (REPO / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, target / name)


def undecorated(source: str) -> str:
    """`@property` and `@contextmanager` over a function as calls below it: mutmut leaves decorated functions alone."""
    lines = source.splitlines()
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda node: node.lineno, reverse=True):
        match function.decorator_list:
            case [ast.Name(id="property" | "contextmanager") as decorator]:
                name, indent = function.name, " " * function.col_offset
                lines.insert(function.end_lineno or 0, f"{indent}{name} = {decorator.id}({name})")
                del lines[decorator.lineno - 1]
    return "\n".join(lines) + "\n"


def mutmut(folder: Path, *words: str) -> str:
    # One thread each: a forked worker must not wait for a pool that its parent had.
    kept = str(folder.parent / "bundle")  # of tests/bundle: made once, by the run without a fault
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "", "KEPT_BUNDLE": kept}
    command = [sys.executable, "-m", "mutmut", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write((done.stdout + done.stderr)[-4000:])
        done.check_returncode()
    return done.stdout


def changed_lines(diff: str) -> str:
    return "\n".join(line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---"))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
