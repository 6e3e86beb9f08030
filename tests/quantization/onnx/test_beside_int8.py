"""What ONNX Runtime would make integer operators of, and spoil, is the float file's picture."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node

from exporter.quantization.onnx.quantize import OnnxQuantizer
from exporter.quantization.settings import Int8Settings
from exporter.stages.self_check import run_onnx
from tests.graph.onnx_models import model_of, normal

ONES = {"w_c": normal(4, 4, 1, 1, seed=1), "w_b": normal(4, 4, 1, 1, seed=2)}
RESIZE = {"mode": "cubic", "coordinate_transformation_mode": "half_pixel"}
MIDDLES = {
    "cubic, larger": ([make_node("Resize", ["c", "", "s"], ["d"], "m", **RESIZE)], 16, {"s": [1, 1, 2, 2]}),
    "cubic, smaller": ([make_node("Resize", ["c", "", "s"], ["d"], "m", **RESIZE)], 4, {"s": [1, 1, 0.5, 0.5]}),
    "cubic between corners": (
        [make_node("Resize", ["c", "", "", "n"], ["d"], "m", mode="cubic",
                   coordinate_transformation_mode="align_corners")],
        11, {"n": [1, 4, 11, 11]},
    ),
    "softmax of planes": ([make_node("Softmax", ["c"], ["d"], "m", axis=1)], 8, {}),
    "softmax in rank five": (
        [
            make_node("Reshape", ["c", "five"], ["deep"], "r"), make_node("Softmax", ["deep"], ["shares"], "m", axis=1),
            make_node("Mul", ["shares", "deep"], ["made"], "p"), make_node("Reshape", ["made", "four"], ["d"], "q"),
        ],
        8, {"five": [2, 2, 1, 8, 8], "four": [1, 4, 8, 8]},
    ),
}  # fmt: skip


def _pictures() -> list[np.ndarray]:
    return [np.abs(np.clip(normal(8, 8, 4, seed=seed), -1, 1)).astype(np.float32) for seed in range(3)]


@pytest.mark.parametrize("name", MIDDLES)
def test_it_is_as_near_as_int8_allows(name: str, tmp_path: Path) -> None:
    middle, side, given = MIDDLES[name]
    constants = {word: np.array(values, np.float32 if word == "s" else np.int64) for word, values in given.items()}
    nodes = [
        make_node("Transpose", ["x"], ["a"], "in", perm=[0, 3, 1, 2]), make_node("Conv", ["a", "w_c"], ["c"], "first"),
        *middle, make_node("Conv", ["d", "w_b"], ["b"], "last"),
        make_node("Transpose", ["b"], ["y"], "out", perm=[0, 2, 3, 1]),
    ]  # fmt: skip
    model = model_of(nodes, (1, 8, 8, 4), (1, side, side, 4), **ONES, **constants)
    source, target = tmp_path / "float.onnx", tmp_path / "int8.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(model), source)
    OnnxQuantizer(source, _pictures(), (), False).int8(Int8Settings(), target)
    picture = _pictures()[0][None]
    right, made = run_onnx(source, picture), run_onnx(target, picture)
    shown = np.abs(np.clip(made, 0, 1) - np.clip(right, 0, 1))
    assert shown.max() < 0.06
