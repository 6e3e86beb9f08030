"""The table of operators against those who know better: the schemas, the translators, engines."""

import onnx
import pytest
from onnx import helper

from exporter.convert.translate import TRANSLATORS
from exporter.graph.operators import ONNX, TFLITE, Linear
from exporter.graph.read import read_graph
from tests.graph.onnx_models import model_of, normal

OF_ONNX_RUNTIME = {"QLinearAdd"}


def test_whatever_is_translated_has_a_line():
    known = {kind for kind, operator in ONNX.items() if operator.reach != "unknown"}
    assert not TRANSLATORS.keys() - known


def test_the_names_are_those_of_the_schemas():
    from ai_edge_litert import schema_py_generated as schema

    assert not [kind for kind in ONNX.keys() - OF_ONNX_RUNTIME if not _is_onnx(kind)]
    assert not [kind for kind in TFLITE if not hasattr(schema.BuiltinOperator, kind)]


def _is_onnx(kind):
    return kind in {schema.name for schema in onnx.defs.get_all_schemas()}


def test_what_has_int8_weights_has_its_weights_named():
    for kind, operator in TFLITE.items():
        weighted = operator.linear is not None and operator.linear.stored
        assert weighted == (operator.int8 is not None and operator.int8.rule == "weights"), kind


@pytest.mark.parametrize(
    ("linear", "inputs", "output", "macs"),
    [
        (TFLITE["CONV_2D"].linear, [(1, 8, 8, 3), (16, 5, 5, 3), (16,)], (1, 4, 4, 16), 4 * 4 * 16 * 25 * 3),
        (TFLITE["DEPTHWISE_CONV_2D"].linear, [(1, 8, 8, 6), (1, 3, 3, 6)], (1, 8, 8, 6), 8 * 8 * 6 * 9),
        (TFLITE["TRANSPOSE_CONV"].linear, [(4,), (5, 2, 2, 3), (1, 8, 8, 3)], (1, 16, 16, 5), 8 * 8 * 3 * 5 * 4),
        (TFLITE["FULLY_CONNECTED"].linear, [(1, 2, 2, 3), (7, 12)], (1, 7), 7 * 12),
        (TFLITE["BATCH_MATMUL"].linear, [(2, 4, 5), (2, 5, 6)], (2, 4, 6), 2 * 4 * 6 * 5),
        (TFLITE["BATCH_MATMUL"].linear, [(2, 5, 4), (2, 6, 5)], (2, 4, 6), 2 * 4 * 6 * 5),  # both by flags
        (ONNX["Conv"].linear, [(1, 6, 8, 8), (6, 1, 3, 3)], (1, 6, 8, 8), 8 * 8 * 6 * 9),
        (ONNX["ConvTranspose"].linear, [(1, 3, 8, 8), (3, 5, 2, 2)], (1, 5, 16, 16), 8 * 8 * 3 * 5 * 4),
        (ONNX["QLinearConv"].linear, [(1, 3, 8, 8), (), (), (4, 3, 1, 1)], (1, 4, 8, 8), 8 * 8 * 4 * 3),
    ],
)
def test_multiply_accumulates(linear: Linear, inputs, output, macs):
    assert linear.macs(inputs, output) == macs


def test_what_is_of_unknown_shape_is_not_counted(tmp_path):
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    model = model_of(nodes, (1, 4, 8, 12), (1, 4, 8, 12), w=normal(4, 4, 1, 1))
    onnx.save(model, tmp_path / "known.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "rows"
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    onnx.save(model, tmp_path / "open.onnx")
    assert [node.macs for node in read_graph(tmp_path / "known.onnx").nodes] == [8 * 12 * 4 * 4]
    assert [node.macs for node in read_graph(tmp_path / "open.onnx").nodes] == [0]
