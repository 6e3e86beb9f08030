"""What quality is measured by: whole RGB pictures for restoration, Y without borders for networks that enlarge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.data.enlarging import BASELINE
from exporter.data.metrics import PROTOCOLS, psnr_db, psnr_y_db, ssim, ssim_y

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The field's protocols for a network whose output is `scale` times as large as its input."""

    scale: int = 1

    def psnr_db(self, image: Floats, truth: Floats) -> float:
        """PSNR of two (H, W, C) pictures in 0..1; NaN when either holds a NaN."""
        return psnr_db(image, truth) if self.scale == 1 else psnr_y_db(image, truth, self.scale)

    def ssim(self, image: Floats, truth: Floats) -> float:
        """SSIM of two (H, W, C) pictures in 0..1; NaN when either holds a NaN."""
        return ssim(image, truth) if self.scale == 1 else ssim_y(image, truth, self.scale)

    @property
    def protocols(self) -> dict[str, str]:
        """What figures mean, by the names they have in a report: `psnr_db` is the one this measures."""
        enlarging = self.scale > 1
        own = {"psnr_db": "psnr_y_db", "ssim": "ssim_y"} if enlarging else {}
        said = {name: PROTOCOLS[own.get(name, name)] for name in PROTOCOLS if name not in ("psnr_y_db", "ssim_y")}
        return said | ({"gain_db": f"Gain: over {self.baseline} by MATLAB's imresize"} if enlarging else {})

    @property
    def baseline(self) -> str:
        """What a gain is over."""
        return "the input" if self.scale == 1 else BASELINE

    @property
    def baseline_word(self) -> str:
        """The same where a table's head has room for one word."""
        return "input" if self.scale == 1 else "bicubic"
