"""Motion blur as a hand-held camera makes it, synthesised from sharp photographs.

Camera trajectories follow Boracchi & Foi (2012) in spirit: an inertial random walk with sudden jerks. Against
DeblurGAN's generator: kernels sum to one, blur happens in linear light, kernels vary over the picture, and
sensor noise, highlights and JPEG are part of it (RSBlur's ablation: noise is worth +1.6 dB on real blur). Besides the
camera, things move: an object smears over a background that stays still, and some pictures are sharp as they are.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BlurOptions:
    """Ranges the random draws come from. Lengths in pixels, probabilities in 0..1."""

    min_length_px: float = 2.0
    max_length_px: float = 28.0
    max_kernels: int = 3  # blended over the picture by smooth masks
    object_probability: float = 0.0  # one thing moves, the camera stands still
    still_probability: float = 0.0  # nothing moves: what is sharp must stay as it is
    defocus_probability: float = 0.0  # out of focus besides
    max_defocus_px: float = 3.0  # radius of the disc a point becomes
    exposure_stops: float = 0.0  # of pairs: light times 2^±this; what gets beyond white is clipped behind the blur
    highlight_probability: float = 0.3
    max_noise_gain: float = 3e-4  # Poisson variance per unit of linear light
    max_read_noise: float = 1.5e-3  # Gaussian, linear light
    jpeg_probability: float = 0.5
    min_jpeg_quality: int = 80


def blur(sharp: Floats, rng: np.random.Generator, options: BlurOptions | None = None) -> Floats:
    """Return `sharp` (H, W, 3) RGB 0..1 as a moving camera would have taken it; same shape and range."""
    return _photograph(to_linear(sharp), rng, options or BlurOptions())


def blurred_pair(sharp: Floats, rng: np.random.Generator, options: BlurOptions) -> tuple[Floats, Floats]:
    """(blurred, sharp) of one scene at one exposure; `sharp` (H, W, 3) RGB 0..1 is the scene at its own.

    Overexposed, a highlight keeps its light beyond white until the sensor clips it: in `sharp` at its outline, in
    `blurred` where the blur has smeared it to.
    """
    linear = to_linear(sharp)
    if options.exposure_stops > 0:
        linear = linear * np.float32(2 ** rng.uniform(-options.exposure_stops, options.exposure_stops))
        sharp = to_srgb(linear)
    return _photograph(linear, rng, options), sharp


def _photograph(linear: Floats, rng: np.random.Generator, options: BlurOptions) -> Floats:
    """What a moving camera makes of light: sRGB 0..1."""
    if rng.random() < options.highlight_probability:
        linear = _lift_highlights(linear, rng)
    exposed = np.clip(_expose(linear, rng, options), 0.0, 1.0)
    encoded = to_srgb(_add_sensor_noise(exposed, rng, options))
    if rng.random() < options.jpeg_probability:
        encoded = _jpeg(encoded, int(rng.integers(options.min_jpeg_quality, 99)))
    return encoded


def _expose(linear: Floats, rng: np.random.Generator, options: BlurOptions) -> Floats:
    """What the sensor collects while camera or object move; the same light, smeared."""
    if options.defocus_probability > 0 and rng.random() < options.defocus_probability:
        linear = _convolve(linear, disc(float(rng.uniform(0.5, options.max_defocus_px))))
    motion = rng.random()
    if motion < options.still_probability:
        return linear
    kernels = draw_kernels(rng, options)
    if motion < options.still_probability + options.object_probability:
        return _move_object(linear, kernels[0], rng)
    return _convolve_varying(linear, kernels, rng)


def to_linear(srgb: Floats) -> Floats:
    """sRGB transfer function undone: 0..1 to linear light 0..1 (IEC 61966-2-1)."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


