"""What restoration networks are made of, a row each: eight planes x to a tensor of their size, as PyTorch writes it.

A row stands for its operator's kind, in the form published code uses. What is left out and why: LEFT_OUT.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Row = Callable[[Tensor], Tensor]
RECURRENT = nn.GRU(8, 8)


def grown(x: Tensor, like: Tensor) -> Tensor:
    """Back to the size of `like`, nearest neighbours."""
    return F.interpolate(x, size=like.shape[2:])


@cache
def numbers(*shape: int) -> Tensor:
    """Fixed weights between -0.5 and 0.5."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3)) - 0.5


def places(x: Tensor) -> Tensor:
    """A regular grid, (1, H, W, 2)."""
    rows, columns = torch.linspace(-1, 1, x.shape[2]), torch.linspace(-1, 1, x.shape[3])
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)[None]


def warped(x: Tensor, **options: object) -> Tensor:
    """By a flow that the network computes."""
    return F.grid_sample(x, places(x) + 0.1 * x[:, :2].permute(0, 2, 3, 1).tanh(), align_corners=True, **options)


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


def partial(x: Tensor) -> Tensor:
    untouched, changed = torch.split(x, [6, 2], 1)
    return torch.cat([untouched, F.conv2d(changed, numbers(2, 2, 3, 3), padding=1)], 1)


def dynamic(x: Tensor) -> Tensor:
    """Kernels of the picture's own, one a plane, as dynamic filter networks have them."""
    kernels = F.adaptive_avg_pool2d(x, 3).view(8, 1, 3, 3).softmax(-1)
    return F.conv2d(x, kernels, padding=1, groups=8)


def kernel_a_pixel(x: Tensor) -> Tensor:
    """Kernel prediction: each pixel its own filter."""
    taps = F.conv2d(x, numbers(9, 8, 1, 1)).softmax(1)
    return (F.unfold(x, 3, padding=1).view(1, 8, 9, *x.shape[2:]) * taps[:, None]).sum(2)


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


def unpooled(x: Tensor) -> Tensor:
    pooled, index = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(pooled * 2, index, 2)


def spectrum(x: Tensor, change: Callable[[Tensor], Tensor], norm: str = "backward") -> Tensor:
    return torch.fft.irfft2(change(torch.fft.rfft2(x, norm=norm)), s=x.shape[2:], norm=norm)


def by_parts(f: Tensor) -> Tensor:
    """As DeepRFT and LaMa: real and imaginary parts through one layer."""
    both = F.relu(torch.cat([f.real, f.imag], 1))
    return torch.complex(*both.chunk(2, 1))


