"""A package that stands for LiteRT with a vendor's compiler behind it: no machine of ours can have one.

`behaviour` is what its `aot_compile` does with the file; the names around it are LiteRT's own.
"""

from pathlib import Path

_AOT = """
import pathlib
from types import SimpleNamespace as S

BEHAVIOUR = {behaviour!r}


class Model:
    def __init__(self, content, stats):
        self.content, self.partition_stats = content, stats

    def save(self, path, export_only=False):
        pathlib.Path(path).write_bytes(self.content)


def aot_compile(model, output_dir=None, target=None, keep_going=True):
    backend = S(target_id=f"Stand_{{target[0].soc.value}}")
    content, taken = pathlib.Path(model).read_bytes(), 3
    print("the compiler talks")
    if BEHAVIOUR == "crashes":
        raise RuntimeError("segments everywhere")
    if BEHAVIOUR == "returns nothing":
        return S(models_with_backend=[], failed_backends=[])
    if BEHAVIOUR.startswith("fails: "):
        log = pathlib.Path(output_dir) / "x.error"
        log.write_text("INFO: fine\\nERROR: " + BEHAVIOUR.removeprefix("fails: "))
        return S(models_with_backend=[], failed_backends=[(backend, f"See {{log}} for details.")])
    if BEHAVIOUR == "empty file":
        content = b""
    if BEHAVIOUR == "takes nothing":
        taken = 0
    if BEHAVIOUR == "compiles":
        content = pathlib.Path(__file__).with_name("compiled.tflite").read_bytes()
    stats = S(subgraph_stats=[S(num_ops_offloaded=taken, num_total_ops=4)])
    return S(models_with_backend=[(backend, Model(content, stats))], failed_backends=[])
"""
_TARGET = """
from enum import Enum


class SocModel(Enum):
    ALL = "ALL"
    SM8750 = "SM8750"
    SM8850 = "SM8850"


class Target:
    def __init__(self, soc):
        self.soc = soc
"""


def stand_in(folder: Path, behaviour: str, compiled: bytes = b"") -> Path:
    """Write the package into `folder`, for a Python that looks there first."""
    vendor = folder / "ai_edge_litert" / "aot" / "vendors" / "qualcomm"
    vendor.mkdir(parents=True)
    for parent in (vendor, *list(vendor.parents)[:3]):
        (parent / "__init__.py").touch()
    (vendor / "target.py").write_text(_TARGET)
    (vendor / "qualcomm_backend.py").touch()
    aot = folder / "ai_edge_litert" / "aot"
    (aot / "aot_compile.py").write_text(_AOT.format(behaviour=behaviour))
    (aot / "compiled.tflite").write_bytes(compiled)
    info = folder / "ai_edge_litert-9.9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ai-edge-litert\nVersion: 9.9.9\n")
    return folder
