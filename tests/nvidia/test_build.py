"""Real engines, built by TensorRT-RTX without a GPU: the builder is an installable package, the extra of that name."""

from __future__ import annotations

import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import onnx
import pytest
import torch

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.errors import EngineError, StageError
from exporter.generators.build import generator_info
from exporter.generators.network_file import Description, write_network
from exporter.nvidia.build import build_plan
from exporter.nvidia.library import open_library
from exporter.nvidia.sidecar import Sidecar, read_sidecar
from exporter.quantization.tensorrt.rules import check_for_tensorrt
from exporter.runtimes import runtime
from exporter.stages.build_tensorrt import BuildTensorrt
from exporter.stages.quantize_onnx import QuantizeOnnx
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.conftest import REPO, Pictures
from tests.quantization.tensorrt.broken_qdq import BROKEN, computed_scale
from tests.stages.chain import run, to_onnx

pytestmark = [pytest.mark.slow, pytest.mark.extra("tensorrt-rtx")]
SIDE = 64
LARGEST_SHARE = 0.35  # of the float32 weights' memory
# As wide as makes filling up channels a small matter. SRCNN and ESPCN are not here: they work on luminance, and a
# convolution of one channel takes more memory than in float32, whatever the format (LUMINANCE below).
GENERATORS: dict[str, dict[str, object]] = {
    "deblurgan": {"ngf": 32, "n_blocks": 1, "norm_mode": "calibrated"},
    "deblurgan_v2_mobilenet": {"num_filters": 64, "num_filters_fpn": 128},
    "edsr": {"n_feats": 64, "n_resblocks": 1, "scale": 2},
    "attention_unet": {"width": 32},
    "mimo_unet": {"width": 32, "num_res": 1},
    "multiscale_enhancer": {"width": 32},
    "srresnet": {"channels": 64, "num_blocks": 1},
    "srvgg": {"num_feat": 64, "num_conv": 2},
}


def _quantized(folder: Path, arch: str, kwargs: dict[str, object], remainder: str = "fp16") -> Artifact:
    """INT8 ONNX of a network of that architecture with seeded weights."""
    from tools.generator_variants import seeded_network

    network, info = seeded_network(arch, kwargs), generator_info(arch)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "network.safetensors"
    write_network(network, Description(arch, kwargs, info.range, info.multiple), path)
    spec = TensorSpec.image(SIDE, SIDE)
    artifact = Artifact(Format.TORCH, path, spec, spec, sha256_of(path))
    for stage in (TorchToOnnx(), SimplifyOnnx(), QuantizeOnnx(engine="tensorrt", remainder=remainder)):
        artifact = run(stage, artifact, folder / stage.name, Pictures(2, SIDE, SIDE))
    return artifact


@pytest.fixture(scope="module")
def unet(tmp_path_factory) -> Artifact:
    return to_onnx(tmp_path_factory.mktemp("unet"), "UNet")


@pytest.fixture(scope="module")
def quantized(tmp_path_factory, unet) -> Artifact:
    return run(QuantizeOnnx(engine="tensorrt", narrow="int8"), unet, tmp_path_factory.mktemp("int8"))


@pytest.mark.parametrize("arch", sorted(GENERATORS))
def test_int8_engines_of_generators_hold_int8_weights(arch, tmp_path):
    engine = run(BuildTensorrt(), _quantized(tmp_path, arch, GENERATORS[arch]), tmp_path / "engine")
    share = read_sidecar(engine.path).weights_share
    assert share is not None and share <= LARGEST_SHARE


# The published widths. The first convolution, of one channel, holds 64 % of SRCNN's weights and 7 % of ESPCN's.
LUMINANCE: dict[str, tuple[dict[str, object], float]] = {"srcnn": ({}, 0.9), "espcn": ({"scale": 3}, 0.45)}


