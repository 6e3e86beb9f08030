"""What a runtime's delegate leaves to built-in kernels, asked from the runtime itself."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from exporter.artifact import Format
from exporter.errors import EngineError
from exporter.failures import WRONG_PATH, pass_on
from exporter.graph.read import read_graph
from exporter.inspect.results import Finding
from exporter.processes.child_process import how_it_ended, run_child
from exporter.runtimes import delegation
from exporter.runtimes.base import Runtime
from exporter.runtimes.litert_cpu import LiteRtCpu
from exporter.runtimes.tflite_runtime import MODULE, TfliteRuntime

TIMEOUT_S = 120


def delegation_findings(runtime: Runtime, path: Path) -> Iterator[Finding]:
    """At most one finding: a warning when operators with weights stay behind, a note for all others."""
    if runtime.takes != Format.TFLITE:
        return
    try:
        left = _left(runtime, path)
    except EngineError as error:
        yield Finding("note", "delegate", f"what XNNPACK takes is not known: {error}")
        return
    if not left:
        return
    nodes = read_graph(path).nodes
    behind = [nodes[place] for place in left]
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(node.kind for node in behind).most_common(4))
    macs, all_macs = sum(node.macs for node in behind), sum(node.macs for node in nodes)
    share = f", {macs / all_macs:.0%} of the multiply-accumulates" if macs else ""
    yield Finding(
        "warning" if macs else "note",
        "delegate",
        f"{runtime.name}: XNNPACK leaves {len(left)} of {len(nodes)} operators to built-in kernels ({kinds}){share}",
    )


def _left(runtime: Runtime, path: Path) -> list[int]:
    """Raises EngineError when the runtime does not load the file."""
    if isinstance(runtime, LiteRtCpu):
        try:
            return delegation.probe("ai_edge_litert", str(path))
        except (ValueError, RuntimeError, AttributeError) as error:
            raise EngineError(f"{runtime.name} does not load {path.name}: {error}") from None
    if isinstance(runtime, TfliteRuntime):
        command = [runtime.python, delegation.__file__, MODULE, str(path)]
        try:
            done = run_child(command, timeout_s=TIMEOUT_S)
            if done.returncode:
                raise EngineError(f"{runtime.name} does not load {path.name}: {how_it_ended(done.returncode)}")
            return [int(place) for place in json.loads(done.stdout)]
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            pass_on(error, path, but=WRONG_PATH)
            raise EngineError(f"{runtime.name} does not load {path.name}: {error}") from None
    return []