def patches(x: Tensor) -> Tensor:
    """As FFTformer: products of the spectra of small blocks."""
    cut = x.view(1, 8, x.shape[2] // 8, 8, x.shape[3] // 8, 8).permute(0, 1, 2, 4, 3, 5)
    made = torch.fft.irfft2(torch.fft.rfft2(cut) * torch.fft.rfft2(cut.flip(1)), s=(8, 8))
    return made.permute(0, 1, 2, 4, 3, 5).reshape(x.shape)


NUMBERS: dict[str, Row] = {
    "square": lambda x: x**2,
    "square root": lambda x: (x.abs() + 0.1).sqrt(),
    "cube": lambda x: x.pow(3),
    "gamma": lambda x: x.clamp(1e-6, 1) ** (1 / 2.2),
    "inverse square": lambda x: (x.abs() + 1) ** -2.0,
    "power of a power": lambda x: (x.abs() + 1) ** x.sigmoid(),
    "two to the x": lambda x: torch.exp2(x),
    "log10": lambda x: torch.log10(x.abs() + 1),
    "log2": lambda x: torch.log2(x.abs() + 1),
    "log1p": lambda x: torch.log1p(x.abs()),
    "expm1": torch.expm1,
    "softplus": F.softplus,
    "softplus of a slope": lambda x: F.softplus(x, beta=2),
    "mish": F.mish,
    "elu": F.elu,
    "elu of a slope": lambda x: F.elu(x, 0.5),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 1.5),
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "hard swish": F.hardswish,
    "hard sigmoid": F.hardsigmoid,
    "hard tanh": lambda x: F.hardtanh(x, -0.5, 2.0),
    "relu6": F.relu6,
    "leaky": lambda x: F.leaky_relu(x, 0.2),
    "slopes": lambda x: F.prelu(x, numbers(8)),
    "threshold": lambda x: F.threshold(x, 0.1, 0.3),
    "soft shrinkage": lambda x: F.softshrink(x, 0.2),
    "hard shrinkage": lambda x: F.hardshrink(x, 0.2),
    "tanh shrinkage": F.tanhshrink,
    "softsign": F.softsign,
    "log sigmoid": F.logsigmoid,
    "gated halves": lambda x: F.glu(torch.cat([x, x.flip(1)], 1), 1),
    "simple gate": lambda x: torch.cat([x[:, :4] * x[:, 4:]] * 2, 1),
    "sine": torch.sin,
    "cosine": torch.cos,
    "tangent": lambda x: torch.tan(x.tanh()),
    "arc tangent": torch.atan,
    "arc sine": lambda x: torch.asin(x.tanh() * 0.99),
    "arc cosine": lambda x: torch.acos(x.tanh() * 0.99),
    "sinh": lambda x: torch.sinh(x.tanh()),
    "cosh": lambda x: torch.cosh(x.tanh()),
    "asinh": torch.asinh,
    "acosh": lambda x: torch.acosh(x.abs() + 1.5),
    "atanh": lambda x: torch.atanh(0.9 * x.tanh()),
    "angle of two": lambda x: torch.atan2(x + 0.01, x.flip(1)),
    "length of two": lambda x: torch.hypot(x, x.flip(1)),
    "floor": lambda x: torch.floor(x * 5),
    "ceil": lambda x: torch.ceil(x * 5),
    "round": lambda x: (x * 255).round() / 255,
    "truncate": lambda x: torch.trunc(x * 5),
    "fraction": lambda x: torch.frac(x * 5),
    "sign": torch.sign,
    "reciprocal": lambda x: torch.reciprocal(x.abs() + 1),
    "inverse root": lambda x: torch.rsqrt(x.abs() + 1),
    "error function": torch.erf,
    "complement of it": torch.erfc,
    "remainder": lambda x: torch.remainder(x, 0.3),
    "fmod": lambda x: torch.fmod(x, 0.3),
    "floor division": lambda x: torch.div(x, 0.3, rounding_mode="floor"),
    "quotient cut": lambda x: torch.div(x, 0.3, rounding_mode="trunc"),
    "linear blend": lambda x: torch.lerp(x, x.flip(1), 0.3),
    "sum of products": lambda x: torch.addcmul(x, x, x.flip(1), value=0.5),
    "sum of quotients": lambda x: torch.addcdiv(x, x, x.abs() + 1),
    "difference": lambda x: torch.rsub(x, 1.0, alpha=2),
    "nan to number": torch.nan_to_num,
    "heaviside": lambda x: torch.heaviside(x, torch.tensor(0.5)),
    "clamp by tensors": lambda x: torch.clamp(x, -x.abs() * 0.5, x.abs() * 0.5),
    "clamp below": lambda x: x.clamp(min=0.1),
    "clamp above": lambda x: x.clamp(max=0.1),
    "minimum": lambda x: torch.minimum(x, x.flip(1)),
    "maximum": lambda x: torch.fmax(x, x.flip(1)),
    "sinc": lambda x: torch.sinc(x + 3),
    "logit": lambda x: torch.logit(x.sigmoid(), eps=1e-3),
    "log of a sum of exponentials of two": lambda x: torch.logaddexp(x, x.flip(1)),
    "where": lambda x: torch.where(x > 0, x, 0.1 * x),
    "masked": lambda x: x.masked_fill(x < 0, -1.0),
    "mask": lambda x: x * ((x > -0.2) & ~(x > 0.4)).float(),
    "either": lambda x: x * ((x < -0.2) | (x > 0.4)).to(x.dtype),
    "one of": lambda x: x * ((x < 0) ^ (x > -0.3)),
    "equal": lambda x: x * (x.round() == 0),
    "unequal": lambda x: x * (x.round() != 0),
    "close": lambda x: x * torch.isclose(x, x.round(), atol=0.3).float(),
    "sRGB to linear": lambda x: torch.where(x.abs() <= 0.04045, x / 12.92, ((x.abs() + 0.055) / 1.055) ** 2.4),
    "bits": lambda x: (x.abs() * 255).to(torch.int32).float() / 255,
}