@pytest.mark.parametrize("arch", sorted(LUMINANCE))
def test_a_convolution_of_one_channel_does_not_shrink(arch, tmp_path):
    """Measured 0.87 and 0.42 with a float32 remainder; 1.08 and 0.80 with float16, which fills more channels up."""
    kwargs, largest = LUMINANCE[arch]
    shares = {}
    for remainder in ("fp32", "fp16"):
        source = _quantized(tmp_path / remainder, arch, kwargs, remainder)
        sidecar = read_sidecar(run(BuildTensorrt(), source, tmp_path / f"{remainder}_engine").path)
        assert any("reads one channel" in word for word in sidecar.warnings)
        shares[remainder] = sidecar.weights_share
    assert LARGEST_SHARE < shares["fp32"] <= largest < shares["fp16"]


@pytest.fixture(scope="module")
def student(tmp_path_factory) -> Artifact:
    """The shipped weights."""
    from exporter.checkpoints.fit import load_into
    from exporter.checkpoints.read import read_weights
    from exporter.generators.build import build_network

    folder, kwargs = tmp_path_factory.mktemp("student"), {"preset": "m"}
    weights = REPO / "recipes" / "weights" / "mobilenetv3_student_m.safetensors"
    info = generator_info("mobilenetv3_student")
    network = build_network(info, kwargs)
    load_into(network, read_weights(weights), weights, info.name)
    path = folder / "network.safetensors"
    write_network(network, Description(info.name, kwargs, info.range, info.multiple), path)
    spec = TensorSpec.image(SIDE, SIDE)
    source = Artifact(Format.TORCH, path, spec, spec, sha256_of(path))
    return run(SimplifyOnnx(), run(TorchToOnnx(), source, folder / "1"), folder / "2")


def test_the_shipped_student_in_int8_and_fp16_for_any_size(student, tmp_path):
    photos = Pictures(2, SIDE, SIDE)
    sizes = {"smallest": (64, 64), "optimal": (128, 128), "largest": (256, 512)}
    shares = {}
    for name, options in (("fp16", {"precision": "fp16"}), ("int8", {"remainder": "fp16"})):
        source = run(QuantizeOnnx(engine="tensorrt", any_size=True, **options), student, tmp_path / name, photos)
        engine = run(BuildTensorrt(**sizes), source, tmp_path / f"{name}_engine")
        sidecar = read_sidecar(engine.path)
        shares[name] = sidecar.weights_share
        assert engine.precision == name and engine.path.name == "model.rtx.engine"
        assert sidecar.inputs[0].shape == (1, -1, -1, 3) and sidecar.inputs[0].dtype == "float32"
        assert (sidecar.profile.smallest, sidecar.profile.optimal, sidecar.profile.largest) == tuple(sizes.values())
        assert sidecar.onnx_sha256 == source.sha256 and sidecar.plan_sha256 == engine.sha256
        assert sidecar.builder_version in engine.path.with_name("facts.json").read_text()
    assert shares["int8"] <= LARGEST_SHARE < shares["fp16"] < 0.6


def test_float32_and_again_the_same_bytes(unet, tmp_path):
    one, two = (run(BuildTensorrt(), unet, tmp_path / name) for name in "ab")
    assert one.sha256 == two.sha256
    assert (
        one.path.with_name("model.rtx.engine.json").read_bytes()
        == two.path.with_name("model.rtx.engine.json").read_bytes()
    )
    assert read_sidecar(one.path).weights_share == pytest.approx(1, abs=0.1)
    assert one.precision == "fp32"


def test_for_one_compute_capability(quantized, tmp_path):
    engine = run(BuildTensorrt(compute_capability="8.9"), quantized, tmp_path)
    assert read_sidecar(engine.path).target == "8.9"
    with pytest.raises(StageError, match=r"knows no compute capability 3\.5: .*SM89"):
        run(BuildTensorrt(compute_capability="3.5"), quantized, tmp_path)


@pytest.mark.parametrize("name", ["good", *sorted(BROKEN)])
def test_lint_agrees_with_the_parser(name, quantized, tmp_path):
    """What NVIDIA's parser refuses, lint calls an error on the same node; what it takes, lint calls no error."""
    model = onnx.load(quantized.path)
    broken = BROKEN.get(name)
    path = tmp_path / "model.onnx"
    onnx.save(broken.apply(model) if broken else model, path)
    errors = [remark for remark in check_for_tensorrt(onnx.load(path)) if remark.severity == "error"]
    if broken is None or not broken.refused:
        assert build_plan(open_library("tensorrt_rtx"), path, None, None).content and not errors
        return
    with pytest.raises(StageError, match="TensorRT-RTX .* cannot take model.onnx") as refused:
        build_plan(open_library("tensorrt_rtx"), path, None, None)
    named = set(re.findall(r"'([^']*)'", str(refused.value)))
    assert errors and (named & {remark.node for remark in errors} or not broken.named)


