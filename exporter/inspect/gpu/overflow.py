"""Which layers will leave the range of half precision on a phone, from the float graph's values on real pictures.

A phone's GPU stores and sums in fp16, and so does its CPU with fp16 files: beyond 65504 values are infinite, and a
division by such a sum gives a finite, wrong picture without any error. Some sums an engine keeps in single precision.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from exporter.errors import DataError, EngineError
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.gpu.rewrites import rewrite_of_overflow
from exporter.inspect.gpu.wide_kernels import ENGINES, Engine, in_single_precision
from exporter.runtimes.base import Image

FP16_LARGEST = 65504.0
NEAR = 0.25  # of it: pictures that were not tried may reach four times as far


@dataclass(frozen=True, slots=True)
class Overflow:
    """Of all pictures: `largest` is the layer's largest |value|, `partial` the largest sum of |values| that a SUM could
    meet on its way, were all of one sign (0 for other layers). `sure`: values leave fp16; else they come near, or a sum
    may. `engines`: those that hold the layer in half precision."""

    kind: str
    tensor: str
    largest: float
    partial: float
    sure: bool
    rewrite: str
    engines: tuple[Engine, ...] = ENGINES


def predict_overflow(path: Path, images: Iterable[Image]) -> tuple[Overflow, ...]:
    """Layers of a float .tflite beyond or near 65504 that an engine holds in half precision, in the file's order.

    `images` are (H, W, 3) RGB 0..1 of its size.

    Raises DataError when there is no picture, EngineError when LiteRT does not run the file.
    """
    nodes = read_tflite(path).nodes
    engine = _Open(path)
    largest, partial = [0.0] * len(nodes), [0.0] * len(nodes)
    seen = 0
    for image in images:
        engine.run(image)
        seen += 1
        for place, node in enumerate(nodes):
            largest[place] = _larger(largest[place], engine.largest(place))
            if node.kind == "SUM":
                partial[place] = _larger(partial[place], engine.sum_of_sizes(place))
    if not seen:
        raise DataError("no picture was given to predict the overflow on")
    wide = {engine: in_single_precision(nodes, engine) for engine in ENGINES}
    found = []
    for place, node in enumerate(nodes):
        engines = tuple(engine for engine in ENGINES if place not in wide[engine])
        if engines and not _larger(largest[place], partial[place]) < NEAR * FP16_LARGEST:
            sure = not largest[place] <= FP16_LARGEST  # NaN is sure, too
            rewrite = rewrite_of_overflow(node)
            found.append(Overflow(node.kind, node.name, largest[place], partial[place], sure, rewrite, engines))
    return tuple(found)


def _larger(left: float, right: float) -> float:
    """NaN when either is: a layer that gives it is lost already."""
    return float(np.maximum(left, right))


class _Open:
    """A file in LiteRT's plain kernels, which keep every tensor."""

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._path = path
        plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        try:
            self._engine = Interpreter(
                str(path), experimental_op_resolver_type=plain, experimental_preserve_all_tensors=True
            )
            self._engine.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"LiteRT does not load {path.name}: {error}") from None
        self._operators: list[Any] = self._engine._get_ops_details()
        (self._source,) = self._engine.get_input_details()

    def run(self, image: Image) -> None:
        try:
            self._engine.set_tensor(self._source["index"], image[None].astype(self._source["dtype"]))
            self._engine.invoke()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"LiteRT cannot run {self._path.name} layer by layer: {error}") from None

    def largest(self, place: int) -> float:
        made = [self._floats(index) for index in self._operators[place]["outputs"]]
        return max((float(np.abs(values).max()) for values in made if values is not None and values.size), default=0.0)

    def sum_of_sizes(self, place: int) -> float:
        """The largest Σ|x| over the axes of a SUM."""
        source, axes = self._operators[place]["inputs"]
        values = self._floats(source)
        over = tuple(int(axis) for axis in np.atleast_1d(self._engine.get_tensor(axes)))
        return 0.0 if values is None else float(np.abs(values).sum(axis=over, dtype=np.float64).max())

    def _floats(self, index: int) -> np.ndarray[Any, Any] | None:
        if self._engine._get_tensor_details(index, 0)["dtype"] not in (np.float32, np.float16):
            return None
        return np.asarray(self._engine.get_tensor(index), np.float32)
