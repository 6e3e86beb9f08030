"""Networks whose channels are blue, green, red: the order goes into convolutions, and no number changes."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from exporter.generators.adapter import Adapter
from exporter.generators.interface import Interface
from exporter.graph.onnx_editor import OnnxGraph
from exporter.passes.onnx.channel_order import fold_channel_orders
from exporter.passes.run import with_shapes
from tests.graph.onnx_models import computed, kinds


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.tail = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 3, 3, padding=1)

    def forward(self, x):
        return torch.clamp(x + self.tail(F.relu(self.head(x))), 0, 1)


class Enlarging(Residual):
    def __init__(self):
        super().__init__()
        self.tail = nn.Conv2d(5, 12, 3, padding=1)

    def forward(self, x):
        return F.pixel_shuffle(self.tail(F.relu(self.head(x))), 2) + torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)


class Depthwise(Residual):
    """A reader that mixes no channels keeps the slices of its own."""

    def __init__(self):
        super().__init__()
        self.each = nn.Conv2d(3, 3, 3, padding=1, groups=3)

    def forward(self, x):
        return self.tail(F.relu(self.head(x) + self.head(self.each(x))))


class Swaps(Residual):
    """The network's own way of writing it, once by slices backwards and once by numbers."""

    def forward(self, x):
        return super().forward(x.flip(1))[:, [2, 1, 0]]


class TwoOrders(Residual):
    """Two reorderings of one tensor: what makes it must stay as it is."""

    def forward(self, x):
        y = torch.sigmoid(self.tail(self.head(x)))
        one, two, three = y[:, 0:1], y[:, 1:2], y[:, 2:3]
        return torch.cat([three, two, one], 1) + F.avg_pool2d(torch.cat([two, one, three], 1), 3, 1, 1)


def _exported(network: nn.Module, folder, size=8):
    import onnx
    import onnxsim

    path = folder / "net.onnx"
    picture = torch.rand(1, 3, size, size)
    torch.onnx.export(network.eval(), (picture,), path, dynamo=False, input_names=["x"])
    simplified, _ = onnxsim.simplify(onnx.load(path), check_n=0)
    return with_shapes(simplified), picture.numpy()


@pytest.mark.parametrize(
    ("network", "left"),
    [
        (Adapter(Residual(), Interface(bgr=True)), 0),
        (Adapter(Enlarging(), Interface(bgr=True)), 0),
        (Adapter(Depthwise(), Interface(bgr=True)), 1),
        (Swaps(), 0),
        (Adapter(nn.ReLU(), Interface(bgr=True)), 0),
    ],
)
def test_the_order_of_channels_goes_into_convolutions(network, left, tmp_path):
    model, picture = _exported(network, tmp_path)
    graph = OnnxGraph(deepcopy(model))
    assert fold_channel_orders(graph)
    made = graph.commit()
    orders = [kind for kind in kinds(made) if kind in ("Concat", "Gather")]
    assert len(orders) == left
    np.testing.assert_allclose(computed(made, picture), computed(model, picture), atol=1e-6)


def test_an_order_that_nothing_can_take_stays(tmp_path):
    model, _ = _exported(Adapter(nn.AvgPool2d(2), Interface(bgr=True)), tmp_path)
    assert not fold_channel_orders(OnnxGraph(deepcopy(model)))


def test_what_two_orders_are_made_of_stays(tmp_path):
    model, picture = _exported(TwoOrders(), tmp_path)
    graph = OnnxGraph(deepcopy(model))
    fold_channel_orders(graph)
    np.testing.assert_allclose(computed(graph.commit(), picture), computed(model, picture), atol=1e-6)