def test_lint_stops_what_the_parser_does_not_survive(quantized, tmp_path):
    """A computed scale ends TensorRT-RTX 1.7's process. When a newer one refuses it in words, this still holds."""
    path = tmp_path / "model.onnx"
    onnx.save(computed_scale(onnx.load(quantized.path)), path)
    build = "import sys; from pathlib import Path; from exporter.nvidia import build, library; "
    build += "build.build_plan(library.open_library('tensorrt_rtx'), Path(sys.argv[1]), None, None)"
    assert subprocess.run([sys.executable, "-c", build, path], capture_output=True, check=False).returncode != 0
    assert ("error", "scale") in {(remark.severity, remark.rule) for remark in check_for_tensorrt(onnx.load(path))}


def test_what_lint_warns_of_is_written_beside_the_engine(quantized, tmp_path):
    path = tmp_path / "model.onnx"
    onnx.save(BROKEN["weights_only"].apply(onnx.load(quantized.path)), path)
    source = Artifact.of_file(path, Format.ONNX, like=quantized, step="broken")
    (tmp_path / "engine").mkdir()
    engine = run(BuildTensorrt(), source, tmp_path / "engine")
    assert any("one factor only, not its activations" in word for word in read_sidecar(engine.path).warnings)


def test_an_unknown_operator_is_named(unet, tmp_path):
    model = onnx.load(unet.path)
    model.graph.node.append(onnx.helper.make_node("Unique", ["input"], ["odd"], name="/body/odd_one"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("odd", onnx.TensorProto.FLOAT, ["n"]))
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    with pytest.raises(StageError, match="Unique '/body/odd_one'"):
        build_plan(open_library("tensorrt_rtx"), path, None, None)


def test_what_lint_refuses_is_not_built(unet, tmp_path):
    made = run(QuantizeOnnx(), unet, tmp_path / "a")
    with pytest.raises(StageError, match=r"would not take.*zero point.*\n.*engine: tensorrt"):
        run(BuildTensorrt(), made, tmp_path / "b")
    assert not list((tmp_path / "b").iterdir())


def test_sizes_need_a_file_of_any_size(quantized, tmp_path):
    with pytest.raises(StageError, match=r"takes 48x80 only\n.*any_size"):
        run(BuildTensorrt(smallest=(32, 32), largest=(64, 96)), quantized, tmp_path)


def test_an_engine_and_its_description_belong_together(quantized, tmp_path, monkeypatch):
    """What can be known without a GPU is checked before one is asked."""
    engine = run(BuildTensorrt(), quantized, tmp_path)
    sidecar = engine.path.with_name("model.rtx.engine.json")
    text = sidecar.read_text()
    sidecar.write_text(Sidecar.model_validate_json(text).model_copy(update={"builder": "tensorrt"}).model_dump_json())
    with pytest.raises(EngineError, match="is for the runtime tensorrt, not for tensorrt_rtx"):
        runtime("tensorrt_rtx").open(engine, 1)
    sidecar.write_text(text.replace(sha256(engine.path.read_bytes()).hexdigest(), "0" * 64))
    with pytest.raises(EngineError, match="is not the engine its description is of"):
        runtime("tensorrt_rtx").open(engine, 1)
    sidecar.unlink()
    with pytest.raises(EngineError, match="no usable description"):
        runtime("tensorrt_rtx").open(engine, 1)


def test_without_a_gpu_it_says_so(quantized, tmp_path):
    if torch.cuda.is_available():
        assert runtime("tensorrt_rtx").missing() is None
    else:
        assert re.search("driver|GPU|CUDA", runtime("tensorrt_rtx").missing() or "")
