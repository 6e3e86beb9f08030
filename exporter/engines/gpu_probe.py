"""Asks the LiteRT GPU engine which files it takes, and why not."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from exporter.delegate_log import left_to_cpu, refused_in
from exporter.engines import compiled_interpreter
from exporter.engines.litert_versions import NEWEST, litert_environment
from exporter.engines.packages import library_path
from exporter.engines.process import last_words, run_program

GpuPrecision = Literal["fp16", "fp32"]
TIMEOUT_S = 1800
SOFTWARE = "llvmpipe"  # the adapter whose answers were checked; another may compute fp16 in fp32
_ADAPTER = re.compile(r"Selected adapter: (.+?), arch=")
_RAISED = re.compile(r"\w+Error: ")


@dataclass(frozen=True, slots=True)
class GpuAnswer:
    """What the engine said to one file, compiled for the GPU alone.

    `refused` maps an operator to the engine's reason; `inputs` and `outputs` are the first values of each tensor of
    one run on random values in 0..1, None for a value that is not finite.
    """

    accepted: bool
    reason: str
    adapter: str
    refused: dict[str, str] = field(default_factory=dict)
    on_cpu: int = 0
    inputs: tuple[tuple[float, ...], ...] = ()
    outputs: tuple[tuple[float | None, ...], ...] = ()


def engine_environment(engine: Path, precision: GpuPrecision) -> dict[str, str]:
    """The environment in which Python finds the engine and the engine finds its driver; `engine` is its folder."""
    driver = engine / "driver"
    icd = str(driver / "usr/share/vulkan/icd.d/lvp_icd.json")
    return {
        **os.environ,
        compiled_interpreter.PRECISION: precision,
        **litert_environment(NEWEST),
        "LD_LIBRARY_PATH": library_path(driver),
        "VK_ICD_FILENAMES": icd,
        "VK_DRIVER_FILES": icd,
        "MESA_SHADER_CACHE_DIR": str(engine / "cache"),
    }


def ask_gpu(
    models: Sequence[Path], engine: Path, precision: GpuPrecision = "fp16", *, compile_only: bool = False
) -> list[GpuAnswer]:
    """One answer per .tflite. A file that brings the engine down is not accepted; the others are asked all the same."""
    answers: list[GpuAnswer] = []
    environment = engine_environment(engine, precision) | {compiled_interpreter.COMPILE_ONLY: str(int(compile_only))}
    while len(answers) < len(models):
        left = [str(model) for model in models[len(answers) :]]
        command = [sys.executable, compiled_interpreter.__file__, *left]
        late = "the LiteRT GPU engine gave no answer"
        done = run_program(command, timeout_s=TIMEOUT_S, late=late, cwd=engine, env=environment)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        answers += [_answer(json.loads(line)) for line in lines]
        if len(lines) < len(left):
            reason = f"the engine ended with code {done.returncode}: {last_words(done)}"
            answers.append(GpuAnswer(False, reason, ""))
    return answers


def adapter_in(log: str) -> str:
    """The adapter that the engine's log names, such as `llvmpipe (LLVM 15.0.6, 256 bits)`; empty when none."""
    found = _ADAPTER.search(log)
    return found.group(1) if found else ""


def reason_in(log: str, error: str) -> str:
    """Why the engine does not take a file, in one line."""
    if refused := refused_in(log):
        return "; ".join(f"{kind}: {why or 'not on the GPU'}" for kind, why in refused.items())
    lines = [*log.splitlines(), *error.splitlines()]
    raised = [line for line in lines if _RAISED.match(line)][-1:]
    logged = [line for line in lines if line.startswith(("ERROR", "E0000"))][:1]
    return "; ".join(line.strip() for line in (raised + logged) or lines[-1:])


def _answer(said: dict[str, object]) -> GpuAnswer:
    log, error = str(said["log"]), str(said["error"])
    return GpuAnswer(
        accepted=not error,
        reason=reason_in(log, error) if error else "",
        adapter=adapter_in(log),
        refused=refused_in(log),
        on_cpu=left_to_cpu(log),
        inputs=_values(said["inputs"]),
        outputs=_values(said["outputs"]),
    )


def _values(listed: object) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(values) for values in listed) if isinstance(listed, list) else ()