def to_srgb(linear: Floats) -> Floats:
    """Linear light 0..1 to sRGB 0..1; values outside are clipped."""
    clipped = np.clip(linear, 0.0, 1.0)
    curve = 1.055 * np.maximum(clipped, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(clipped <= 0.0031308, clipped * 12.92, curve).astype(np.float32)


def draw_kernels(rng: np.random.Generator, options: BlurOptions) -> list[Floats]:
    """One to `max_kernels` point spread functions of one shake: the later ones are turned and stretched."""
    path = draw_trajectory(rng, float(rng.uniform(options.min_length_px, options.max_length_px)))
    kernels = [rasterise(path)]
    for _ in range(int(rng.integers(0, options.max_kernels))):
        turn, stretch = rng.normal(0, 0.35), rng.uniform(0.6, 1.3)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * stretch
        kernels.append(rasterise(path @ rotation.T))
    return kernels


def draw_trajectory(rng: np.random.Generator, length_px: float, points: int = 160) -> NDArray[np.float64]:
    """A camera path of `points` (x, y) in px, `length_px` long, its centre of mass at the origin."""
    turn_rate = rng.normal(0, 0.02)  # a steady curve
    wobble = rng.uniform(0.0, 0.12)  # hand tremor, rad per point
    heading = rng.uniform(0, 2 * np.pi) + np.cumsum(turn_rate + wobble * rng.normal(size=points))
    jerks = rng.random(points) < 0.6 / points * rng.integers(0, 4)
    heading += np.cumsum(jerks * rng.uniform(0.5 * np.pi, 1.2 * np.pi, points))
    speed = np.exp(0.5 * np.cumsum(rng.normal(0, 0.12, points)))
    steps = speed[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    path = np.cumsum(steps, axis=0) * (length_px / speed.sum())
    return np.asarray(path - path.mean(axis=0))


def rasterise(path: NDArray[np.float64]) -> Floats:
    """A path (N, 2) in px as an odd square kernel that sums to one (bilinear splat)."""
    radius = int(np.ceil(np.abs(path).max())) + 1
    size = 2 * radius + 1
    kernel = np.zeros((size, size))
    base = np.floor(path).astype(int)
    fraction = path - base
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        weight = np.abs(1 - dx - fraction[:, 0]) * np.abs(1 - dy - fraction[:, 1])
        np.add.at(kernel, (base[:, 1] + radius + dy, base[:, 0] + radius + dx), weight)
    normalised: Floats = (kernel / kernel.sum()).astype(np.float32)
    return normalised


def disc(radius_px: float) -> Floats:
    """A point out of focus: an odd square kernel that sums to one, its edge anti-aliased."""
    reach = int(np.ceil(radius_px + 0.5))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    kernel = np.clip(radius_px + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _convolve(linear: Floats, kernel: Floats) -> Floats:
    import cv2

    return np.asarray(cv2.filter2D(linear, -1, kernel, borderType=cv2.BORDER_REFLECT), dtype=np.float32)


def _convolve_varying(linear: Floats, kernels: list[Floats], rng: np.random.Generator) -> Floats:
    import cv2

    layers = [_convolve(linear, kernel) for kernel in kernels]
    if len(layers) == 1:
        return layers[0]
    height, width = linear.shape[:2]
    coarse = np.exp(3 * rng.normal(size=(len(layers), 3, 3))).astype(np.float32)
    masks = [cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC).clip(1e-3) for mask in coarse]
    total = np.sum(masks, axis=0)
    return np.asarray(
        sum(layer * (mask / total)[..., None] for layer, mask in zip(layers, masks, strict=True)),
        dtype=np.float32,
    )


def _move_object(linear: Floats, kernel: Floats, rng: np.random.Generator) -> Floats:
    """A blob of the picture moves: its light and its outline smear over what lies still behind it."""
    import cv2

    height, width = linear.shape[:2]
    outline = cv2.resize(rng.normal(size=(5, 5)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    covers: Floats = (0.5 + 0.5 * np.tanh(20 * (outline - np.median(outline))))[..., None].astype(np.float32)

    def smear(layer: Floats) -> Floats:
        return _convolve(layer, kernel).reshape(layer.shape)

    return smear(linear * covers) + (1 - smear(covers)) * linear


def _lift_highlights(linear: Floats, rng: np.random.Generator) -> Floats:
    """Light sources are brighter than white: the blur smears them before the sensor clips them."""
    mask = linear.min(axis=2, keepdims=True) > rng.uniform(0.75, 0.95)
    return np.asarray(linear + mask * rng.uniform(0.25, 1.75), dtype=np.float32)


def _add_sensor_noise(linear: Floats, rng: np.random.Generator, options: BlurOptions) -> Floats:
    gain = options.max_noise_gain * rng.random() ** 2
    read = options.max_read_noise * rng.random()
    sigma = np.sqrt(gain * linear + read**2)
    noise = rng.standard_normal(linear.shape, dtype=np.float32)
    return np.where(linear >= 1.0, linear, linear + sigma * noise).astype(np.float32)


def _jpeg(srgb: Floats, quality: int) -> Floats:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray((srgb * 255 + 0.5).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), dtype=np.float32) / 255
