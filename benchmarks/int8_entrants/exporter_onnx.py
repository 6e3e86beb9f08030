"""Ours on ONNX Runtime, from the network file on: python exporter_onnx.py GIVEN MADE"""

import sys
from contextlib import nullcontext
from pathlib import Path

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.data.calibration import open_calibration
from exporter.progress import Silent
from exporter.stages import Stage, Workspace
from exporter.stages.quantize_onnx import QuantizeOnnx
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx


def main(given: Path, made: Path) -> None:
    side = int((given / "side_px").read_text())
    spec = TensorSpec.image(side, side)
    network = given / "network.safetensors"
    calibration = open_calibration(given / "calibration", side, side)
    source = Artifact(Format.TORCH, network, spec, spec, sha256_of(network))

    def run(stage: Stage, source: Artifact) -> Artifact:
        folder = made / stage.name
        folder.mkdir()
        return stage.run(source, Workspace(folder, source, calibration, None, 0, Silent(), nullcontext))

    float_file = run(SimplifyOnnx(), run(TorchToOnnx(), source))
    run(QuantizeOnnx(), float_file).path.rename(made / "int8.onnx")
    float_file.path.rename(made / "fp32.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
