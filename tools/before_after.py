"""The pictures of the README: what the shipped INT8 files do to held-out photographs.

    .venv/bin/python tools/before_after.py dist/mobile_deblur-0.1.0 recipes/results/before_after.jpg
    .venv/bin/python tools/before_after.py dist/mobile_sr-0.1.0 recipes/results/enlarged.jpg

Rows are evaluation photographs, columns: blurred (or small, enlarged bicubically), the INT8 file's output, sharp.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from exporter.data.evaluation import open_evaluation
from exporter.data.images import to_uint8
from exporter.inspect.model_file import artifact_of_file
from exporter.measure.quality import psnr_each_db
from exporter.runtimes import runtime

EVALUATION = Path(__file__).parent.parent / "calibration" / "evaluation_256"
ROWS = 2
GAP_PX = 6


def main(bundle: Path, result: Path) -> None:
    (model,) = (bundle / "models").glob("*.int8.tflite")
    artifact = artifact_of_file(model)
    size = (artifact.input.height, artifact.input.width)
    pairs = list(open_evaluation(EVALUATION, *size, scale=artifact.scale))
    with runtime("litert_cpu").open(artifact, 2) as session:
        restored = session.infer_all([pair.blurred for pair in pairs])
    gains_db = psnr_each_db(restored, pairs) - [pair.before_db for pair in pairs]
    chosen = np.argsort(gains_db)[::-1][:ROWS]
    rows = [[to_uint8(image) for image in (pairs[i].before, restored[i], pairs[i].sharp)] for i in chosen]
    Image.fromarray(_grid(rows)).save(result, quality=92)
    for i in chosen:
        sys.stdout.write(f"{pairs[i].name}: {gains_db[i]:+.2f} dB\n")


def _grid(rows: list[list[np.ndarray]]) -> np.ndarray:
    height, width, _ = rows[0][0].shape
    grid = np.full((len(rows) * (height + GAP_PX) - GAP_PX, 3 * (width + GAP_PX) - GAP_PX, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            grid[y * (height + GAP_PX) :, x * (width + GAP_PX) :][:height, :width] = image
    return grid


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