SUMS: dict[str, Row] = {
    "mean of channels": lambda x: x * x.mean(1, keepdim=True),
    "mean of a plane": lambda x: x * x.mean((2, 3), keepdim=True),
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

POOLS: dict[str, Row] = {
    "mean": lambda x: grown(F.avg_pool2d(x, 2), x),
    "mean, rounded up": lambda x: grown(F.avg_pool2d(x, 3, 2, ceil_mode=True), x),
    "mean of what is there": lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    "mean, rounded up for nothing": lambda x: grown(F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False), x),
    "mean with zeros": lambda x: F.avg_pool2d(x, 5, 1, 2),
    "sum of a window": lambda x: F.avg_pool2d(x, 3, 1, 1, divisor_override=1),
    "largest": lambda x: F.max_pool2d(x, 3, 1, 1),
    "largest, dilated": lambda x: F.max_pool2d(F.pad(x, [1] * 4), 3, 1, 1, dilation=2),
    "largest, rounded up": lambda x: grown(F.max_pool2d(x, 3, 2, 1, ceil_mode=True), x),
    "smallest": lambda x: -F.max_pool2d(-x, 5, 1, 2),
    "largest and back": unpooled,
    "power": lambda x: grown(F.lp_pool2d(x.abs(), 2, 2), x),
    "power three": lambda x: grown(F.lp_pool2d(x.abs() + 0.1, 3, 2), x),
    "mean to one": lambda x: x * F.adaptive_avg_pool2d(x, 1),
    "mean to a divisor": lambda x: grown(F.adaptive_avg_pool2d(x, 4), x),
    "mean to no divisor": lambda x: grown(F.adaptive_avg_pool2d(x, (3, 5)), x),
    "mean to one row": lambda x: x * F.adaptive_avg_pool2d(x, (1, None)),
    "largest to one": lambda x: x * F.adaptive_max_pool2d(x, 1),
    "largest to a divisor": lambda x: grown(F.adaptive_max_pool2d(x, 4), x),
    "largest to no divisor": lambda x: grown(F.adaptive_max_pool2d(x, (3, 5)), x),
    "along a line": lambda x: F.avg_pool1d(x.flatten(2), 3, 1, 1).view_as(x),
    "in a volume": lambda x: F.avg_pool3d(x[:, None], 3, 1, 1)[:, 0],
    "largest in a volume": lambda x: F.max_pool3d(x[:, None], (3, 1, 3), 1, (1, 0, 1))[:, 0],
    "pyramid": lambda x: sum(grown(F.adaptive_avg_pool2d(x, n), x) for n in (1, 2, 3, 6)),
}

