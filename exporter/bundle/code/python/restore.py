"""A photograph of any size through a .tflite of this bundle: `python restore.py PHOTO OUT.png [MODEL.tflite]`.

Needs numpy, pillow and ai-edge-litert, and tiles.py beside it. It makes the picture that `exporter run` makes of a
bundle whose manifest.json asks for no `processing` beside the network.
"""

import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

sys.dont_write_bytecode = True  # a bundle with a file that SHA256SUMS does not list fails `exporter verify`
from tiles import Tiling, restored  # noqa: E402

BUNDLE = Path(__file__).resolve().parents[2]
CODES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}


def sizes_of(model, manifest):
    """Each size of a file: signature, or None where it has one size, and tiling."""
    sizes = [(one["name"], Tiling.of(one["tiling"])) for one in model.get("signatures", ())]
    return sizes or [(None, Tiling.of(manifest["tiling"]))]


def best(sizes, height, width):
    """The smallest that holds the picture whole; else the fewest computed pixels, of equals the largest."""

    def cost(size):
        rows, columns = size[1].spans(height, width)
        area, tiles = size[1].height * size[1].width, len(rows) * len(columns)
        return tiles > 1, tiles * area, -area

    return min(sizes, key=cost)


def runner(model, signature):
    """One tile, 0..1 (H, W, C), to what the file makes of it: tensors as manifest.json says them."""
    interpreter = Interpreter(str(BUNDLE / model["file"]), num_threads=2)
    interpreter.allocate_tensors()
    given, made = model["input"], model["output"]
    call = interpreter.get_signature_runner(signature) if signature else None

    def run(tile):
        low, high = given["range"]
        value = tile * np.float32(high - low) + np.float32(low) if (low, high) != (0, 1) else tile
        value = value.transpose(2, 0, 1) if given["layout"] == "NCHW" else value
        if given["scale"]:
            value = np.clip(np.rint(value / np.float32(given["scale"])) + given["zero_point"], *CODES[given["dtype"]])
        value = value[None].astype(given["dtype"])
        if call:
            value = call(**{given["name"]: value})[made["name"]][0]
        else:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], value)
            interpreter.invoke()
            value = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        value = value.astype(np.float32)
        if made["scale"]:
            value = (value - np.float32(made["zero_point"])) * np.float32(made["scale"])
        value = value.transpose(1, 2, 0) if made["layout"] == "NCHW" else value
        low, high = made["range"]
        return (value - np.float32(low)) / np.float32(high - low) if (low, high) != (0, 1) else value

    return run


def main(photo, out, file=None):
    manifest = json.loads((BUNDLE / "manifest.json").read_text(encoding="utf-8"))
    models = [model for model in manifest["models"] if model["format"] == "tflite"]
    models.sort(key=lambda model: model["precision"] != "int8")
    model = next(model for model in models if file is None or Path(model["file"]).name == Path(file).name)
    pixels = np.asarray(ImageOps.exif_transpose(Image.open(photo)).convert("RGB"))
    signature, tiling = best(sizes_of(model, manifest), *pixels.shape[:2])
    Image.fromarray(restored(pixels, runner(model, signature), tiling)).save(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
