"""How close the pictures are to the sharp truth, and what was lost on the way from the float model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from exporter.data.evaluation import Pair
from exporter.measure.results import Quality
from exporter.runtimes.base import Image


def measure_quality(pictures: Sequence[Image], reference: Sequence[Image], evaluation: Sequence[Pair]) -> Quality:
    """Compare `pictures` with the truth; `reference` is what the float model of the same chain gives.

    All float32 (H, W, 3), one per evaluation image. A picture with a NaN or an infinity makes the means NaN.
    Protocols, and what the gain is over: `exporter.data.yardstick.Yardstick`.
    """
    from exporter.data.metrics import ci95
    from exporter.data.yardstick import Yardstick

    psnr_db = psnr_each_db(pictures, evaluation)
    input_psnr_db = np.array([pair.before_db for pair in evaluation])
    gain_db = psnr_db - input_psnr_db
    loss_db = psnr_each_db(reference, evaluation) - psnr_db
    return Quality(
        images=len(psnr_db),
        psnr_db=float(np.mean(psnr_db)),
        psnr_ci95_db=float(ci95(psnr_db.tolist())),
        ssim=float(np.mean(_each(Yardstick(evaluation[0].scale).ssim, pictures, evaluation))),
        input_psnr_db=float(np.mean(input_psnr_db)),
        gain_db=float(np.mean(gain_db)),
        worst_gain_db=float(np.min(gain_db)),
        worst_image=evaluation[int(np.argmin(gain_db))].name,
        loss_db=float(np.mean(loss_db)),
        worst_loss_db=float(np.max(loss_db)),
        psnr_each_db=tuple(psnr_db.tolist()),
    )


def psnr_each_db(pictures: Sequence[Image], evaluation: Sequence[Pair]) -> NDArray[np.float64]:
    """PSNR against the sharp truth of each picture, dB; NaN where a picture is not finite."""
    from exporter.data.yardstick import Yardstick

    return _each(Yardstick(evaluation[0].scale).psnr_db, pictures, evaluation)


def _each(
    metric: Callable[[Image, Image], float], pictures: Sequence[Image], evaluation: Sequence[Pair]
) -> NDArray[np.float64]:
    # Rounding to 8 bits would make an infinity white, so it is looked for here. Of a clip the last frame is judged.
    return np.array(
        [
            metric(picture[..., -pair.sharp.shape[2] :], pair.sharp) if np.isfinite(picture).all() else np.nan
            for picture, pair in zip(pictures, evaluation, strict=True)
        ]
    )
