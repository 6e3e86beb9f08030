"""What rounding the weights shifts an output channel by on average, taken back in its bias.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, section 4.2, with
means measured on the calibration images.
"""

from __future__ import annotations

import numpy as np

from exporter.quantization.weights.convolutions import Convolution, Doubles
from exporter.quantization.weights.rounding import nearest


def expected_shift(original: Doubles, rounded: Doubles, mean: Doubles) -> Doubles:
    """Of each output channel, (outputs,): weights are (groups, outputs, elements), `mean` is (groups, elements)."""
    return np.asarray(((rounded - original) @ mean[:, :, None]).reshape(-1), np.float64)


def correct_bias(layer: Convolution, original: Doubles, mean: Doubles) -> None:
    """Change the layer's bias so that on average its int8 weights give what `original` gives."""
    steps, scales = nearest(layer)
    shift = expected_shift(original, np.round(steps) * scales, mean)
    layer.bias = (layer.bias - shift).astype(np.float32)
