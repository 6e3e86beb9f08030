"""The activations of a float model on one image after another.

Only one set of activations is in memory, however many images there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.graph.tflite_editor import TfliteGraph

Floats = NDArray[np.float32]


def not_finite(name: str) -> ValueError:
    """What is raised when the values of tensor `name` hold NaN or infinity."""
    return ValueError(f"tensor {name} holds a value that is not a finite number on a calibration image")


def tflite_activations(
    content: bytes, tensors: Collection[int], images: Iterable[Floats]
) -> Iterator[Mapping[int, Floats]]:
    """For each of `images`, (H, W, 3) RGB 0..1, the values of `tensors` (numbers in the file).

    The tensors become outputs of the graph: a delegate keeps all others to itself, and without it a picture takes
    several times as long.
    """
    from ai_edge_litert.interpreter import Interpreter

    graph = TfliteGraph(content)
    wanted = sorted(set(tensors) - set(graph.inputs))
    graph.outputs = wanted
    graph.model.signatureDefs = None  # they name the outputs of before
    interpreter = Interpreter(model_content=graph.to_bytes(), num_threads=2)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    places = [detail["index"] for detail in interpreter.get_output_details()]
    for image in images:
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        values = {tensor: interpreter.get_tensor(place) for tensor, place in zip(wanted, places, strict=True)}
        yield values | dict.fromkeys(graph.inputs, image[None])


def onnx_activations(model: Any, tensors: Collection[str], images: Iterable[Floats]) -> Iterator[Mapping[str, Floats]]:
    """The same for an onnx.ModelProto with one NHWC input and its tensors' names."""
    import onnx
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    source = watched.graph.input[0].name
    known = {value.name for value in watched.graph.output}
    for name in sorted(set(tensors) - known - {source}):
        watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [name for name in tensors if name != source]
    for image in images:
        values = session.run(names, {source: image[None]})
        yield dict(zip(names, values, strict=True)) | {source: image[None]}
