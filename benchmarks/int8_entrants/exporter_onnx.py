"""Ours on ONNX Runtime, from the network file: python exporter_onnx.py GIVEN MADE [OPTIONS of quantize_onnx, JSON]"""

import json
import sys
from pathlib import Path
from typing import Any

from exporter_stages import Chain

from exporter.stages.quantize_onnx import QuantizeOnnx
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx


def main(given: Path, made: Path, **options: Any) -> None:
    chain = Chain(given, made)
    float_file = chain.run(SimplifyOnnx(), chain.run(TorchToOnnx(), chain.network))
    chain.run(QuantizeOnnx(**options), float_file).path.rename(made / "int8.onnx")
    float_file.path.rename(made / "fp32.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), **json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}"))
