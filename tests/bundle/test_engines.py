"""What the runtime card says of TensorRT engines."""

from __future__ import annotations

import pytest

from exporter.artifact import Format
from exporter.bundle.card import runtime_card
from exporter.bundle.engines import trtexec
from exporter.bundle.manifest import Manifest, Model, Tensor, Tiling
from exporter.nvidia.build import End, Profile
from exporter.nvidia.sidecar import Sidecar, sidecar_path
from exporter.tiling.processing import Processing

SIDECAR = Sidecar(
    schema_version=1, builder="tensorrt_rtx", builder_version="1.7", target="any", onnx_sha256="a" * 64,
    plan_sha256="b" * 64, inputs=(End("input", "float32", (1, -1, -1, 3)),), outputs=(), layers=1, warnings=(),
    profile=Profile((256, 256), (720, 1280), (1088, 1920)), weights_bytes=25, float_weights_bytes=100,
)  # fmt: skip
NOT_MEASURED = ("worst_parity_db", "psnr_db", "ssim", "gain_db", "seam_psnr_db")


def test_trtexec_builds_the_same_engine_from_the_shipped_file():
    assert trtexec("models/x.int8.onnx", SIDECAR) == (
        "trtexec --onnx=models/x.int8.onnx --stronglyTyped --minShapes=input:1x256x256x3 "
        "--optShapes=input:1x720x1280x3 --maxShapes=input:1x1088x1920x3 --saveEngine=x.int8.engine "
        "--warmUp=500 --iterations=200 --useCudaGraph"
    )


def test_an_engine_of_one_size_needs_no_shapes():
    assert "Shapes" not in trtexec("m.onnx", SIDECAR.model_copy(update={"profile": None}))


@pytest.mark.parametrize(
    ("largest", "says"),
    [((1088, 1920), "an engine takes whatever size its table below allows"), ((256, 256), "always")],
)
def test_the_card_does_not_bind_an_engine_with_a_profile_to_one_size(largest, says, tmp_path):
    profile = Profile((256, 256), (256, 256), largest)
    ends = {
        end: Tensor(
            name=end, shape=(1, 256, 256, 3), layout="NHWC", dtype="float32", range=(0, 1), scale=None, zero_point=None
        )
        for end in ("input", "output")
    }
    engine = Model(
        file="models/x.rtx.engine", sha256="b" * 64, size_bytes=1000, source_sha256="b" * 64, format=Format.TENSORRT,
        precision="int8", **ends, ops=None, history=("built",),
        targets=[{"name": "x", "runtime": "tensorrt_rtx", "also_on": {}} | dict.fromkeys(NOT_MEASURED)],
    )  # fmt: skip
    tiling = Tiling(
        tile_px=(256, 256), multiple_px=8, halo_px=16, blend_px=0, beyond_picture="mirrored",
        theoretical_halo_px=16, unbounded_because=None, psnr_db=90.0, max_abs=0.0,
    )  # fmt: skip
    manifest = Manifest(
        schema_version=1, name="x", version="1", description="", licence="Apache-2.0", models=(engine,), tiling=tiling,
        processing=Processing(), golden="golden/golden.json", tools={}, provenance={},
        recipe={}, reproducible=(), not_reproducible={},
    )  # fmt: skip
    path = sidecar_path(tmp_path / engine.file)
    path.parent.mkdir()
    path.write_text(SIDECAR.model_copy(update={"profile": profile}).model_dump_json())
    (sentence,) = (
        line for line in runtime_card(manifest, tmp_path, ()).splitlines() if "The model takes 256×256" in line
    )
    assert says in sentence


def test_weights_share():
    assert SIDECAR.weights_share == 0.25
    assert SIDECAR.model_copy(update={"weights_bytes": None}).weights_share is None
