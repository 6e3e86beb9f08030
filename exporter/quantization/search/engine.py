"""A .tflite on LiteRT as quantisation needs it: pictures in, pictures out, and how long that takes beside another."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from exporter.carried import frames_of, sources_of, walk

if TYPE_CHECKING:
    from exporter.quantization.ranges.float_activations import Floats

CALLS, FEWEST_CALLS, MOST_SECONDS = 25, 5, 1.0


class Engine:
    """One file, ready to run. Raises ValueError or RuntimeError when LiteRT does not take it."""

    def __init__(self, content: bytes, threads: int = 2) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter: Any = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._inputs, self._outputs = inputs, outputs
        self._sources = sources_of([each["name"] for each in inputs], [each["name"] for each in outputs])

    def picture(self, image: Floats) -> Floats:
        """(H, W, C) in 0..1 in, the same out; an integer file's values are converted with its own scales.

        Of a file with a state a clip, and the pictures of all its frames.
        """
        channels = image.shape[-1] if not self._sources else int(self._inputs[0]["shape"][-1])
        frames = [_stored(frame[None], self._inputs[0]) for frame in frames_of(image, channels)]
        fresh = [_stored(np.zeros(each["shape"], np.float32), each) for each in self._inputs[1:]]
        pictures = walk(frames, fresh, self._sources, self._call)
        return np.concatenate([_real(picture[0], self._outputs[0]) for picture in pictures], -1)

    def _call(self, tensors: list[Any]) -> list[Any]:
        for each, tensor in zip(self._inputs, tensors, strict=True):
            self._interpreter.set_tensor(each["index"], tensor)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(each["index"]) for each in self._outputs]

    @property
    def output_dtype(self) -> Any:
        """The number format that the file gives its picture in."""
        return self._outputs[0]["dtype"]

    def seconds(self) -> float:
        """Of one call on the picture that was shown last, without what other programs took of the processor.

        The calling thread's own time: it works on every operator, and waits for its helpers awake.
        """
        started = time.thread_time()
        self._interpreter.invoke()
        return time.thread_time() - started


def _stored(real: Floats, detail: dict[str, Any]) -> Any:
    if detail["dtype"] not in (np.int8, np.int16):
        return real
    scale, zero_point = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.round(real / scale) + zero_point, limits.min, limits.max).astype(detail["dtype"])


def _real(made: Any, detail: dict[str, Any]) -> Floats:
    if detail["dtype"] not in (np.int8, np.int16):
        return np.asarray(made, np.float32)
    scale, zero_point = detail["quantization"]
    return np.asarray((made.astype(np.float32) - zero_point) * scale, np.float32)


def time_ratio(one: Engine, other: Engine) -> float:
    """How many times as long `one` takes as `other`: medians of calls in turn."""
    one.seconds(), other.seconds()
    taken: list[tuple[float, float]] = []
    started = time.perf_counter()
    while len(taken) < FEWEST_CALLS or (len(taken) < CALLS and time.perf_counter() - started < MOST_SECONDS):
        taken.append((one.seconds(), other.seconds()))
    return median(first for first, _ in taken) / median(second for _, second in taken)
