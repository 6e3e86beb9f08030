"""What a restored picture must not have, in 8-bit levels: colour casts, grids, broken borders."""

from __future__ import annotations

from exporter.runtimes.base import Image

BORDER_PX = 8


def colour_shift(picture: Image, blurred: Image) -> float:
    """Largest change of a channel's mean, in linear light: there, and only there, motion blur keeps every mean."""
    from exporter.data.blur import to_linear

    return float(abs((to_linear(picture) - to_linear(blurred)).mean((0, 1))).max()) * 255


def grid(picture: Image, blurred: Image) -> float:
    """How far the four pixels of every 2×2 block differ on average in what was added to the input.

    Photographs have no preferred parity; a checkerboard of depth-to-space or of a stride-2 layer has.
    """
    import numpy as np

    added = picture - blurred
    height, width = (side // 2 * 2 for side in added.shape[:2])
    phases = added[:height, :width].reshape(height // 2, 2, width // 2, 2, 3).mean((0, 2))
    return float(np.ptp(phases, axis=(0, 1)).max()) * 255


def border_loss(picture: Image, blurred: Image, sharp: Image) -> float:
    """Root mean square error in the outermost 8 px minus the blurred input's own; below 0: restored there, too."""
    import numpy as np

    inside = np.zeros(picture.shape[:2], bool)
    inside[BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX] = True

    def error(image: Image) -> float:
        return float(np.sqrt(np.square((image - sharp)[~inside]).mean()))

    return (error(picture) - error(blurred)) * 255
