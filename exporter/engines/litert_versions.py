"""LiteRT's releases side by side, each in a folder of its own: the one our converter pins, and what apps ship today.

Only the wheels themselves: numpy is the exporter's own, which every interpreter that runs us has.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

from exporter.engines.base import Engine, Say
from exporter.engines.folder import engines_folder, stamp_of
from exporter.engines.process import last_words, run_program, start_of
from exporter.engines.wheels import unpack_wheels
from exporter.errors import EngineError

NEWEST = "2.3.0"
VERSIONS = ("2.1.0", "2.1.6", NEWEST)
INSTALL = "exporter runtimes --install litert"
START_TIMEOUT_S = 120
UNKNOWN_VERSION = 99  # of an operator: no release has it
_START = "import ai_edge_litert.interpreter as i, ai_edge_litert.compiled_model; print(i.__file__)"
_OPEN = "import sys, ai_edge_litert.interpreter as i; i.Interpreter(sys.argv[1]).allocate_tensors()"


class LiteRtVersions(Engine):
    name: ClassVar[str] = "litert"
    about: ClassVar[str] = f"LiteRT {', '.join(VERSIONS[:-1])} and {NEWEST}, each beside the others"

    def installed(self) -> str | None:
        absent = [version for version in VERSIONS if not stamp_of(litert_folder(version))]
        return f"LiteRT {', '.join(absent)} is not put together: {INSTALL}" if absent else None

    def install(self, say: Say) -> None:
        for version in VERSIONS:
            unpack_litert(version, say)
        with tempfile.TemporaryDirectory() as scratch:
            for version in VERSIONS:
                check_litert(version, Path(scratch))
        say(f"LiteRT {', '.join(VERSIONS)}: each starts, and names an operator that it lacks")


def litert_folder(version: str) -> Path:
    """Where that release's packages lie, or will lie."""
    return engines_folder() / LiteRtVersions.name / version


def unpack_litert(version: str, say: Say) -> Path:
    """The release's wheels in their folder, which may be finished already. Raises EngineError."""
    wheels = (f"ai-edge-litert=={version}", "ml_dtypes==0.5.4")
    return unpack_wheels(wheels, litert_folder(version), with_dependencies=False, say=say)


def litert_environment(version: str) -> dict[str, str]:
    """What is laid over our environment for Python to find that release before any other."""
    return {"PYTHONPATH": str(litert_folder(version))}


def check_litert(version: str, scratch: Path) -> None:
    """Raises EngineError unless Python finds that very release, which opens a file and names an operator it lacks."""
    name, env = f"LiteRT {version}", {**os.environ, **litert_environment(version)}
    found = start_of([sys.executable, "-P", "-c", _START], name, timeout_s=START_TIMEOUT_S, env=env)
    if not Path(found).is_relative_to(litert_folder(version)):
        raise EngineError(f"{name} does not start: Python takes {found} for it")
    for operator_version, opens in ((1, True), (UNKNOWN_VERSION, False)):
        file = write_abs(scratch / f"abs_{operator_version}.tflite", operator_version)
        command = [sys.executable, "-P", "-c", _OPEN, str(file)]
        done = run_program(command, timeout_s=START_TIMEOUT_S, late=f"{name} gave no answer", env=env)
        if opens and done.returncode:
            raise EngineError(f"{name} does not open a file: {last_words(done)}")
        if not opens and (done.returncode == 0 or "'ABS' version '99'" not in done.stderr):
            raise EngineError(f"{name} does not name the operator that it lacks: {last_words(done)}")


def write_abs(path: Path, version: int) -> Path:
    """A file of one operator, ABS, said to be of that version."""
    from exporter.graph.tflite_editor import TfliteGraph

    graph = TfliteGraph.empty()
    source, target = (graph.add_tensor(name, (1, 8, 8, 3), "FLOAT32") for name in ("input", "output"))
    graph.inputs, graph.outputs = [source], [target]
    graph.operators = [graph.new_operator("ABS", version, [source], [target])]
    path.write_bytes(graph.to_bytes())
    return path
