"""Which of ONNX Runtime's providers computes each operator of an .onnx file, by ONNX Runtime's own profile of one call.

Imported for providers of our process; run as `python providers.py MODEL PROVIDER SHAPES` where the engine's log, which
has the reasons, is to be read. That is why this file imports nothing of the exporter.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

CPU = "CPUExecutionProvider"
_COPIES = ("MemcpyToHost", "MemcpyFromHost")  # between providers: operators of no file
_INFO, _ERROR = 1, 3  # levels of its log


def placed(model: str, provider: str, shapes: list[list[int]], log_level: int = _ERROR) -> list[dict[str, str]]:
    """`kind`, `name` and `provider` of every operator of the optimised graph, with what `provider` does not take left
    to the CPU; `shapes` are those of the inputs."""
    import numpy as np
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.log_severity_level = log_level
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as scratch:
        options.profile_file_prefix = str(Path(scratch, "profile"))
        session = onnxruntime.InferenceSession(model, options, providers=list(dict.fromkeys((provider, CPU))))
        zeros = [np.zeros(shape, np.float32) for shape in shapes]
        session.run(None, {end.name: tensor for end, tensor in zip(session.get_inputs(), zeros, strict=True)})
        events = json.loads(Path(session.end_profiling()).read_text())
    return [
        {
            "kind": event["args"]["op_name"],
            "name": event["name"].removesuffix("_kernel_time"),
            "provider": event["args"]["provider"],
        }
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
        if event["args"]["op_name"] not in _COPIES
    ]


if __name__ == "__main__":
    sys.path.pop(0)  # this folder: its modules must not be taken for the engine's
    import onnxruntime

    if hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    answer = json.dumps(placed(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), _INFO))
    sys.stdout.write("\n" + answer + "\n")  # a line of its own: preload_dlls prints
