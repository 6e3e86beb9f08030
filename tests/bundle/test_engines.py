"""What the runtime card says of TensorRT engines."""

from __future__ import annotations

from exporter.bundle.engines import trtexec
from exporter.nvidia.build import End, Profile
from exporter.nvidia.sidecar import Sidecar

SIDECAR = Sidecar(
    schema_version=1, builder="tensorrt_rtx", builder_version="1.7", target="any", onnx_sha256="a" * 64,
    plan_sha256="b" * 64, inputs=(End("input", "float32", (1, -1, -1, 3)),), outputs=(), layers=1, warnings=(),
    profile=Profile((256, 256), (720, 1280), (1088, 1920)), weights_bytes=25, float_weights_bytes=100,
)  # fmt: skip


def test_trtexec_builds_the_same_engine_from_the_shipped_file():
    assert trtexec("models/x.int8.onnx", SIDECAR) == (
        "trtexec --onnx=models/x.int8.onnx --stronglyTyped --minShapes=input:1x256x256x3 "
        "--optShapes=input:1x720x1280x3 --maxShapes=input:1x1088x1920x3 --saveEngine=x.int8.engine "
        "--warmUp=500 --iterations=200 --useCudaGraph"
    )


def test_an_engine_of_one_size_needs_no_shapes():
    assert "Shapes" not in trtexec("m.onnx", SIDECAR.model_copy(update={"profile": None}))


def test_weights_share():
    assert SIDECAR.weights_share == 0.25
    assert SIDECAR.model_copy(update={"weights_bytes": None}).weights_share is None
