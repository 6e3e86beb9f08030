"""A .tflite on LiteRT as quantisation needs it: pictures in, pictures out, and how long that takes beside another."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from exporter.quantization.params import HIGHEST, LOWEST

if TYPE_CHECKING:
    from exporter.quantization.ranges.float_activations import Floats

CALLS, FEWEST_CALLS, MOST_SECONDS = 25, 5, 1.0


class Engine:
    """One file, ready to run. Raises ValueError or RuntimeError when LiteRT does not take it."""

    def __init__(self, content: bytes, threads: int = 2) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        self._source = self._interpreter.get_input_details()[0]
        self._target = self._interpreter.get_output_details()[0]

    def picture(self, image: Floats) -> Floats:
        """(H, W, 3) RGB 0..1 in, the same out; an int8 file's values are converted with its own scales."""
        feed = image[None]
        if self._source["dtype"] == np.int8:
            scale, zero_point = self._source["quantization"]
            feed = np.clip(np.round(feed / scale) + zero_point, LOWEST, HIGHEST).astype(np.int8)
        self._interpreter.set_tensor(self._source["index"], feed)
        self._interpreter.invoke()
        made = self._interpreter.get_tensor(self._target["index"])[0]
        if self._target["dtype"] != np.int8:
            return np.asarray(made, np.float32)
        scale, zero_point = self._target["quantization"]
        return np.asarray((made.astype(np.float32) - zero_point) * scale, np.float32)

    @property
    def output_dtype(self) -> Any:
        """The number format that the file gives its picture in."""
        return self._target["dtype"]

    def seconds(self) -> float:
        """Of one call on the picture that was shown last, without what other programs took of the processor.

        The calling thread's own time: it works on every operator, and waits for its helpers awake.
        """
        started = time.thread_time()
        self._interpreter.invoke()
        return time.thread_time() - started


def time_ratio(one: Engine, other: Engine) -> float:
    """How many times as long `one` takes as `other`: medians of calls in turn."""
    one.seconds(), other.seconds()
    taken: list[tuple[float, float]] = []
    started = time.perf_counter()
    while len(taken) < FEWEST_CALLS or (len(taken) < CALLS and time.perf_counter() - started < MOST_SECONDS):
        taken.append((one.seconds(), other.seconds()))
    return median(first for first, _ in taken) / median(second for _, second in taken)
