"""One tiny residual network in every format, its weights the same everywhere, made by real converters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of

HEIGHT, WIDTH, CHANNELS = 32, 48, 8
ARCH = "tests.runtimes.tiny_network:TinyNetwork"


def weights() -> tuple[np.ndarray, np.ndarray]:
    """Two 3×3 convolutions (out, in, kh, kw) that treat no channel and no direction like another."""
    rng = np.random.default_rng(0)
    first = rng.normal(0, 0.3, (CHANNELS, 3, 3, 3)).astype(np.float32)
    return first, rng.normal(0, 0.08, (3, CHANNELS, 3, 3)).astype(np.float32)


def photo(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Random rectangles that reach 0 and 1, so that min-max calibration sees the whole range."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 0.5, np.float32)
    for value in (0.0, 1.0, *rng.uniform(0, 1, (14, 3))):
        top, left = rng.integers(0, height - 6), rng.integers(0, width - 6)
        image[top : top + rng.integers(4, 16), left : left + rng.integers(4, 20)] = value
    return image


class TinyFiles:
    """Makes each file in `folder` when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def torch(self, height: int = HEIGHT, width: int = WIDTH) -> Artifact:
        path = self.folder / "tiny.safetensors"
        if not path.exists():
            _write_torch(path)
        spec = TensorSpec.image(height, width)
        return Artifact(Format.TORCH, path, spec, spec, sha256_of(path), user_classes=frozenset({ARCH}))

    def onnx(self, name: str = "tiny", height: int = HEIGHT, width: int = WIDTH, **changes: Any) -> Artifact:
        """`before` and `after`: ONNX nodes as (op, attributes, constant input) around the network."""
        path = self.folder / f"{name}.onnx"
        if not path.exists():
            _write_onnx(path, height, width, **changes)
        spec = TensorSpec.image(height, width)
        return Artifact(Format.ONNX, path, spec, spec, sha256_of(path))

    def qdq(self) -> Artifact:
        path, source = self.folder / "tiny.int8.onnx", self.onnx()
        if not path.exists():
            _quantize_onnx(source.path, path)
        return Artifact(Format.ONNX, path, source.input, source.output, sha256_of(path), "int8")

    def tflite(self, kind: str = "fp32") -> Artifact:
        """`fp32`, `fp16`, `int8` (int8 in and out), `uint8` (the same with uint8), `float_io`, `dynamic`."""
        path = self.folder / f"tiny.{kind}.tflite"
        if not path.exists():
            _write_tflite(path, kind)
        spec = TensorSpec.image(HEIGHT, WIDTH, "NHWC")
        return Artifact(Format.TFLITE, path, spec, spec, sha256_of(path))


def _write_torch(path: Path) -> None:
    import torch

    from exporter.generators.network_file import Description, write_network
    from tests.runtimes.tiny_network import TinyNetwork

    network = TinyNetwork()
    for layer, values in zip((network.first, network.second), weights(), strict=True):
        layer.weight.data = torch.from_numpy(values)
    write_network(network, Description(ARCH, {}, (0.0, 1.0), 1), path)


def _write_onnx(path: Path, height: int, width: int, before: Any = (), after: Any = ()) -> None:
    import onnx
    from onnx import helper, numpy_helper

    first, second = weights()
    constants = {"w0": first, "w1": second, "zero": np.float32(0), "one": np.float32(1), "six": np.float32(6)}
    nodes, here = [], "image"

    def add(op: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [f"t{len(nodes)}"], name=f"{op}_{len(nodes)}", **attributes))
        return f"t{len(nodes) - 1}"

    def surround(steps: Any, here: str) -> str:
        for op, attributes, *constant in steps:
            extra = [f"c{len(nodes)}"] if constant else []
            constants.update(zip(extra, constant, strict=True))
            here = add(op, here, *extra, **attributes)
        return here

    entry = surround(before, here)
    hidden = add("Clip", add("Conv", entry, "w0", pads=[1] * 4), "zero", "six")
    restored = add("Add", add("Conv", hidden, "w1", pads=[1] * 4), entry)
    surround(after, add("Clip", restored, "zero", "one"))
    nodes[-1].output[0] = "restored"
    shape = [1, 3, height, width]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("restored", onnx.TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def _quantize_onnx(source: Path, target: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Photos(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter(range(4))

        def get_next(self) -> dict[str, np.ndarray] | None:
            seed = next(self.left, None)
            return None if seed is None else {"image": photo(seed).transpose(2, 0, 1)[None]}

    quantize_static(source, target, Photos(), quant_format=QuantFormat.QDQ, per_channel=True)


def _write_tflite(path: Path, kind: str) -> None:
    import tensorflow as tf

    kernels = [w.transpose(2, 3, 1, 0) for w in weights()]

    @tf.function(input_signature=[tf.TensorSpec((1, HEIGHT, WIDTH, 3), tf.float32, name="image")])
    def restore(image: Any) -> Any:
        hidden = tf.nn.relu6(tf.nn.conv2d(image, kernels[0], 1, "SAME"))
        return tf.clip_by_value(image + tf.nn.conv2d(hidden, kernels[1], 1, "SAME"), 0.0, 1.0)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([restore.get_concrete_function()])
    if kind != "fp32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "fp16":
        converter.target_spec.supported_types = [tf.float16]
    if kind in ("int8", "uint8", "float_io"):
        converter.representative_dataset = lambda: ([photo(seed)[None]] for seed in range(4))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if kind in ("int8", "uint8"):
        converter.inference_input_type = converter.inference_output_type = getattr(tf, kind)
    path.write_bytes(converter.convert())
