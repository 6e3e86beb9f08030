"""Writes INT8 into an ONNX file as QuantizeLinear/DequantizeLinear pairs, with ranges of our own.

ONNX Runtime's quantizer places the pairs; every activation's scale is imposed on it, so its own calibration, which
keeps all images in memory, decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.graph.operators import ONNX
from exporter.quantization.params import LOWEST, PIXELS, Affine, Range

Estimate = Callable[[set[str], set[str]], Mapping[str, Range]]  # (tensors, those never clipped) -> ranges

# ONNX Runtime quantises these; outputs of _SAME have their input's scale, and no rounding happens in them.
KINDS = tuple(kind for kind, operator in ONNX.items() if operator.scale)
_SAME = {kind for kind in KINDS if ONNX[kind].scale == "input"}
_CLAMPS = {kind for kind in KINDS if ONNX[kind].scale == "clamp"}


def write_qdq(
    source: Path,
    target: Path,
    estimate: Estimate,
    sample: NDArray[np.float32],
    keep_float: set[str],
    unsigned: bool,
) -> None:
    """Quantise `source` into `target`. `sample` is one (1, H, W, 3) picture; `keep_float` names nodes to leave alone.

    `unsigned` stores activations as uint8: the same codes moved up by 128.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    model = onnx.shape_inference.infer_shapes(onnx.load(source))
    codes = _codes(model, estimate)
    dtype = QuantType.QUInt8 if unsigned else QuantType.QInt8
    overrides = {name: [_override(code, dtype, unsigned)] for name, code in codes.items()}

    class OneImage(CalibrationDataReader):  # type: ignore[misc, unused-ignore]
        def __init__(self) -> None:
            self._images: Iterator[dict[str, Any]] = iter([{model.graph.input[0].name: sample}])

        def get_next(self) -> dict[str, Any] | None:
            return next(self._images, None)

    quantize_static(
        model,
        target,
        OneImage(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(KINDS),
        nodes_to_exclude=sorted(keep_float),
        per_channel=True,
        activation_type=dtype,
        weight_type=QuantType.QInt8,
        extra_options={
            "TensorQuantOverrides": overrides,
            "WeightSymmetric": True,
            "ActivationSymmetric": False,
        },
    )


def _override(code: Affine, dtype: Any, unsigned: bool) -> dict[str, Any]:
    zero_point = np.uint8(code.zero_point - LOWEST) if unsigned else np.int8(code.zero_point)
    return {
        "scale": np.array(code.scale, np.float32),
        "zero_point": np.array(zero_point),
        "quant_type": dtype,
    }


def _codes(model: Any, estimate: Estimate) -> dict[str, Affine]:
    """The code of every activation; the quantizer would give an operator it does not know one from its own image."""
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    heads = _heads(graph, makers, users)
    floats = {name: members for name, members in heads.items() if _is_float(model, name)}
    residual = _residual(graph, makers)
    exact = {name for name in floats if name in residual or not residual.isdisjoint(floats[name])}
    ranges = estimate(set(floats), exact)
    ends = {graph.input[0].name, graph.output[0].name}
    codes: dict[str, Affine] = {}
    for name, members in floats.items():
        code = PIXELS if not ends.isdisjoint({name, *members}) else Affine.of_range(ranges[name])
        codes |= dict.fromkeys((name, *sorted(members)), code)
    return codes


def _heads(graph: Any, makers: Mapping[str, Any], users: Mapping[str, list[Any]]) -> dict[str, set[str]]:
    """Each tensor with a code of its own, and the tensors that inherit it."""
    heads: dict[str, set[str]] = {graph.input[0].name: set()}
    for node in graph.node:
        if node.op_type in KINDS:
            for name in node.output:
                heads.setdefault(_head(name, makers), set()).add(name)
            for name in list(node.input)[:1]:
                if name in makers:
                    heads.setdefault(_head(name, makers), set())
    swallowed = {
        node.input[0]
        for node in graph.node
        if node.op_type in _CLAMPS and len(users[node.input[0]]) == 1 and node.input[0] in makers
    }
    return {name: members for name, members in heads.items() if name not in swallowed}


def _head(name: str, makers: Mapping[str, Any]) -> str:
    while name in makers and makers[name].op_type in _SAME:
        name = makers[name].input[0]
    return name


def _is_float(model: Any, name: str) -> bool:
    import onnx

    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        if value.name == name:
            return bool(value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT)
    return False


def _residual(graph: Any, makers: Mapping[str, Any]) -> set[str]:
    """What is added to make the output picture: its tails are the strongest edges and are never cut off."""
    found: set[str] = set()
    frontier, seen_sum = [graph.output[0].name], False
    while frontier:
        name = frontier.pop()
        node = makers.get(name)
        if node is None or name in found:
            continue
        found.add(name)
        if node.op_type in _SAME | _CLAMPS:
            frontier.append(node.input[0])
        elif node.op_type in ("Add", "Sub") and not seen_sum:
            seen_sum = True
            frontier += list(node.input)
    return found
