"""Ours on LiteRT, from the network file on: python exporter_tflite.py GIVEN MADE [OPTIONS of quantize_tflite, JSON]"""

import json
import sys
from pathlib import Path
from typing import Any

from exporter_stages import Chain

from exporter.artifact import Artifact
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx


def main(given: Path, made: Path, **options: Any) -> None:
    chain = Chain(given, made)
    source = chain.network
    for stage in (TorchToOnnx(), SimplifyOnnx(), OnnxToTflite()):
        source = chain.run(stage, source)
    source.path.rename(made / "fp32.tflite")
    float_file = Artifact.of_file(made / "fp32.tflite", source.format, like=source, step="")
    chain.run(QuantizeTflite(**options), float_file).path.rename(made / "int8.tflite")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), **json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}"))