CONVOLUTIONS: dict[str, Row] = {
    "plain": lambda x: F.conv2d(x, numbers(8, 8, 3, 3), padding=1),
    "dilated": lambda x: F.conv2d(x, numbers(8, 8, 3, 3), padding=4, dilation=4),
    "same, dilated": lambda x: F.conv2d(x, numbers(8, 8, 3, 3), padding="same", dilation=3),
    "same": lambda x: F.conv2d(x, numbers(8, 8, 4, 4), padding="same"),
    "strided": lambda x: grown(F.conv2d(x, numbers(8, 8, 3, 3), stride=2, padding=1), x),
    "depthwise": lambda x: F.conv2d(x, numbers(8, 1, 7, 7), padding=3, groups=8),
    "in groups": lambda x: F.conv2d(x, numbers(8, 4, 3, 3), padding=1, groups=2),
    "of strips": lambda x: F.conv2d(
        F.conv2d(x, numbers(8, 1, 1, 11), padding=(0, 5), groups=8), numbers(8, 1, 11, 1), padding=(5, 0), groups=8
    ),
    "of one plane": lambda x: F.conv1d(x.mean((2, 3))[:, None], numbers(1, 1, 3), padding=1).view(1, 8, 1, 1) * x,
    "of a volume": lambda x: F.conv3d(x[:, None], numbers(1, 1, 3, 3, 3), padding=1)[:, 0],
    "of a volume, to planes": lambda x: F.conv3d(
        x.view(1, 2, 4, *x.shape[2:]), numbers(2, 2, 3, 3, 3), padding=1
    ).reshape(x.shape),
    "transposed": lambda x: F.conv_transpose2d(x, numbers(8, 8, 4, 4), stride=2, padding=1)[:, :, ::2, 1::2],
    "transposed in groups": lambda x: F.conv_transpose2d(x, numbers(8, 4, 2, 2), stride=2, groups=2)[:, :, ::2, ::2],
    "transposed with a rest": lambda x: F.conv_transpose2d(
        F.avg_pool2d(x, 2), numbers(8, 8, 3, 3), stride=2, padding=1, output_padding=1
    ),
    "transposed, dilated": lambda x: F.conv_transpose2d(x, numbers(8, 8, 3, 3), padding=2, dilation=2),
    "transposed in a volume": lambda x: F.conv_transpose3d(x[:, None], numbers(1, 1, 3, 3, 3), padding=1)[:, 0],
    "of the picture's own": dynamic,
    "of the picture's own, all planes": lambda x: F.conv2d(
        x, F.adaptive_avg_pool2d(x, 1).view(8, 1, 1, 1) * numbers(8, 8, 3, 3), padding=1
    ),
    "modulated": lambda x: F.conv2d(x, numbers(8, 8, 3, 3) * x.mean((2, 3)).view(1, 8, 1, 1) / 3, padding=1),
    "of each pixel": kernel_a_pixel,
    "partial": partial,
    "blurred": lambda x: F.conv2d(
        F.pad(x, [1] * 4, "reflect"),
        torch.outer(torch.tensor([1.0, 2, 1]), torch.tensor([1.0, 2, 1])).repeat(8, 1, 1, 1) / 16,
        groups=8,
    ),
    "bilinear of two": lambda x: F.bilinear(x.permute(0, 2, 3, 1), x.permute(0, 2, 3, 1), numbers(8, 8, 8)).permute(
        0, 3, 1, 2
    ),
    "linear": lambda x: F.linear(x.permute(0, 2, 3, 1), numbers(8, 8), numbers(8)).permute(0, 3, 1, 2),
    "linear of a row": lambda x: F.linear(x, numbers(x.shape[3], x.shape[3])) / 4,
    "large kernel by parts": lambda x: (
        x
        * F.conv2d(
            F.conv2d(x, numbers(8, 1, 5, 5), padding=2, groups=8), numbers(8, 1, 7, 7), padding=9, groups=8, dilation=3
        )
    ),
}

