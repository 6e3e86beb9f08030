"""Which operators of a .tflite the CPU delegate (XNNPACK) takes, and which it leaves to built-in kernels.

Imported for the engine of our process; run as `python delegation.py ENGINE MODEL` for one of another. That is why this
file imports nothing of the exporter, and nothing newer than Python 3.8.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any


def left_by_delegate(interpreter: Any) -> list[int]:
    """Numbers of the operators that no delegate took, of an interpreter with allocated tensors.

    A delegate's node is appended to the file's operators and lists the tensors it reads and writes: it took whatever
    lies between.
    """
    nodes = interpreter._get_ops_details()
    operators = [node for node in nodes if node["op_name"] != "DELEGATE"]
    makers = {int(tensor): place for place, node in enumerate(operators) for tensor in node["outputs"]}
    taken = set()
    for node in nodes:
        if node["op_name"] != "DELEGATE":
            continue
        read, front = {int(tensor) for tensor in node["inputs"]}, [int(tensor) for tensor in node["outputs"]]
        while front:
            tensor = front.pop()
            if tensor in read or tensor not in makers or makers[tensor] in taken:
                continue
            taken.add(makers[tensor])
            front += [int(source) for source in operators[makers[tensor]]["inputs"]]
    return [place for place in range(len(operators)) if place not in taken]


def probe(engine: str, model: str) -> list[int]:
    """`left_by_delegate` of the file `model` in the engine whose Python module is `engine`."""
    interpreter = importlib.import_module(engine + ".interpreter").Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    return left_by_delegate(interpreter)


if __name__ == "__main__":
    sys.path.pop(0)  # this folder: its modules must not be taken for the engine's
    sys.stdout.write(json.dumps(probe(sys.argv[1], sys.argv[2])))
