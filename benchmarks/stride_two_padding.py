"""What is the fastest exact way to write PyTorch's symmetric padding of a stride-2 convolution in TFLite?

    .venv/bin/python benchmarks/stride_two_padding.py

TFLite's SAME pads an even size at the bottom and right only, so three forms are timed side by side, one thread:
  pad     a PAD of one pixel all around, then VALID: what onnx_to_tflite writes
  larger  the 3 × 3 kernel with a row and a column of zeros, 4 × 4, under SAME: the same picture, no PAD
  same    3 × 3 under SAME: another network, the time to beat
Writes benchmarks/stride_two_padding.json: fastest of the runs in ms, and whether `larger` gives `pad`'s picture.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from record import record
from torch import Tensor, nn

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.data.calibration import open_calibration
from exporter.generators.network_file import Description, write_network
from exporter.progress import Silent
from exporter.stages import Workspace
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx

SIDE, RUNS = 256, 200


class Halving(nn.Module):
    """Three halvings of 32, 64 and 64 channels, a depthwise one, and a pixel shuffle back."""

    def __init__(self, form: str = "pad") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.form = form
        widths = ((3, 32, 1), (32, 64, 1), (64, 64, 1), (64, 64, 64))
        self.down = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1, groups=g) for i, o, g in widths)
        self.up = nn.Sequential(nn.Conv2d(64, 768, 1), nn.PixelShuffle(16))
        for layer in self.down:
            if form == "larger":
                layer.weight.data = nn.functional.pad(layer.weight.data, (0, 1, 0, 1))
            elif form == "same":
                layer.padding = (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.down:
            y = torch.relu(layer(nn.functional.pad(y, (0, 1, 0, 1)) if self.form == "same" else y))
        return torch.clamp(x + self.up(y), 0, 1)


def main() -> None:
    calibration = open_calibration(Path(__file__).parent.parent / "calibration" / "photos_256", SIDE, SIDE)
    times: dict[str, dict[str, float]] = {}
    same_picture = {}
    with tempfile.TemporaryDirectory() as temporary:
        for precision in ("fp32", "int8"):
            engines = {
                form: _engine(form, precision, calibration, Path(temporary) / f"{form}_{precision}")
                for form in ("pad", "larger", "same")
            }
            times[precision] = _fastest_ms(engines)
            pad, larger = (
                engines[form].get_tensor(engines[form].get_output_details()[0]["index"]) for form in ("pad", "larger")
            )
            same_picture[precision] = bool(np.array_equal(pad, larger))
    record("stride_two_padding", {"side": SIDE, "threads": 1, "fastest_ms": times, "larger_is_exact": same_picture})


def _engine(form: str, precision: str, calibration: object, folder: Path) -> Interpreter:
    folder.mkdir()
    path = folder / "network.safetensors"
    arch = "stride_two_padding:Halving"
    write_network(Halving(form), Description(arch, {"form": form}, (0.0, 1.0), 16), path)
    spec = TensorSpec.image(SIDE, SIDE)
    made = Artifact(Format.TORCH, path, spec, spec, sha256_of(path))
    stages = [TorchToOnnx(), SimplifyOnnx(), OnnxToTflite(), *([QuantizeTflite()] if precision == "int8" else [])]
    for number, stage in enumerate(stages):
        place = folder / str(number)
        place.mkdir()
        made = stage.run(made, Workspace(place, made, calibration, None, 0, Silent(), nullcontext))  # type: ignore[arg-type]
    engine = Interpreter(model_path=str(made.path), num_threads=1)
    engine.allocate_tensors()
    entry = engine.get_input_details()[0]
    noise = np.random.default_rng(0).random(entry["shape"]).astype(np.float32)
    feed = noise if entry["dtype"] == np.float32 else (noise * 255 - 128).astype(np.int8)
    engine.set_tensor(entry["index"], feed)
    return engine


def _fastest_ms(engines: dict[str, Interpreter]) -> dict[str, float]:
    """One call of each in turn, so that whatever else runs slows all of them."""
    fastest = dict.fromkeys(engines, float("inf"))
    for _ in range(RUNS):
        for form, engine in engines.items():
            start = time.perf_counter()
            engine.invoke()
            fastest[form] = min(fastest[form], 1e3 * (time.perf_counter() - start))
    return {form: round(value, 3) for form, value in fastest.items()}


if __name__ == "__main__":
    main()