SIZES: dict[str, Row] = {
    **{
        f"{mode} by {scale}": lambda x, mode=mode, scale=scale: F.interpolate(
            F.interpolate(x, scale_factor=scale, mode=mode), size=x.shape[2:]
        )
        for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")
        for scale in (2, 0.5, 1.5, 0.7)
    },
    **{
        f"{mode} by {scale}, corners": lambda x, mode=mode, scale=scale: F.interpolate(
            F.interpolate(x, scale_factor=scale, mode=mode, align_corners=True), size=x.shape[2:]
        )
        for mode in ("bilinear", "bicubic")
        for scale in (2, 0.7)
    },
    **{
        f"{mode} to (9, 20)": lambda x, mode=mode: grown(F.interpolate(x, (9, 20), mode=mode), x)
        for mode in ("bilinear", "bicubic", "area")
    },
    **{
        f"{mode}, antialiased": lambda x, mode=mode: grown(
            F.interpolate(x, scale_factor=0.5, mode=mode, antialias=True), x
        )
        for mode in ("bilinear", "bicubic")
    },
    "scale recomputed": lambda x: grown(
        F.interpolate(x, scale_factor=0.7, mode="bilinear", recompute_scale_factor=True), x
    ),
    "along a line": lambda x: F.interpolate(
        F.interpolate(x.flatten(2), scale_factor=0.5, mode="linear"), size=x.shape[2] * x.shape[3]
    ).view_as(x),
    "in a volume": lambda x: F.interpolate(
        F.interpolate(x[:, None], scale_factor=(2, 1, 1), mode="trilinear"), size=x.shape[1:]
    )[:, 0],
    "upsampled": lambda x: nn.Upsample(scale_factor=2, mode="bilinear")(F.avg_pool2d(x, 2)),
    "pixel shuffle": lambda x: F.pixel_shuffle(F.pixel_unshuffle(x, 2), 2),
    "pixel shuffle by three": lambda x: F.avg_pool2d(F.pixel_shuffle(x.repeat(1, 9, 1, 1), 3), 3),
    "pixel unshuffle": lambda x: grown(F.pixel_unshuffle(x, 2)[:, ::4], x),
    "channel shuffle": lambda x: F.channel_shuffle(x, 4),
    "channel shuffle by hand": lambda x: x.view(1, 2, 4, *x.shape[2:]).transpose(1, 2).reshape(x.shape),
    **{
        f"border {mode}": lambda x, mode=mode: F.avg_pool2d(F.pad(x, (2, 1, 1, 2), mode), (4, 4), 1)
        for mode in ("constant", "reflect", "replicate", "circular")
    },
    "border of ones": lambda x: F.avg_pool2d(F.pad(x, (1, 1, 1, 1), value=1.0), 3, 1),
    "border of planes": lambda x: F.pad(x, (0, 0, 0, 0, 2, 1))[:, 1:9],
    "border cut": lambda x: grown(F.pad(x, (-2, -3, -1, 0)), x),
    "border of a line": lambda x: F.avg_pool1d(F.pad(x.flatten(2), (1, 1), "reflect"), 3, 1).view_as(x),
    "to a multiple": lambda x: F.conv2d(
        F.pad(x, (0, (5 - x.shape[3] % 5) % 5, 0, (5 - x.shape[2] % 5) % 5), "reflect"), numbers(8, 8, 1, 1)
    )[:, :, : x.shape[2], : x.shape[3]],
}

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
    "scan": scan,
    "einsum": lambda x: torch.einsum("bchw,dc->bdhw", x, numbers(8, 8)),
    "einsum of two": lambda x: torch.einsum("bchw,bdhw->bcd", x, x).softmax(-1).matmul(x.flatten(2)).view_as(x),
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

