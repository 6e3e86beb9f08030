"""ONNX Runtime's quantize_static with percentile ranges on the plain ONNX export: Q/DQ, per channel.

python onnxruntime_percentile.py GIVEN MADE
"""

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class Images(CalibrationDataReader):
    def __init__(self, images: np.ndarray) -> None:
        self._feeds = ({"input": np.ascontiguousarray(image.transpose(2, 0, 1)[None])} for image in images)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def main(given: Path, made: Path) -> None:
    quant_pre_process(str(given / "plain.onnx"), str(made / "prepared.onnx"))  # as its documentation asks
    quantize_static(
        str(made / "prepared.onnx"),
        str(made / "int8.onnx"),
        Images(np.load(given / "calibration.npy")),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.Percentile,
    )
    shutil.copy(given / "plain.onnx", made / "fp32.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
