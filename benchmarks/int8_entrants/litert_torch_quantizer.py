"""litert-torch and AI Edge Quantizer's static recipe: python litert_torch_quantizer.py GIVEN MADE

Runs in an environment of its own: their versions of numpy and LiteRT are not ours.
"""

import sys
from pathlib import Path

import litert_torch
import numpy as np
import torch
from ai_edge_quantizer import quantizer, recipe


def main(given: Path, made: Path) -> None:
    images = np.load(given / "calibration.npy")
    network = torch.export.load(given / "program.pt2").module()
    channels_last = litert_torch.to_channel_last_io(network, args=[0], outputs=[0])
    picture = torch.from_numpy(images[:1])
    litert_torch.convert(channels_last, (picture,)).export(str(made / "fp32.tflite"))
    tool = quantizer.Quantizer(str(made / "fp32.tflite"))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    ranges = tool.calibrate({"serving_default": [{"args_0": image[None]} for image in images]})
    tool.quantize(ranges).export_model(str(made / "int8.tflite"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
