"""Run LiteRT's `aot_compile` on one file in a process of its own: it talks, and leaves logs where temporary files go.

    python -P aot_worker.py REQUEST.json ANSWER.json

Imports nothing of the exporter, so that any release of LiteRT can be asked. The answer says what came of it, not
whether that is good: `models` that were returned, `failed` backends with the words of their log, or `socs` when the
chip is none that this release knows.
"""

import importlib
import importlib.metadata
import json
import re
import sys
from pathlib import Path
from typing import Any

LOG_LINES = 5


def main(request_file: str, answer_file: str) -> None:
    request = json.loads(Path(request_file).read_text())
    answer = compiled(request["vendor"], request["soc"], request["model"], request["folder"])
    Path(answer_file).write_text(json.dumps(answer))


def compiled(vendor: str, soc: str, model: str, folder: str) -> dict[str, Any]:
    said: dict[str, Any] = {"litert": importlib.metadata.version("ai-edge-litert"), "models": [], "failed": []}
    place = f"ai_edge_litert.aot.vendors.{vendor}"
    try:
        target = importlib.import_module(f"{place}.target")
        importlib.import_module(f"{place}.{vendor}_backend")
    except ModuleNotFoundError as error:
        return said | {"no_backend": str(error)}
    socs = [member.value for member in target.SocModel if member.value != "ALL"]
    if soc not in socs:
        return said | {"socs": socs}
    aot = importlib.import_module("ai_edge_litert.aot.aot_compile")
    result = aot.aot_compile(model, output_dir=folder, target=[target.Target(target.SocModel(soc))], keep_going=True)
    for number, (backend, made) in enumerate(result.models_with_backend):
        path = Path(folder) / f"returned_{number}.tflite"
        made.save(path, export_only=True)
        stats = [] if made.partition_stats is None else made.partition_stats.subgraph_stats
        taken = [(each.num_ops_offloaded, each.num_total_ops) for each in stats]
        said["models"].append({"backend": str(backend.target_id), "path": str(path), "taken": taken})
    for backend, why in result.failed_backends:
        said["failed"].append({"backend": str(backend.target_id), "why": str(why), "log": log_of(str(why))})
    return said


def log_of(why: str) -> list[str]:
    """The lines of the log that a failure names in which something is an error."""
    found = re.search(r"See (\S+) for details", why)
    if not found or not Path(found[1]).is_file():
        return []
    lines = Path(found[1]).read_text(errors="replace").splitlines()
    return [line.strip() for line in lines if "ERROR" in line][:LOG_LINES]


if __name__ == "__main__":
    main(*sys.argv[1:])
