"""TensorFlow's converter, full-integer PTQ, on a clean NHWC graph: python tensorflow_converter.py GIVEN MADE

The graph is our channels-last ONNX file; onnx2tf makes the SavedModel, which is the only way there from PyTorch.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import onnx2tf
import tensorflow as tf


def main(given: Path, made: Path) -> None:
    os.chdir(made)  # onnx2tf reads its own check's pictures there, or downloads them
    np.save("calibration_image_sample_data_20x128x128x3_float32.npy", np.zeros((20, 128, 128, 3), np.float32))
    onnx2tf.convert(
        input_onnx_file_path=str(given / "clean.onnx"),
        output_folder_path="saved_model",
        keep_shape_absolutely_input_names=["input"],
        not_use_onnxsim=True,
        disable_strict_mode=True,
        output_signaturedefs=True,
        verbosity="error",
    )
    Path("saved_model", "clean_float32.tflite").rename("fp32.tflite")

    def images() -> Iterator[list[np.ndarray]]:
        for image in np.load(given / "calibration.npy"):
            yield [image[None]]

    converter = tf.lite.TFLiteConverter.from_saved_model("saved_model")
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = images
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    Path("int8.tflite").write_bytes(converter.convert())
    shutil.rmtree("saved_model")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
