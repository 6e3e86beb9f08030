"""The Q/DQ file that ONNX Runtime's own quantizer writes when every activation's scale is imposed on it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from exporter.quantization.onnx.qdq import KINDS, QdqPlan
from exporter.quantization.params import LOWEST, PIXELS, Affine, Range


def by_onnxruntime(plan: QdqPlan, ranges: Mapping[str, Range], target: Path, unsigned: bool) -> onnx.ModelProto:
    dtype = QuantType.QUInt8 if unsigned else QuantType.QInt8
    overrides: dict[str, list[dict[str, Any]]] = {}
    for name, members in plan.groups.items():
        params = PIXELS if name in plan.pixels else Affine.of_range(ranges[name])
        zero_point = np.uint8(params.zero_point - LOWEST) if unsigned else np.int8(params.zero_point)
        code = {"scale": np.array(params.scale, np.float32), "zero_point": np.array(zero_point), "quant_type": dtype}
        overrides |= {each: [code] for each in (name, *sorted(members))}
    quantize_static(
        deepcopy(plan.model),  # whose weights it moves into a file of its own
        target,
        _OneImage(plan.model.graph.input[0]),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(KINDS),
        nodes_to_exclude=sorted(plan.in_float),
        per_channel=True,
        activation_type=dtype,
        weight_type=QuantType.QInt8,
        extra_options={
            "TensorQuantOverrides": overrides,
            "WeightSymmetric": True,
            "ActivationSymmetric": False,
        },
    )
    return onnx.load(target)


class _OneImage(CalibrationDataReader):
    """Its calibration wants one; it decides nothing."""

    def __init__(self, source: Any) -> None:
        shape = [dim.dim_value for dim in source.type.tensor_type.shape.dim]
        self._images = iter([{source.name: np.zeros(shape, np.float32)}])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._images, None)
