"""Sums, extremes and orders along axes, and norms."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.convert.rows.common import Row, numbers

SUMS: dict[str, Row] = {
    "mean of channels": lambda x: x * x.mean(1, keepdim=True),
    "mean of a plane": lambda x: x * x.mean((2, 3), keepdim=True),
    "mean in rank five": lambda x: x - x.view(1, 2, 4, *x.shape[2:]).mean(2).repeat_interleave(4, 1),
    "deviation of all": lambda x: x / torch.std(x),
    "mean of all": lambda x: x - x.mean(),
    "sum": lambda x: x * x.sum(1, keepdim=True),
    "largest": lambda x: x * x.amax(1, keepdim=True),
    "smallest of a plane": lambda x: x - x.amin((2, 3), keepdim=True),
    "largest of all": lambda x: x / (x.abs().max() + 1),
    "range": lambda x: (x - x.min()) / (x.max() - x.min() + 1e-3),
    "bounds": lambda x: x * (x.aminmax(dim=1, keepdim=True)[1]),
    "largest and where": lambda x: x + sum(t.float() for t in x.max(1, keepdim=True)),
    "which": lambda x: x * x.argmax(1, keepdim=True),
    "which least": lambda x: x * x.argmin(1, keepdim=True),
    "product": lambda x: x * x.prod(1, keepdim=True),
    "variance": lambda x: x / (x.var((2, 3), keepdim=True) + 1),
    "variance of all": lambda x: x / (x.var(unbiased=False) + 1),
    "deviation": lambda x: x / (x.std(1, keepdim=True) + 1),
    "deviation and mean": lambda x: (lambda s, m: (x - m) / (s + 1))(*torch.std_mean(x, (2, 3), keepdim=True)),
    "median": lambda x: x * x.median(1, keepdim=True)[0],
    "kth value": lambda x: x - x.kthvalue(3, 1, keepdim=True)[0],
    "quantile": lambda x: x - torch.quantile(x, 0.3, dim=1, keepdim=True),
    "median of a plane": lambda x: x - x.flatten(2).median(-1, keepdim=True)[0][..., None],
    "log of exponentials": lambda x: x - x.logsumexp(1, keepdim=True),
    "length": lambda x: x / (x.norm(dim=1, keepdim=True) + 1),
    "length of any power": lambda x: x / (torch.linalg.vector_norm(x, 3, 1, keepdim=True) + 1),
    "absolute sum": lambda x: x / (x.norm(p=1, dim=1, keepdim=True) + 1),
    "largest absolute": lambda x: x / (x.norm(p=float("inf"), dim=1, keepdim=True) + 1),
    "normalised": lambda x: F.normalize(x, dim=1),
    "angle between": lambda x: x * F.cosine_similarity(x, x.flip(1), dim=1)[:, None],
    "distance": lambda x: x * F.pairwise_distance(x.permute(0, 2, 3, 1), x.flip(1).permute(0, 2, 3, 1))[:, None],
    "distances": lambda x: (torch.cdist(x.flatten(2)[0], x.flatten(2)[0]) @ x.flatten(2)[0]).view_as(x) / 20,
    "running sum": lambda x: x.cumsum(-1) / 9,
    "running product": lambda x: x.sigmoid().cumprod(1),
    "running maximum": lambda x: x.cummax(1)[0],
    "differences": lambda x: F.pad(x.diff(dim=3), (0, 1)),
    "sorted": lambda x: x.sort(1)[0],
    "sorted downwards": lambda x: x.sort(1, descending=True)[0],
    "third smallest": lambda x: x - x.kthvalue(3, 1, keepdim=True)[0],
    "stable order": lambda x: torch.sort(x, dim=1, descending=True, stable=True)[0],
    "among edges": lambda x: x + torch.searchsorted(torch.tensor([-0.5, 0.0, 0.5]), x.contiguous()).float(),
    "order": lambda x: x * x.argsort(1),
    "best five": lambda x: torch.cat([x.topk(5, 1)[0], x[:, :3]], 1),
    "gather the best": lambda x: x * x.gather(1, x.topk(1, 1)[1]),
    "softmax": lambda x: x * x.softmax(1),
    "softmax of a plane": lambda x: x.flatten(2).softmax(-1).view_as(x),
    "softmin": lambda x: F.softmin(x, 1),
    "log softmax": lambda x: x.log_softmax(1),
    "count": lambda x: x * (x > 0).sum(1, keepdim=True),
    "any": lambda x: x * (x > 0.5).any(1, keepdim=True),
    "all": lambda x: x * (x > -0.5).all(1, keepdim=True),
    "one hot": lambda x: x * F.one_hot(x.argmax(1), 8).permute(0, 3, 1, 2),
    "histogram by masks": lambda x: torch.stack([((x > edge).float()).mean(1) for edge in torch.linspace(-1, 1, 8)], 1),
}

NORMS: dict[str, Row] = {
    "batch norm": lambda x: F.batch_norm(x, numbers(8), numbers(8).abs() + 0.5, numbers(8), numbers(8)),
    "batch statistics": lambda x: F.batch_norm(x, None, None, training=True),
    "instance norm": F.instance_norm,
    "instance norm behind a border": lambda x: F.instance_norm(F.pad(x, [1] * 4, "reflect"))[:, :, 1:-1, 1:-1],
    "channel norm and gelu": lambda x: F.gelu(
        (x - x.mean(1, keepdim=True)) / torch.sqrt((x - x.mean(1, keepdim=True)).pow(2).mean(1, keepdim=True) + 1e-6)
    ),
    "instance norm of planes, then of lines": lambda x: F.instance_norm(
        F.instance_norm(x, weight=numbers(8), bias=numbers(8)).flatten(2), weight=numbers(8), bias=numbers(8)
    ).view_as(x),
    "batch norm of lines": lambda x: F.batch_norm(
        x.flatten(2), numbers(8), numbers(8).abs() + 0.5, numbers(8), numbers(8)
    ).view_as(x),
    "instance norm of planes": lambda x: F.instance_norm(x, weight=numbers(8), bias=numbers(8)),
    "group norm": lambda x: F.group_norm(x, 2, numbers(8), numbers(8)),
    "layer norm of channels": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (8,), numbers(8), numbers(8)).permute(
        0, 3, 1, 2
    ),
    "layer norm of all": lambda x: F.layer_norm(x, x.shape[1:]),
    "layer norm by hand": lambda x: (
        (x - x.mean(1, keepdim=True)) / (x - x.mean(1, keepdim=True)).pow(2).mean(1, keepdim=True).add(1e-6).sqrt()
    ),
    "root mean square norm": lambda x: x * torch.rsqrt(x.pow(2).mean(1, keepdim=True) + 1e-6),
    "local response": lambda x: F.local_response_norm(x, 3),
    "adaptive instance norm": lambda x: (
        F.instance_norm(x) * x.mean((2, 3), keepdim=True) + x.amax((2, 3), keepdim=True)
    ),
    "response norm": lambda x: (
        x * (x.norm(dim=(2, 3), keepdim=True) / (x.norm(dim=(2, 3), keepdim=True).mean(1, keepdim=True) + 1e-6))
    ),
}
