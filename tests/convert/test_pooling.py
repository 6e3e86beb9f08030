"""Pooling with whatever padding and rounding, along planes and lines: the numbers are ONNX Runtime's."""

import numpy as np
import pytest
import torch
from onnx import helper

from exporter.convert.translate import translate
from tests.convert.test_arrays import SIZE, converted, ints, operators
from tests.graph.onnx_models import model_of, normal
from tests.passes.tflite.test_cleanup import invoked

make = helper.make_node


def size_of(length, kernel, stride, pads, ceil):
    places = (length + pads - kernel) / stride
    return int(np.ceil(places) if ceil else np.floor(places)) + 1


@pytest.mark.parametrize("counted", [None, 0, 1])
@pytest.mark.parametrize(
    ("kernel", "stride", "pads", "ceil"),
    [
        (3, 2, (1, 1, 1, 1), 0),
        (3, 2, (0, 0, 0, 0), 1),
        (3, 1, (1, 1, 1, 1), 0),
        (5, 3, (2, 1, 0, 2), 0),
        (5, 1, (2, 2, 2, 2), 0),
        (2, 2, (0, 0, 0, 0), 0),
        (5, 2, (1, 0, 1, 0), 1),
    ],
)
def test_pooling(counted, kernel, stride, pads, ceil):
    """`counted` None: the largest of each window, else its mean."""
    rows = size_of(8, kernel, stride, pads[0] + pads[2], ceil)
    columns = size_of(12, kernel, stride, pads[1] + pads[3], ceil)
    words = {"kernel_shape": [kernel, kernel], "strides": [stride, stride], "pads": pads, "ceil_mode": ceil}
    kind = "MaxPool" if counted is None else "AveragePool"
    words |= {} if counted is None else {"count_include_pad": counted}
    nodes, target = [make(kind, ["x"], ["y"], **words)], (1, 4, rows, columns)
    if not (counted and ceil):
        graph = converted(nodes, target=target)
    else:  # ONNX Runtime divides by the whole window there, PyTorch by what lies on the padded picture
        graph = translate(model_of(nodes, SIZE, target))
        x = normal(*SIZE, seed=5)
        padded = torch.nn.functional.pad(torch.from_numpy(x), (pads[1], pads[3], pads[0], pads[2]))
        right = torch.nn.functional.avg_pool2d(padded, kernel, stride, ceil_mode=True).numpy()
        made = invoked(graph.to_bytes(), np.ascontiguousarray(x.transpose(0, 2, 3, 1))).transpose(0, 3, 1, 2)
        assert np.abs(made - right).max() < 1e-6
    assert not {"PADV2", "TRANSPOSE"} & set(operators(graph))


@pytest.mark.parametrize(("kernel", "pads"), [(2, (1, 1, 1, 1)), (2, (1, 1, 0, 0)), (4, (2, 3, 3, 1))])
def test_a_border_of_half_the_window_and_more_repeats_the_outermost_rows(kernel, pads):
    """There is no larger number in it to mirror."""
    sizes = (8 + pads[0] + pads[2] - kernel + 1, 12 + pads[1] + pads[3] - kernel + 1)
    node = make("MaxPool", ["x"], ["y"], kernel_shape=[kernel] * 2, strides=[1, 1], pads=pads)
    assert "PADV2" not in operators(converted([node], target=(1, 4, *sizes)))


LINE = {"s": ints(1, 4, 96), "r": ints(1, 4, 8, 12)}


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (make("Conv", ["l", "w", "b"], ["m"], pads=[1, 1]), {"w": normal(4, 4, 3), "b": normal(4)}),
        (make("Conv", ["l", "w"], ["m"], pads=[4, 4], dilations=[2], group=4), {"w": normal(4, 1, 5)}),
        (make("MaxPool", ["l"], ["m"], kernel_shape=[3], pads=[1, 1]), {}),
        (make("AveragePool", ["l"], ["m"], kernel_shape=[3], pads=[1, 1]), {}),
        (make("ConvTranspose", ["l", "w"], ["m"], pads=[1, 1]), {"w": normal(4, 4, 3)}),
    ],
)
def test_along_a_line(node, constants):
    nodes = [make("Reshape", ["x", "s"], ["l"]), node, make("Reshape", ["m", "r"], ["y"])]
    converted(nodes, **LINE, **constants)


@pytest.mark.parametrize(("groups", "dilations"), [(1, (2, 1)), (2, (1, 1)), (4, (1, 1)), (2, (2, 2))])
def test_transposed_convolutions_in_groups_and_dilated(groups, dilations):
    kernel = [2 * dilation + 1 for dilation in dilations]
    target = (1, 8, 7 * 2 + kernel[0] - 2, 11 * 2 + kernel[1] - 2)
    node = make(
        "ConvTranspose", ["x", "w", "b"], ["y"], strides=[2, 2], pads=[1, 1, 1, 1], group=groups, dilations=dilations
    )
    converted([node], target=target, w=normal(4, 8 // groups, 3, 3), b=normal(8))
