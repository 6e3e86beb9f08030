"""`onnx2tf -oiqt` on the plain ONNX export: python onnx2tf_as_it_comes.py GIVEN MADE"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np


def main(given: Path, made: Path) -> None:
    # Without a file of this name in the working directory onnx2tf downloads pictures for its own checks.
    np.save(made / "calibration_image_sample_data_20x128x128x3_float32.npy", np.zeros((20, 128, 128, 3), np.float32))
    words = ["-i", str(given / "plain.onnx"), "-o", "out", "-oiqt"]
    words += ["-cind", "input", str(given / "calibration.npy"), "[[[[0,0,0]]]]", "[[[[1,1,1]]]]"]
    tool = Path(sys.executable).with_name("onnx2tf")
    subprocess.run([str(tool), *words], cwd=made, check=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    (made / "out" / "plain_float32.tflite").rename(made / "fp32.tflite")
    (made / "out" / "plain_full_integer_quant.tflite").rename(made / "int8.tflite")
    shutil.rmtree(made / "out")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
