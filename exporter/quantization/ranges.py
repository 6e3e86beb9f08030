"""Activation ranges of a float model, learned from calibration images one at a time.

Memory is one set of activations plus one small histogram per tensor, however many images there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from exporter.quantization.affine import Range
from exporter.quantization.histogram import Histogram

Floats = NDArray[np.float32]
Method = Literal["minmax", "percentile", "mse"]
Key = TypeVar("Key", bound=Hashable)


@dataclass
class RangeCollector(Generic[Key]):
    """Sees the values of each tensor on each image and settles on a range.

    minmax: all values. percentile: (100 - percentile) / 2 percent cut off at each end. mse: the range whose int8 code
    has the smallest mean squared error. Tensors in `exact` keep all their values whatever the method.
    """

    method: Method = "minmax"
    percentile: float = 99.99
    exact: Collection[Key] = ()
    seen: dict[Key, Histogram] = field(default_factory=dict)

    def add(self, tensor: Key, values: Floats, name: str) -> None:
        """Raises ValueError with the tensor's name for a value that is not finite."""
        histogram = self.seen.setdefault(tensor, Histogram())
        histogram.add_limits(values)
        if not (math.isfinite(histogram.low) and math.isfinite(histogram.high)):
            raise ValueError(f"tensor {name} holds a value that is not a finite number")
        if not self._keeps_limits(tensor):
            histogram.add(values)

    def ranges(self) -> dict[Key, Range]:
        """Raises ValueError when no image was seen."""
        if not self.seen:
            raise ValueError("there is no calibration image")
        return {tensor: self._chosen(tensor, histogram) for tensor, histogram in self.seen.items()}

    def _keeps_limits(self, tensor: Key) -> bool:
        return self.method == "minmax" or tensor in self.exact

    def _chosen(self, tensor: Key, histogram: Histogram) -> Range:
        if self._keeps_limits(tensor):
            return histogram.range
        return histogram.percentile(self.percentile) if self.method == "percentile" else histogram.least_squares()


def tflite_ranges(
    content: bytes,
    tensors: Collection[int],
    images: Iterable[Floats],
    collector: RangeCollector[int],
    after_image: Callable[[], None] = lambda: None,
) -> dict[int, Range]:
    """The range of each of `tensors` (numbers in the file) over `images`, each (H, W, 3) RGB 0..1."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=content,
        num_threads=2,
        # Delegates keep their tensors to themselves; every single one is wanted here.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    names = {detail["index"]: detail["name"] for detail in interpreter.get_tensor_details()}
    for image in images:
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        for tensor in sorted(tensors):
            collector.add(tensor, interpreter.get_tensor(tensor), names[tensor])
        after_image()
    return collector.ranges()


def onnx_ranges(
    model: Any,
    tensors: Collection[str],
    images: Iterable[Floats],
    collector: RangeCollector[str],
    after_image: Callable[[], None] = lambda: None,
) -> dict[str, Range]:
    """The same for an onnx.ModelProto with one NHWC input and its tensors' names."""
    import onnx
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {value.name for value in watched.graph.output}
    for name in sorted(set(tensors) - known - {watched.graph.input[0].name}):
        watched.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    source, names = session.get_inputs()[0].name, [output.name for output in session.get_outputs()]
    for image in images:
        values = dict(zip(names, session.run(None, {source: image[None]}), strict=True)) | {source: image}
        for name in sorted(tensors):
            collector.add(name, values[name], name)
        after_image()
    return collector.ranges()
