"""Orders, antialiased resizes and constants in plain operators are PyTorch's own."""

import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from exporter.generators.plain_operators import Plain

EDGES = torch.tensor([-0.5, 0.0, 0.5])
ORDERS = {
    "stable": lambda x: torch.sort(x, dim=1, descending=True, stable=True)[0],
    "kth": lambda x: x.kthvalue(2, 1, keepdim=True)[0],
    "kth, its place": lambda x: x.kthvalue(2, 1)[1],
    "median of all": lambda x: x.median(),
    "quantile": lambda x: torch.quantile(x, 0.3, 1, True),
    "quantile of all": lambda x: x.quantile(torch.tensor(0.77)),
    "bucket": lambda x: torch.bucketize(x, EDGES),
    "bucket, closed on the right": lambda x: torch.bucketize(x, EDGES, right=True),
    "among": lambda x: torch.searchsorted(EDGES, x),
    "sign of another": lambda x: torch.copysign(x, x.flip(0)),
    "sign of a number": lambda x: x.copysign(-1.0),
}


@pytest.mark.parametrize("name", ORDERS)
def test_order(name):
    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(1))
    x[0, 0, 0] = 0.5
    right = ORDERS[name](x)
    with Plain():
        made = ORDERS[name](x)
    assert made.dtype == right.dtype
    torch.testing.assert_close(made, right)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    "size",
    [{"scale_factor": 0.5}, {"scale_factor": 1 / 3}, {"scale_factor": 0.7, "recompute_scale_factor": True},
     {"scale_factor": (0.4, 2.2)}, {"size": (9, 40)}, {"size": (7, 9), "align_corners": True}],
)  # fmt: skip
def test_antialiased(mode, size):
    x = torch.rand(1, 2, 24, 31, generator=torch.Generator().manual_seed(2))
    with Plain():
        made = F.interpolate(x, mode=mode, antialias=True, **size)
    torch.testing.assert_close(made, F.interpolate(x, mode=mode, antialias=True, **size), atol=1e-5, rtol=0)


class Inverts(nn.Module):
    """Of a matrix that it keeps, which is a number, and of one that it computes, which is none."""

    def __init__(self, own):
        super().__init__()
        self.own = own
        self.register_buffer("matrix", torch.tensor([[2.0, 1, 0], [0, 1, 0], [1, 0, 4]]))

    def forward(self, x):
        matrix = self.matrix + x.mean() if self.own else self.matrix * 2
        return torch.einsum("ij,njhw->nihw", torch.inverse(matrix), x)


def _export(network, path):
    with Plain():
        torch.onnx.export(network.eval(), (torch.rand(1, 3, 4, 4),), path, opset_version=18, dynamo=False)


@pytest.mark.filterwarnings("ignore")
def test_what_hangs_on_weights_alone_is_a_number(tmp_path):
    _export(Inverts(own=False), tmp_path / "network.onnx")
    kinds = {node.op_type for node in onnx.load(tmp_path / "network.onnx").graph.node}
    assert "Einsum" in kinds and kinds <= {"Constant", "Einsum"}


@pytest.mark.filterwarnings("ignore")
def test_what_hangs_on_the_picture_is_none(tmp_path):
    with pytest.raises(torch.onnx.errors.UnsupportedOperatorError, match="linalg_inv"):
        _export(Inverts(own=True), tmp_path / "network.onnx")
