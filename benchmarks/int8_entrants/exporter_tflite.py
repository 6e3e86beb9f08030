"""Ours on LiteRT, from the network file on: python exporter_tflite.py GIVEN MADE [OPTIONS of quantize_tflite, JSON]"""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.data.calibration import open_calibration
from exporter.progress import Silent
from exporter.stages import Stage, Workspace
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx


def main(given: Path, made: Path, **options: Any) -> None:
    side = int((given / "side_px").read_text())
    spec = TensorSpec.image(side, side)
    network = given / "network.safetensors"
    calibration = open_calibration(given / "calibration", side, side)
    source = Artifact(Format.TORCH, network, spec, spec, sha256_of(network))

    def run(stage: Stage, source: Artifact) -> Artifact:
        folder = made / stage.name
        folder.mkdir()
        return stage.run(source, Workspace(folder, source, calibration, None, 0, Silent(), nullcontext))

    for stage in (TorchToOnnx(), SimplifyOnnx(), OnnxToTflite()):
        source = run(stage, source)
    source.path.rename(made / "fp32.tflite")
    int8 = run(QuantizeTflite(**options), Artifact.of_file(made / "fp32.tflite", source.format, like=source, step=""))
    int8.path.rename(made / "int8.tflite")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), **json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}"))
