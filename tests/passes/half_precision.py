"""What a .tflite computes in half precision, as a GPU may: operator by operator, every result rounded to float16."""

import numpy as np

from exporter.graph.tflite_editor import TfliteGraph


def in_half_precision(content, x):
    """The graph's operators one by one in float16, sums added up in float16 in pairs, as a GPU may.

    What is not shown: added one after another, the terms of one row lose the norm's accuracy (34 to 42 dB were seen).
    An accelerator that sums so needs its sums in float32.
    """
    graph = TfliteGraph(content)
    values = {graph.inputs[0]: x.astype(np.float16)}

    def value(index):
        stored = graph.constant(index)
        if stored is None:
            return values[index]
        return stored.astype(np.float16) if stored.dtype == np.float32 else stored

    for operator in graph.operators:
        operands = [value(index) for index in operator.inputs if index >= 0]
        for place, flag in enumerate(("adjX", "adjY")):
            if getattr(operator.builtinOptions, flag, False):
                operands[place] = operands[place].swapaxes(-1, -2)
        if graph.kind(operator) == "CONCATENATION":
            operands = [operands, operator.builtinOptions.axis]
        values[operator.outputs[0]] = _HALF[graph.kind(operator)](*operands).astype(np.float16)
    return values[graph.outputs[0]].astype(np.float32)


def mean_in_pairs(a, axes):
    kept = [1 if axis in axes else size for axis, size in enumerate(a.shape)]
    terms = np.moveaxis(a, sorted(axes), range(len(axes))).reshape(-1, a.size // np.prod([a.shape[i] for i in axes]))
    count = np.float16(len(terms))
    while len(terms) > 1:
        terms = np.pad(terms, ((0, len(terms) % 2), (0, 0)))
        terms = terms[::2] + terms[1::2]
    return (terms[0] / count).reshape(kept)


def _convolution(a, weights, bias):
    """1 × 1, sums in float32 as every GPU's matrix units have them."""
    return a.astype(np.float32) @ weights.reshape(weights.shape[0], -1).astype(np.float32).T + bias


def _product(a, b):
    """Of two activations; sums in float32 too."""
    return a.astype(np.float32) @ b.astype(np.float32)


def _reciprocal_root(a):
    return np.divide(1, np.sqrt(a), dtype=np.float16)


def _softmax(a):
    powers = np.exp(a - a.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _slice(a, begin, size):
    return a[tuple(slice(first, first + count) for first, count in zip(begin, size, strict=True))]


_HALF = {
    "CONV_2D": _convolution, "BATCH_MATMUL": _product, "MEAN": mean_in_pairs, "SUB": np.subtract, "MUL": np.multiply,
    "ADD": np.add, "DIV": np.divide, "MAXIMUM": np.maximum, "SQRT": np.sqrt, "RSQRT": _reciprocal_root,
    "RESHAPE": np.reshape, "TRANSPOSE": np.transpose, "SOFTMAX": _softmax, "SLICE": _slice,
    "CONCATENATION": np.concatenate,
}  # fmt: skip
