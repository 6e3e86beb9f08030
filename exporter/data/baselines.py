"""Classical deblurring to measure networks against. All take and give (H, W, 3) RGB 0..1.

Wiener and Richardson-Lucy are told the true kernel, which no network is: they are the bar for uniform blur, and cannot
be asked about any other. Each one's defaults are the best of a small sweep on training photographs under
`uniform_blur`: a baseline must not lose for want of tuning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.data.blur import BlurOptions, draw_trajectory, rasterise, to_linear, to_srgb

Floats = NDArray[np.float32]
READ_NOISE = 1e-3  # Gaussian sigma in linear light: a good sensor in daylight


def uniform_blur(sharp: Floats, seed: int, options: BlurOptions | None = None) -> tuple[Floats, Floats]:
    """`sharp` under one shake for the whole picture, with sensor noise, 8-bit; and the kernel that did it."""
    import cv2

    options, rng = options or BlurOptions(), np.random.default_rng(seed)
    kernel = rasterise(draw_trajectory(rng, float(rng.uniform(options.min_length_px, options.max_length_px))))
    # filter2D correlates; a point spread function convolves.
    linear = cv2.filter2D(to_linear(sharp), -1, kernel[::-1, ::-1], borderType=cv2.BORDER_REFLECT)
    noisy = linear + READ_NOISE * rng.standard_normal(linear.shape, dtype=np.float32)
    return np.round(to_srgb(noisy) * 255).astype(np.float32) / 255, kernel


def wiener(blurred: Floats, kernel: Floats, balance: float = 0.03) -> Floats:
    """Wiener filter with a Laplacian prior (scikit-image), in linear light; `balance` weighs the prior."""
    from skimage import restoration

    solve: Any = restoration.wiener  # skimage is untyped
    return _in_linear_light(blurred, kernel, lambda channel: solve(channel, kernel, balance, clip=False))


def richardson_lucy(blurred: Floats, kernel: Floats, iterations: int = 50) -> Floats:
    """Richardson-Lucy deconvolution (scikit-image), in linear light."""
    from skimage import restoration

    solve: Any = restoration.richardson_lucy
    return _in_linear_light(
        blurred, kernel, lambda channel: solve(channel, kernel, num_iter=iterations, clip=False, filter_epsilon=1e-6)
    )


def unsharp_mask(blurred: Floats, radius_px: float = 1.0, amount: float = 0.6) -> Floats:
    """What every photo editor calls sharpen (scikit-image): needs no kernel."""
    from skimage import filters

    sharpen: Any = filters.unsharp_mask
    sharpened = sharpen(blurred, radius=radius_px, amount=amount, channel_axis=2)
    return np.asarray(np.clip(sharpened, 0, 1), dtype=np.float32)


def _in_linear_light(blurred: Floats, kernel: Floats, solve: Any) -> Floats:
    """Each channel on its own, continued by mirroring: a deconvolution rings where the picture ends."""
    pad = max(kernel.shape)
    linear = np.pad(to_linear(blurred).astype(np.float64), ((pad, pad), (pad, pad), (0, 0)), mode="symmetric")
    restored = np.stack([solve(linear[..., channel]) for channel in range(3)], axis=2)
    return to_srgb(restored[pad:-pad, pad:-pad].astype(np.float32))
