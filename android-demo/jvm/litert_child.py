"""LiteRT on the CPU for a Java program: raw input tensors on standard input, raw output tensors on standard output.

`python litert_child.py MODEL THREADS [SIGNATURE]`. It says its name first, as Java's DataOutput.writeUTF would: two
bytes of length, big endian, then UTF-8. It ends when its input does.
"""

import struct
import sys
from importlib.metadata import version

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main(model: str, threads: str, signature: str = "") -> None:
    interpreter = Interpreter(model, num_threads=int(threads))
    interpreter.allocate_tensors()
    (source,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
    runner = interpreter.get_signature_runner(signature) if signature else None
    if runner:
        ((fed, source),), (made,) = runner.get_input_details().items(), runner.get_output_details()
    size_bytes = int(np.prod(source["shape"])) * np.dtype(source["dtype"]).itemsize
    name = f"LiteRT {version('ai-edge-litert')} Interpreter".encode()
    sys.stdout.buffer.write(struct.pack(">H", len(name)) + name)
    sys.stdout.buffer.flush()
    while len(raw := sys.stdin.buffer.read(size_bytes)) == size_bytes:
        tensor = np.frombuffer(raw, source["dtype"]).reshape(source["shape"])
        if runner:
            sys.stdout.buffer.write(runner(**{fed: tensor})[made].tobytes())
        else:
            interpreter.set_tensor(source["index"], tensor)
            interpreter.invoke()
            sys.stdout.buffer.write(interpreter.get_tensor(result["index"]).tobytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
