"""An ONNX graph in float16, float32 pictures at both ends: what a strongly typed TensorRT network computes in."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph

_LARGEST = 65504.0
OPSET = 19  # the first whose QuantizeLinear takes float16
# Sums over whole pictures and what follows from them: 65504 is soon reached, and ten bits are few for a variance.
KEPT_FLOAT32 = (
    "GlobalAveragePool", "GroupNormalization", "InstanceNormalization", "LayerNormalization", "Pow", "ReduceL2",
    "ReduceMean", "ReduceSum", "ReduceSumSquare", "Reciprocal", "Softmax", "Sqrt",
)  # fmt: skip


def to_half(model: Any) -> Any:
    """`model` with float16 weights and activations and float32 input and output; `model` itself may be changed.

    Raises ValueError naming the first stored number that float16 cannot hold.
    """
    from onnxconverter_common import float16

    model = OnnxGraph(model).commit()  # every constant in one place
    _require_range(model)
    # The converter spares Resize for ONNX Runtime's sake; a GPU would move the whole picture twice more for it.
    blocked = [*(set(float16.DEFAULT_OP_BLOCK_LIST) - {"Resize"}), *KEPT_FLOAT32]
    half = float16.convert_float_to_float16(
        model, min_positive_val=0.0, max_finite_val=_LARGEST, keep_io_types=True, op_block_list=blocked
    )
    _restore_resize_factors(half)
    return half


def _require_range(model: Any) -> None:
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and not np.abs(values[np.isfinite(values)]).max(initial=0) < _LARGEST:
            raise ValueError(f"{tensor.name} holds {np.abs(values).max():.3g}, more than float16 can")


def _restore_resize_factors(model: Any) -> None:
    """A Resize takes its region and factors in float32 only; the converter made them float16 with the picture."""
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        for position in range(1, min(3, len(node.input)) if node.op_type == "Resize" else 1):
            tensor = stored.get(node.input[position])
            if tensor is not None and tensor.data_type == tensor.FLOAT16:
                name = f"{tensor.name}_float32"
                if name not in stored:
                    values = numpy_helper.to_array(tensor).astype(np.float32)
                    model.graph.initializer.append(numpy_helper.from_array(values, name))
                    stored[name] = model.graph.initializer[-1]
                node.input[position] = name


def with_opset(model: Any, opset: int = OPSET) -> Any:
    """`model` in the words of `opset` or newer, without the operator sets it does not use."""
    import onnx

    (main,) = (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if main < opset:
        model = onnx.version_converter.convert_version(model, opset)
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if ("" if entry.domain == "ai.onnx" else entry.domain) in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    return model