SAMPLED: dict[str, Row] = {
    "regular grid": lambda x: F.grid_sample(x, places(x), align_corners=True),
    "half a pixel off": lambda x: F.grid_sample(x, places(x), align_corners=False),
    "warped": warped,
    "warped, border": lambda x: warped(x, padding_mode="border"),
    "warped, reflected": lambda x: warped(x, padding_mode="reflection"),
    "warped, nearest": lambda x: F.grid_sample(x, places(x) * 0.77 + 0.0113, mode="nearest", align_corners=True),
    "warped, bicubic": lambda x: warped(x, mode="bicubic"),
    "affine": lambda x: F.grid_sample(
        x,
        F.affine_grid(torch.tensor([[[0.9, 0.1, 0.1], [-0.1, 1.1, 0]]]), [1, 8, *x.shape[2:]], align_corners=False),
        align_corners=False,
    ),
    "affine of its own": lambda x: F.grid_sample(
        x,
        F.affine_grid(
            torch.eye(2, 3)[None] + 0.1 * x.mean((2, 3))[:, :6].view(1, 2, 3), [1, 8, *x.shape[2:]], align_corners=True
        ),
        align_corners=True,
    ),
    "lookup table": lambda x: torch.cat(
        [
            F.grid_sample(numbers(1, 3, 5, 5, 5), x[:, :3].tanh().permute(0, 2, 3, 1)[:, None], align_corners=True)[
                :, :, 0
            ],
            x[:, 3:],
        ],
        1,
    ),
    "bilateral grid": lambda x: torch.cat(
        [
            F.grid_sample(
                F.adaptive_avg_pool2d(x, 4).view(1, 2, 4, 4, 4),
                torch.cat([places(x), x[:, :1].tanh().permute(0, 2, 3, 1)], -1)[:, None],
                align_corners=True,
            )[:, :, 0],
            x[:, 2:],
        ],
        1,
    ),
}

SPECTRA: dict[str, Row] = {
    "scaled": lambda x: spectrum(x, lambda f: f * 0.5),
    "orthonormal": lambda x: spectrum(x, lambda f: f * 0.5, "ortho"),
    "real and imaginary": lambda x: spectrum(x, by_parts, "ortho"),
    "weights": lambda x: spectrum(
        x, lambda f: f * torch.view_as_complex(numbers(8, x.shape[2], x.shape[3] // 2 + 1, 2))
    ),
    "two pictures": lambda x: spectrum(x, lambda f: f * torch.fft.rfft2(x.flip(1))) / 20,
    "conjugate": lambda x: spectrum(x, lambda f: f * f.conj()) / 20,
    "magnitude": lambda x: spectrum(x, lambda f: torch.complex(f.abs(), f.imag)),
    "magnitude and phase": lambda x: spectrum(x, lambda f: torch.polar(f.abs() * 0.9, f.angle())),
    "whole spectrum": lambda x: torch.fft.ifft2(torch.fft.fft2(x) * 0.7).real,
    "shifted": lambda x: torch.fft.ifft2(torch.fft.ifftshift(torch.fft.fftshift(torch.fft.fft2(x)) * 0.7)).real,
    "of patches": patches,
    "of rows": lambda x: torch.fft.irfft(torch.fft.rfft(x, dim=-1) * 0.5, n=x.shape[-1], dim=-1),
    "stacked parts": lambda x: spectrum(x, lambda f: torch.view_as_complex(torch.view_as_real(f).relu())),
}

TABLE: dict[str, Row] = {
    f"{kind}: {name}": row
    for kind, rows in {
        "numbers": NUMBERS,
        "sums": SUMS,
        "norms": NORMS,
        "pools": POOLS,
        "convolutions": CONVOLUTIONS,
        "sizes": SIZES,
        "places": PLACES,
        "sampled": SAMPLED,
        "spectra": SPECTRA,
    }.items()
    for name, row in rows.items()
}

# What no engine of the targets can do, and what stands instead where there is something.
LEFT_OUT: dict[str, tuple[Row, str]] = {
    "sizes that hang on the picture": (lambda x: x * x[x > 0].mean(), "NonZero"),
    "a random number": (lambda x: x + torch.rand_like(x), "Random|differs"),
    "a determinant": (lambda x: x * torch.linalg.det(x[..., :8, :8])[..., None, None], "Det"),
    "a loop of a recurrent unit": (lambda x: x + RECURRENT(x.mean(2).mT)[0].mT[:, :, None], "GRU|differs"),
}
