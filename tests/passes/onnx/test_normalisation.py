"""Norms: the same numbers as the operator, and in half precision over a whole 720p plane."""

from copy import deepcopy

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import helper

from exporter.convert.translate import translate
from exporter.graph.onnx_editor import OnnxGraph
from exporter.passes.onnx.normalisation import scale_before_norms, write_out_norms
from exporter.passes.tflite.cleanup import drop_dead_operators
from tests.graph.onnx_models import computed, kinds, model_of, normal
from tests.passes.half_precision import in_half_precision, mean_in_pairs

make = helper.make_node
SIZE = (1, 3, 8, 12)


def _norm_after_convolution(gain=1.0, size=SIZE, epsilon=1e-5):
    nodes = [
        make("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4),
        make("InstanceNormalization", ["c", "scale", "shift"], ["y"], epsilon=epsilon),
    ]
    weights = normal(4, 3, 3, 3) * gain * np.array([1, 10, 0.1, 3], np.float32).reshape(4, 1, 1, 1)
    constants = {"w": weights, "b": normal(4) * gain, "scale": normal(4, seed=1), "shift": normal(4, seed=2)}
    return model_of(nodes, size, (1, 4, *size[2:]), **constants)


def _written_out(model):
    graph = OnnxGraph(deepcopy(model))
    assert write_out_norms(graph)
    return graph.commit()


def test_instance_norm_written_out():
    model = _norm_after_convolution()
    made = _written_out(model)
    assert "InstanceNormalization" not in kinds(made)
    x = normal(*SIZE, seed=7)
    assert np.abs(computed(made, x) - computed(model, x)).max() < 2e-6


@pytest.mark.parametrize("operator", ["Conv", "ConvTranspose"])
def test_filters_of_length_one_change_no_bit(operator):
    """Powers of two: the convolution's numbers only change their exponents, and the norm takes them out again."""
    model = _norm_after_convolution(gain=300.0)
    model.graph.node[0].op_type = operator
    if operator == "ConvTranspose":
        weights = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
        weights.dims[:] = [3, 4, 3, 3]
    written = _written_out(model)
    graph = OnnxGraph(onnx.shape_inference.infer_shapes(deepcopy(written)))
    assert scale_before_norms(graph)
    made = graph.commit()
    x = normal(*SIZE, seed=7)
    assert np.array_equal(computed(made, x), computed(written, x))
    stored = {tensor.name: np.frombuffer(tensor.raw_data, np.float32) for tensor in made.graph.initializer}
    length = np.sqrt((stored["w_scaled"].reshape(4, -1) ** 2).sum(1)) if operator == "Conv" else None
    assert length is None or (length.min() > 0.7 and length.max() < 1.5)


def test_a_convolution_read_elsewhere_is_left_alone():
    model = _norm_after_convolution()
    model.graph.node[1].output[0] = "n"
    model.graph.node.append(make("Add", ["n", "c"], ["y"]))
    graph = OnnxGraph(onnx.shape_inference.infer_shapes(_written_out(model)))
    assert not scale_before_norms(graph)


@pytest.mark.parametrize("gain", [0.01, 1.0, 300.0])
def test_instance_norm_over_720p_in_half_precision(gain):
    """Squares of the unscaled convolution would leave half precision (300), or its small numbers (0.01)."""
    height, width = 720, 1280
    nodes = [
        make("Conv", ["x", "w", "b"], ["c"]),
        make("InstanceNormalization", ["c", "scale", "shift"], ["y"]),
    ]
    constants = {"w": normal(2, 3, 1, 1) * np.float32(gain), "b": normal(2) * np.float32(gain)}
    constants |= {"scale": np.ones(2, np.float32), "shift": np.zeros(2, np.float32)}
    model = model_of(nodes, (1, 3, height, width), (1, 2, height, width), **constants)
    graph = translate(model)
    drop_dead_operators(graph)
    content = graph.to_bytes()
    x = np.random.default_rng(1).random((1, height, width, 3)).astype(np.float32)
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    with np.errstate(all="ignore"):
        made = in_half_precision(content, x)
    assert np.isfinite(made).all()
    assert -10 * np.log10(np.mean((made - expected) ** 2) / np.ptp(expected) ** 2) > 50


def test_the_plain_sum_overflows_where_means_of_means_do_not():
    plane = np.full((1, 720, 1280, 1), 3, np.float16)
    with np.errstate(all="ignore"):
        assert not np.isfinite(mean_in_pairs(plane, [1, 2])).any()
    assert np.isclose(mean_in_pairs(mean_in_pairs(plane, [2]), [1]).item(), 3, rtol=0.001)
