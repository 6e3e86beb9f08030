"""What moves numbers, and products of matrices."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.convert.rows.common import Row, grown, numbers, places


def assigned(x: Tensor) -> Tensor:
    made = torch.zeros_like(x)
    made[:, ::2], made[:, 1::2] = x[:, 4:], x[:, :4] * 2
    return made


def edge_set(x: Tensor) -> Tensor:
    made = x.clone()
    made[:, :, 0], made[..., -1] = 0.25, x[..., 0]
    return made


def put(x: Tensor) -> Tensor:
    rows, columns = torch.tensor([0, 2, 5]), torch.tensor([1, 3, 0])
    return x.index_put((torch.tensor([0]), torch.arange(8)[:, None], rows, columns), x[0, :, 0, :3])


def attention(x: Tensor, heads: int = 2) -> Tensor:
    q, k, v = x.flatten(2).view(1, 3 * heads // 3, 8 // heads, -1).repeat(1, 3, 1, 1).chunk(3, 1)
    q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
    return ((q @ k.transpose(-2, -1)).softmax(-1) @ v).reshape(x.shape)


def windows(x: Tensor, side: int = 4) -> Tensor:
    _, planes, height, width = x.shape
    cut = x.view(1, planes, height // side, side, width // side, side).permute(0, 2, 4, 3, 5, 1)
    rows = cut.reshape(-1, side * side, planes)
    rows = (rows @ rows.transpose(1, 2) / math.sqrt(planes)).softmax(-1) @ rows
    back = rows.view(1, height // side, width // side, side, side, planes).permute(0, 5, 1, 3, 2, 4)
    return back.reshape(x.shape)


def scan(x: Tensor) -> Tensor:
    state, rows = torch.zeros(1, 8, x.shape[3]), []
    for row in range(4):
        state = 0.5 * state + x[:, :, row]
        rows.append(state)
    return torch.cat([torch.stack(rows, 2), x[:, :, 4:]], 2)


def gates(x: Tensor) -> Tensor:
    """As FFA-Net: three numbers a plane, taken one after the other from one tensor."""
    gate = F.conv2d(x.mean((2, 3), keepdim=True), numbers(24, 8, 1, 1)).sigmoid().view(-1, 3, 8)[..., None, None]
    return gate[:, 0] * x + gate[:, 1] * x.relu() + gate[:, 2] * x.tanh()


def along_channels(x: Tensor) -> Tensor:
    """As ECA-Net: a convolution along the planes' means."""
    means = x.mean((2, 3), keepdim=True).squeeze(-1).transpose(-1, -2)
    return x * F.conv1d(means, numbers(1, 1, 3), padding=1).transpose(-1, -2).unsqueeze(-1).sigmoid()


def inverse_wavelet(x: Tensor) -> Tensor:
    """As MWCNN: every second row and column is written to."""
    a, b, c, d = (x[:, part::4] for part in range(4))
    made = torch.zeros(1, 2, 2 * x.shape[2], 2 * x.shape[3])
    made[:, :, 0::2, 0::2], made[:, :, 1::2, 0::2] = a - b - c + d, a - b + c - d
    made[:, :, 0::2, 1::2], made[:, :, 1::2, 1::2] = a + b - c - d, a + b + c + d
    return F.pixel_unshuffle(made, 2)


def best_kept(x: Tensor) -> Tensor:
    """As DRSformer: all but the best of an attention are minus infinity."""
    rows = x.view(1, 2, 4, -1)
    scores = F.normalize(rows, dim=-1) @ F.normalize(rows, dim=-1).mT
    kept = torch.zeros(1, 2, 4, 4).scatter_(-1, scores.topk(2, -1)[1], 1.0)
    return (torch.where(kept > 0, scores, torch.full_like(scores, -torch.inf)).softmax(-1) @ rows).view_as(x)


def seen_where(x: Tensor) -> Tensor:
    """As CBAM: where to look, by the mean and the largest of the planes."""
    both = torch.cat([x.mean(1, keepdim=True), x.max(1, keepdim=True)[0]], 1)
    return x * F.conv2d(both, numbers(1, 2, 7, 7), padding=3).sigmoid()


