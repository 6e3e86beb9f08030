"""What is silent on all calibration images has no scale of its own: LiteRT must still take the file, and fast."""

import numpy as np
import pytest
from onnx import helper

from exporter.convert.translate import translate
from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.params import Range
from exporter.quantization.search.engine import Engine
from exporter.quantization.tflite.plan import plan_int8
from exporter.quantization.tflite.write import write_int8
from tests.graph.onnx_models import model_of

make = helper.make_node
SIZE = (1, 3, 8, 8)
W = (np.eye(3)[:, :, None, None] * 0.5).astype(np.float32)
LAYERS = {
    "convolution": [make("Conv", ["x", "w"], ["a"]), make("Conv", ["a", "w"], ["y"])],
    "addition": [make("Conv", ["x", "w"], ["b"]), make("Add", ["x", "b"], ["a"]), make("Conv", ["a", "w"], ["y"])],
    "product": [make("Conv", ["x", "w"], ["b"]), make("Mul", ["x", "b"], ["a"]), make("Conv", ["a", "w"], ["y"])],
    "leaky": [make("Conv", ["x", "w"], ["b"]), make("LeakyRelu", ["b"], ["a"]), make("Conv", ["a", "w"], ["y"])],
}


def written(nodes, ranges):
    content = translate(model_of(nodes, SIZE, SIZE, w=W)).to_bytes()
    graph = TfliteGraph(content)
    plan = plan_int8(content)
    return write_int8(plan, {tensor: ranges(graph, tensor) for tensor in plan.wanted.tensors}).content


@pytest.mark.parametrize("span", [0.0, 1e-27, 1e-9])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_silent_layer_gives_a_file_that_runs(layer, span):
    def silent(graph, tensor):
        inner = tensor not in (*graph.inputs, *graph.outputs)
        made = graph.producer(tensor)
        last = inner and graph.consumers(tensor) and graph.outputs[0] in graph.consumers(tensor)[0].outputs
        return Range(0.0, span) if made is not None and last else Range(0.0, 1.0)

    picture = Engine(written(LAYERS[layer], silent)).picture(np.full((8, 8, 3), 0.5, np.float32))
    assert np.isfinite(picture).all()


def test_numbers_too_large_for_the_picture_are_named():
    with pytest.raises(ValueError, match=r"(ADD|CONV_2D) y.* too large for INT8; keep_float"):
        written(LAYERS["convolution"][:1] + [make("Add", ["x", "a"], ["y"])], lambda graph, tensor: Range(-1e9, 1e9))
