"""A .tflite run and trained in torch: float operators as they are, int8 ones in the integers that LiteRT computes."""

from exporter.quantization.qat.network import TfliteNetwork
from exporter.quantization.qat.program import Unsimulated
from exporter.quantization.qat.training import AsShown, trained_file, training_network
from exporter.quantization.qat.weights import Weights, read_weights, write_weights

__all__ = [
    "AsShown",
    "TfliteNetwork",
    "Unsimulated",
    "Weights",
    "read_weights",
    "trained_file",
    "training_network",
    "write_weights",
]