def haar(x: Tensor) -> Tensor:
    a, b, c, d = x[:, :, ::2, ::2], x[:, :, 1::2, ::2], x[:, :, ::2, 1::2], x[:, :, 1::2, 1::2]
    low, high = a + b + c + d, a - b - c + d
    made = torch.zeros_like(x)
    made[:, :, ::2, ::2], made[:, :, 1::2, 1::2] = low / 4, high / 4
    return made


PLACES: dict[str, Row] = {
    "flip": lambda x: x.flip(3),
    "flip both": lambda x: x.flip((2, 3)),
    "quarter turn": lambda x: torch.rot90(x, 2, (2, 3)),
    "roll": lambda x: torch.roll(x, (3, -2), (2, 3)),
    "transposed twice": lambda x: (x.transpose(2, 3) * 2).mT,
    "tile": lambda x: x.tile(1, 2, 1, 1)[:, 4:12],
    "repeat": lambda x: x.repeat(1, 1, 2, 1)[:, :, : x.shape[2]],
    "repeat each": lambda x: x.repeat_interleave(2, 1)[:, ::2],
    "repeat rows": lambda x: x[:, :, ::2].repeat_interleave(2, 2),
    "expand": lambda x: x * x[:, :1].expand(-1, 8, -1, -1),
    "stack": lambda x: torch.stack([x, x * 2], 2).flatten(1, 2)[:, ::2],
    "stack and largest": lambda x: torch.stack([x, -x, x * 0.5], 0).max(0)[0],
    "unbind": lambda x: torch.stack(x.unbind(1)[::-1], 1),
    "split": lambda x: torch.cat(x.split([3, 5], 1)[::-1], 1),
    "chunk": lambda x: torch.cat(x.chunk(3, 1)[::-1], 1),
    "narrow": lambda x: torch.cat([x.narrow(1, 4, 4), x.narrow(1, 0, 4)], 1),
    "gates of one tensor": gates,
    "channels along a line": along_channels,
    "mean and largest of channels": seen_where,
    "one plane": lambda x: x * x[:, 3:4],
    "planes of a list": lambda x: x[:, [7, 0, 5, 2, 1, 6, 3, 4]],
    "index select": lambda x: x.index_select(1, torch.tensor([7, 6, 5, 4, 0, 1, 2, 3])),
    "take along": lambda x: torch.take_along_dim(x, torch.tensor([1, 0, 3, 2, 5, 4, 7, 6]).view(1, 8, 1, 1), 1),
    "points": lambda x: x * x[:, :, [0, 2], [1, 3]].mean(-1)[..., None, None],
    "every second": lambda x: grown(x[:, :, ::2, 1::2], x),
    "backwards": lambda x: x[:, torch.arange(7, -1, -1)],
    "slices of four": haar,
    "unfold": lambda x: F.unfold(x, 3, padding=1).view(1, 8, 9, *x.shape[2:]).mean(2),
    "unfold and fold": lambda x: F.fold(F.unfold(x, 4, stride=2, padding=1), x.shape[2:], 4, stride=2, padding=1),
    "tensor unfold": lambda x: (
        x.unfold(2, 4, 4).unfold(3, 4, 4).mean((-1, -2)).repeat_interleave(4, 2).repeat_interleave(4, 3)
    ),
    "blocks": lambda x: x.view(1, 8, x.shape[2] // 4, 4, x.shape[3] // 4, 4).permute(0, 1, 3, 2, 5, 4).reshape(x.shape),
    "flatten and back": lambda x: x.flatten(2).transpose(1, 2).reshape(1, *x.shape[2:], 8).permute(0, 3, 1, 2),
    "unflatten": lambda x: x.unflatten(1, (2, 4)).sum(1).repeat(1, 2, 1, 1),
    "move axis": lambda x: x.movedim(1, -1).cumsum(-1).movedim(-1, 1),
    "triangle": lambda x: (x.flatten(2) @ x.flatten(2).mT).tril().matmul(x.flatten(2)).view_as(x) / 200,
    "diagonal": lambda x: x * torch.diagonal(x[..., :8], dim1=1, dim2=3).mean(1)[:, None, None, :1],
    "coordinates": lambda x: x + torch.linspace(0, 1, x.shape[3]) * torch.arange(x.shape[2])[:, None],
    "mesh": lambda x: x + places(x)[..., 0],
    "assign": assigned,
    "assign an edge": edge_set,
    "put": put,
    "add to a part": lambda x: x.index_add(1, torch.tensor([0, 3]), x[:, :2]),
    "scatter": lambda x: torch.zeros_like(x).scatter(
        1, torch.tensor([3, 1]).view(1, 2, 1, 1).expand(1, 2, *x.shape[2:]), x[:, :2]
    ),
    "masked by a border": lambda x: x * F.pad(torch.ones(1, 1, x.shape[2] - 4, x.shape[3] - 4), (2, 2, 2, 2)),
    "masked scatter": lambda x: torch.where(x > 0.2, torch.zeros(()), x),
    "select scatter": lambda x: torch.select_scatter(x, x[:, 0] * 2, 1, 3),
    "slice scatter": lambda x: torch.slice_scatter(x, x[:, :2] * 2, 1, 3, 5),
    "inverse wavelet": inverse_wavelet,
    "best kept": best_kept,
    "add to computed places": lambda x: x.scatter_add(1, x.topk(2, 1)[1], x[:, :2]),
    "repeated in blocks": lambda x: (
        x[:, :, ::2, ::2][:, :, :, None, :, None].expand(-1, -1, -1, 2, -1, 2).reshape(x.shape)
    ),
    "largest of blocks": lambda x: (
        x.view(1, 8, x.shape[2] // 2, 2, x.shape[3] // 2, 2)
        .amax((3, 5))
        .repeat_interleave(2, 2)
        .repeat_interleave(2, 3)
    ),
    "scan": scan,
    "einsum": lambda x: torch.einsum("bchw,dc->bdhw", x, numbers(8, 8)),
    "einsum of two": lambda x: torch.einsum("bchw,bdhw->bcd", x, x).softmax(-1).matmul(x.flatten(2)).view_as(x),
    "einsum of three": lambda x: torch.einsum("bihw,bjhw,ijk->bkhw", x, x, numbers(8, 8, 8)),
    "einsum of the rest": lambda x: torch.einsum("...hw,hk->...kw", x, numbers(x.shape[2], x.shape[2])) / 4,
    "einsum of pixels": lambda x: torch.einsum(
        "nkhw,nckhw->nchw", x[:, :4].softmax(1), torch.stack([x, x * 2, x * 3, x * 4], 2)
    ),
    "einsum to one number": lambda x: x * torch.einsum("bchw,bchw->", x, x) / 1e3,
    "einsum of a diagonal": lambda x: x * torch.einsum("bcii->bc", x[..., :8, :8])[..., None, None],
    "inverse of a constant": lambda x: torch.cat(
        [torch.einsum("ij,bjhw->bihw", torch.linalg.inv(numbers(3, 3) + torch.eye(3)), x[:, :3]), x[:, 3:]], 1
    ),
    "outer product": lambda x: torch.einsum("bch,bcw->bchw", x.mean(3), x.mean(2)),
    "product of batches": lambda x: torch.bmm(x[0], x[0].mT)[None].matmul(x) / 20,
    "constant product": lambda x: torch.matmul(numbers(1, 8, x.shape[2], x.shape[2]), x) / 4,
    "product with a vector": lambda x: x + (x @ numbers(x.shape[3]))[..., None],
    "attention of channels": attention,
    "attention of windows": windows,
    "scaled dot product": lambda x: (
        F.scaled_dot_product_attention(*[x.flatten(2).mT[:, None]] * 3).squeeze(1).mT.reshape(x.shape)
    ),
    "Kronecker": lambda x: grown(torch.kron(F.avg_pool2d(x, 2), torch.ones(1, 1, 2, 2)), x),
    "cross": lambda x: torch.cat([torch.linalg.cross(x[:, :3], x[:, 3:6], dim=1), x[:, 3:]], 1),
}
