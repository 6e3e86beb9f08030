"""A .tflite run and trained in torch: float operators as they are, int8 ones in the integers that LiteRT computes."""

from exporter.training.simulation.codes import CodedTensor
from exporter.training.simulation.network import TfliteNetwork
from exporter.training.simulation.program import Unsimulated
from exporter.training.simulation.weights import Weights, read_weights, write_weights

__all__ = ["CodedTensor", "TfliteNetwork", "Unsimulated", "Weights", "read_weights", "write_weights"]
