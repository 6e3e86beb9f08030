"""How long does the default recipe take, how much memory, and how fast do light commands answer?

    .venv/bin/python benchmarks/default_recipe.py

Writes benchmarks/default_recipe.json. Memory is the largest sum of resident memory of the run and its children.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from statistics import median

import psutil
from record import record

RECIPE = "recipe=mobile_deblur.yaml"
EXPORTER = [sys.executable, "-m", "exporter"]


def watched(words: list[str]) -> tuple[int, float, float]:
    """Exit code, seconds and peak MB of a command and its children."""
    started_s = time.monotonic()
    process = psutil.Popen([*EXPORTER, *words], stdout=subprocess.DEVNULL)
    peak_bytes = 0
    while process.poll() is None:
        try:
            family = [process, *process.children(recursive=True)]
            peak_bytes = max(peak_bytes, sum(member.memory_info().rss for member in family))
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.2)
    return process.returncode, time.monotonic() - started_s, peak_bytes / 1e6


def answer_s(words: list[str]) -> float:
    """Median of five."""
    times = []
    for _ in range(5):
        started_s = time.monotonic()
        subprocess.run([*EXPORTER, *words], capture_output=True)
        times.append(time.monotonic() - started_s)
    return median(times)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        words = [RECIPE, "--build", f"{folder}/build", "--dist", f"{folder}/dist"]
        code, first_s, peak_mb = watched(words)
        again_code, again_s, _ = watched(words)
    record(
        "default_recipe",
        {
            "exit_codes": [code, again_code],
            "first_run_s": round(first_s, 1),
            "peak_memory_mb": round(peak_mb),
            "unchanged_run_s": round(again_s, 1),
            "help_s": round(answer_s(["--help"]), 3),
            "plan_s": round(answer_s(["plan", RECIPE]), 3),
            "bad_recipe_s": round(answer_s([RECIPE, "distill.stepz=3"]), 3),
        },
    )


if __name__ == "__main__":
    main()
