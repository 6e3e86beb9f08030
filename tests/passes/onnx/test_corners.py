import numpy as np
import onnx
import pytest
from onnx import helper

from exporter.graph.onnx_editor import OnnxGraph
from exporter.passes.onnx.corners import name_sizes_of_corners
from tests.graph.onnx_models import computed, model_of, normal

CORNERS = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}


@pytest.mark.parametrize(("scale", "size", "is_named"), [(0.7, (5, 8), True), (0.5, (4, 6), False)])
def test_a_scale_that_says_no_whole_size_is_replaced(scale, size, is_named):
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], **CORNERS)
    model = model_of([node], (1, 4, 8, 12), (1, 4, *size), s=np.array([1, 1, scale, scale], np.float32))
    x = normal(1, 4, 8, 12)
    before = computed(model, x)
    graph = OnnxGraph(onnx.shape_inference.infer_shapes(model))
    assert name_sizes_of_corners(graph) is is_named
    made = graph.commit()
    assert np.array_equal(computed(made, x), before)
    assert (len(made.graph.node[0].input) == 4) is is_named
