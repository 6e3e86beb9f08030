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
    """For each of `images`, (H, W, 3) RGB 0..1, the values of `tensors` (numbers in the file), until the next one.

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
        yield _InPlace(interpreter, dict(zip(wanted, places, strict=True)), dict.fromkeys(graph.inputs, image[None]))


class _InPlace(Mapping[int, Floats]):
    """Tensors where the engine holds them: of a large network they are gigabytes, and copies as many more.

    It refuses to run again while somebody still has one.
    """

    def __init__(self, interpreter: Any, places: Mapping[int, int], given: Mapping[int, Floats]) -> None:
        self._interpreter, self._places, self._given = interpreter, places, given

    def __getitem__(self, tensor: int) -> Floats:
        if tensor in self._given:
            return self._given[tensor]
        held: Floats = self._interpreter.tensor(self._places[tensor])()
        return held

    def __iter__(self) -> Iterator[int]:
        return iter((*self._places, *self._given))

    def __len__(self) -> int:
        return len(self._places) + len(self._given)


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
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    places = {value.name: number for number, value in enumerate(session.get_outputs())}
    wanted = sorted(set(tensors) - {source})
    binding = session.io_binding()
    held = {name: _bound(binding, session.get_outputs()[places[name]]) for name in wanted}
    for image in images:
        binding.bind_cpu_input(source, np.ascontiguousarray(image[None]))
        session.run_with_iobinding(binding)
        made = dict(zip(held, binding.get_outputs(), strict=True))
        yield {name: made[name].numpy() if array is None else array for name, array in held.items()} | {
            source: image[None]
        }


def _bound(binding: Any, output: Any) -> Floats | None:
    """The array that the engine writes an output into, picture after picture; None where its shape is not known."""
    if not all(isinstance(size, int) for size in output.shape):
        binding.bind_output(output.name, "cpu")
        return None
    array = np.empty(output.shape, np.float32)
    binding.bind_output(output.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    return array
