"""Activation ranges of a float .tflite, learned from calibration images one at a time.

Memory is one set of activations plus one small histogram per tensor, however many images there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from exporter.quantization.affine import Range
from exporter.quantization.histogram import Histogram

Floats = NDArray[np.float32]
Method = Literal["minmax", "percentile", "mse"]


def estimate_ranges(
    content: bytes,
    tensors: Collection[int],
    images: Iterable[Floats],
    *,
    method: Method = "minmax",
    percentile: float = 99.99,
    exact: Collection[int] = (),
    after_image: Callable[[], None] = lambda: None,
) -> dict[int, Range]:
    """The range of each of `tensors` (numbers in the file) over `images`, each (H, W, 3) RGB 0..1.

    Tensors in `exact` keep their smallest and largest value whatever the method. Raises ValueError, with the
    tensor's name, for a value that is not finite, and when there are no images.
    """
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
    seen = {tensor: Histogram() for tensor in sorted(tensors)}
    limits_only = set(seen) if method == "minmax" else set(exact)
    count = 0
    for image in images:
        interpreter.set_tensor(source, image[None])
        interpreter.invoke()
        for tensor, histogram in seen.items():
            values = interpreter.get_tensor(tensor)
            histogram.add_limits(values)
            if not (math.isfinite(histogram.low) and math.isfinite(histogram.high)):
                name = next(d["name"] for d in interpreter.get_tensor_details() if d["index"] == tensor)
                raise ValueError(f"tensor {name} holds a value that is not a finite number")
            if tensor not in limits_only:
                histogram.add(values)
        count += 1
        after_image()
    if not count:
        raise ValueError("there is no calibration image")
    return {
        tensor: histogram.range if tensor in limits_only else _chosen(histogram, method, percentile)
        for tensor, histogram in seen.items()
    }


def _chosen(histogram: Histogram, method: Method, percentile: float) -> Range:
    return histogram.percentile(percentile) if method == "percentile" else histogram.least_squares()
