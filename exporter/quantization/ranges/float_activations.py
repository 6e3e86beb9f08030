"""The activations of a float model on one image after another.

Only one set of activations is in memory, however many images there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.carried import FRAME, frames_of, sources_of
from exporter.graph.tflite_editor import TfliteGraph

Floats = NDArray[np.float32]


def not_finite(name: str) -> ValueError:
    """What is raised when the values of tensor `name` hold NaN or infinity."""
    return ValueError(f"tensor {name} holds a value that is not a finite number on a calibration image")


def tflite_activations(
    content: bytes, tensors: Collection[int], images: Iterable[Floats]
) -> Iterator[Mapping[int, Floats]]:
    """For each of `images`, (H, W, 3) RGB 0..1, the values of `tensors` (numbers in the file), until the next one.

    Of a file with a state each image is a clip, and each frame counts by itself.

    The tensors become outputs of the graph: a delegate keeps all others to itself, and without it a picture takes
    several times as long.
    """
    from ai_edge_litert.interpreter import Interpreter

    graph = TfliteGraph(content)
    given, ends = list(graph.inputs), list(graph.outputs)
    sources = sources_of(*([graph.name(index) for index in each] for each in (given, ends)))
    fresh = [np.zeros(graph.shape(index), np.float32) for index in given[1:]]
    channels = graph.shape(given[0])[-1] if sources else 0
    wanted = sorted((set(tensors) | set(ends if sources else ())) - set(given))
    graph.outputs = wanted
    graph.model.signatureDefs = None  # they name the outputs of before
    interpreter = Interpreter(model_content=graph.to_bytes(), num_threads=2)
    interpreter.allocate_tensors()
    fed = [detail["index"] for detail in interpreter.get_input_details()]
    places = dict(zip(wanted, (detail["index"] for detail in interpreter.get_output_details()), strict=True))
    for image in images:
        states = fresh
        for frame in frames_of(image, channels or image.shape[-1]):
            tensors_in = [frame[None], *states]
            for index, tensor in zip(fed, tensors_in, strict=True):
                interpreter.set_tensor(index, tensor)
            interpreter.invoke()
            made = [frame[None] if place == FRAME else interpreter.get_tensor(places[ends[place]]) for place in sources]
            yield _InPlace(interpreter, places, dict(zip(given, tensors_in, strict=True)))
            states = made


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
    given, known = ([value.name for value in values] for values in (model.graph.input, model.graph.output))
    sources = sources_of(given, known)
    for name in sorted(set(tensors) - set(known) - set(given)):
        watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    places = {value.name: number for number, value in enumerate(session.get_outputs())}
    wanted = sorted((set(tensors) | set(known if sources else ())) - set(given))
    binding = session.io_binding()
    held = {name: _bound(binding, session.get_outputs()[places[name]]) for name in wanted}
    fresh = [np.zeros(value.shape, np.float32) for value in session.get_inputs()[1:]]
    channels = session.get_inputs()[0].shape[-1] if sources else 0
    for image in images:
        states = fresh
        for frame in frames_of(image, channels or image.shape[-1]):
            fed = [np.ascontiguousarray(tensor) for tensor in (frame[None], *states)]
            for name, tensor in zip(given, fed, strict=True):
                binding.bind_cpu_input(name, tensor)
            session.run_with_iobinding(binding)
            outputs = dict(zip(held, binding.get_outputs(), strict=True))
            made = {name: outputs[name].numpy() if array is None else array for name, array in held.items()}
            states = [fed[0] if place == FRAME else made[known[place]].copy() for place in sources]
            yield made | dict(zip(given, fed, strict=True))


def _bound(binding: Any, output: Any) -> Floats | None:
    """The array that the engine writes an output into, picture after picture; None where its shape is not known."""
    if not all(isinstance(size, int) for size in output.shape):
        binding.bind_output(output.name, "cpu")
        return None
    array = np.empty(output.shape, np.float32)
    binding.bind_output(output.name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
    return array
