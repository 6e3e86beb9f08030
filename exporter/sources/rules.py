"""What following imports cannot find out by itself; tests hold each line against the code."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OURS = "exporter"

# Not part of any result, with the reason why an edit cannot change one.
INERT: Mapping[str, str] = MappingProxyType(
    {
        "exporter.files.atomic": "how a file comes to its place, not what is in it",
        "exporter.files.contained": "which files may be opened: others are an error",
        "exporter.errors": "an error ends a stage: then there is no result",
        "exporter.failures": "what is said of an error",
        "exporter.generators.code": "names results, makes none",
        "exporter.processes.interruption": "signals end a stage",
        "exporter.files.locking": "who writes first, not what",
        "exporter.cache.made_from": "names results, makes none",
        "exporter.progress": "what is told while a stage runs",
        "exporter.sources": "names results, makes none",
    }
)
INERT_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "matplotlib": "draws the curves of a training",
        "pydantic": "reads options, and options as they were read are in every key",
        "tensorboard": "shows a training while it runs",
    }
)
# Tables of modules by name. Who looks something up there has the chosen module in its key; the others do not matter.
TABLES = frozenset({"exporter.generators.table", "exporter.engines", "exporter.runtimes", "exporter.stages"})
# Our modules that compute what they import, with the distributions that it comes from.
COMPUTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "exporter.generators.build": (),  # the class of a network: exporter.generators.code
        "exporter.generators.recognition": ("spandrel",),
        "exporter.generators.signature": (),  # only asks where a class lies
        "exporter.nvidia.library": ("tensorrt", "tensorrt-rtx-cu12-libs", "tensorrt-rtx-cu13-libs"),
        "exporter.npu.aot_worker": ("ai-edge-litert",),
        "exporter.npu.vendors": (
            "ai-edge-litert-sdk-google-tensor",
            "ai-edge-litert-sdk-intel",
            "ai-edge-litert-sdk-mediatek",
            "ai-edge-litert-sdk-qualcomm",
        ),
        "exporter.runtimes.installed": (),  # only asks whether a package is there
        "exporter.runtimes.interpreter_worker": (),  # the engine: what a runtime's `device` says has its version
        "exporter.android.bench_worker": (),  # as interpreter_worker
    }
)


def is_inert(name: str) -> bool:
    return any(name == inert or name.startswith(f"{inert}.") for inert in INERT)
