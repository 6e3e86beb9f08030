"""What all CUDA runtimes share: why there is none here, how calls are timed, buffers that no cache can hold.

Buffers, streams and events are PyTorch's, so TensorRT and ONNX Runtime sessions need a PyTorch built for CUDA, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from exporter.nvidia.gpu import Gpu, find_gpu, missing_gpu
from exporter.runtimes.installed import not_installed, version_of

if TYPE_CHECKING:
    from torch import Tensor

    from exporter.artifact import Layout
    from exporter.runtimes.base import Image

DEVICE = "cuda"  # PyTorch's word for the GPU that buffers and networks lie on
CACHE_TIMES = 2  # so many times the GPU's L2 cache go by before a buffer comes again
MOST_BUFFERS = 256


def missing_torch_cuda() -> str | None:
    """Why PyTorch cannot use a GPU here, in one line."""
    if why := missing_gpu():
        return why
    if why := not_installed("torch", "pip install 'exporter[export]'"):
        return why
    if "+cpu" in version_of("torch"):
        return f"PyTorch {version_of('torch')} is built without CUDA: install a CUDA build of it"
    return None


def on_gpu() -> str:
    """`NVIDIA …, driver …`: the end of every CUDA runtime's device line."""
    gpu = find_gpu()
    return str(gpu) if isinstance(gpu, Gpu) else "no GPU"


def buffers_beyond_cache(bytes_each: int, l2_bytes: int) -> int:
    """How many buffers of that size it takes until none is still in the cache when it is used again."""
    return min(MOST_BUFFERS, max(2, -(-CACHE_TIMES * l2_bytes // max(1, bytes_each)) + 1))


def rotated(image: Image, layout: Layout, dtype: Any = None) -> list[Tensor]:
    """Copies of `image` on the GPU, (1, H, W, 3) or (1, 3, H, W), each shifted by another row, beyond its cache."""
    import torch

    first = to_gpu(image, layout, dtype)
    gpu = find_gpu()
    l2_bytes = gpu.l2_bytes if isinstance(gpu, Gpu) else 0
    count = buffers_beyond_cache(first.numel() * first.element_size(), l2_bytes)
    rows = 2 if layout == "NCHW" else 1
    return [torch.roll(first, step, rows).contiguous() for step in range(count)]


def to_gpu(image: Image, layout: Layout, dtype: Any = None) -> Tensor:
    import numpy as np
    import torch

    stored = image.transpose(2, 0, 1) if layout == "NCHW" else image
    return torch.from_numpy(np.ascontiguousarray(stored, np.float32))[None].to(DEVICE, dtype or torch.float32)


def from_gpu(tensor: Tensor, layout: Layout) -> Image:
    """The picture in a (1, …) tensor as float32 (H, W, 3)."""
    picture = tensor[0].permute(1, 2, 0) if layout == "NCHW" else tensor[0]
    result: Image = picture.float().contiguous().cpu().numpy()
    return result


def event_times_ms(call: Callable[[Tensor], object], inputs: Sequence[Tensor], runs: int, warmup: int) -> list[float]:
    """Milliseconds between two CUDA events around each call, the inputs taking turns."""
    import torch

    event: Any = torch.cuda.Event  # torch does not type it
    for step in range(warmup):
        call(inputs[step % len(inputs)])
    torch.cuda.synchronize()
    pairs = []
    for step in range(runs):
        before, after = event(enable_timing=True), event(enable_timing=True)
        before.record()
        call(inputs[step % len(inputs)])
        after.record()
        after.synchronize()  # one picture at a time, as a camera gives them
        pairs.append((before, after))
    return [before.elapsed_time(after) for before, after in pairs]
