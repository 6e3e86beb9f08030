import numpy as np

from exporter.graph.tflite_editor import TfliteGraph
from tests.graph.tflite_net import Net


def _content() -> bytes:
    net = Net().conv().op("RELU")
    net.graph.outputs = [net.at]
    return net.graph.to_bytes()


def test_what_is_written_is_read_and_written_again():
    content = _content()
    assert TfliteGraph(content).to_bytes() == content


def test_an_edit_is_seen_by_no_other_graph_of_the_same_file():
    content = _content()
    edited, other = TfliteGraph(content), TfliteGraph(content)
    convolution, relu = edited.operators
    convolution.inputs[1] = edited.add_constant("weights", np.ones((4, 3, 3, 4), np.float32))
    convolution.builtinOptions.strideH = 2
    edited.set_kind(relu, "RELU6", 1)
    edited.tensors[relu.outputs[0]].name = "changed"
    edited.set_metadata("note", b"edited")
    assert edited.to_bytes() != content
    assert other.to_bytes() == content
    assert TfliteGraph(content).to_bytes() == content
