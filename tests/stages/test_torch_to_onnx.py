import numpy as np
import onnx
import pytest
import torch

from exporter.errors import StageError
from exporter.generators.network_file import read_network
from exporter.stages.self_check import lopsided_image, require_close, run_onnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.stages.chain import HEIGHT, WIDTH, Lines, run, stored, to_onnx


def _kinds(artifact):
    return [node.op_type for node in onnx.load(artifact.path).graph.node]


@pytest.mark.parametrize("arch", ["mobilenetv3_student", "UNet", "UnshuffleNet", "FarShift", "Gated", "Odds", "Lazy"])
def test_gives_the_torch_picture_channels_last(tmp_path, arch):
    source = stored(tmp_path, arch)
    made = run(TorchToOnnx(), source, tmp_path / "onnx")
    image = lopsided_image(HEIGHT, WIDTH)
    with torch.inference_mode():
        expected = read_network(source.path, source.user_classes)(torch.from_numpy(image).permute(0, 3, 1, 2)).permute(
            0, 2, 3, 1
        )
    assert np.abs(run_onnx(made.path, image) - expected.numpy()).max() < 1e-4
    assert made.input.layout == made.output.layout == "NHWC"
    assert made.input.shape == (1, HEIGHT, WIDTH, 3)


def test_student_has_a_plain_graph(tmp_path):
    made = to_onnx(tmp_path, "mobilenetv3_student")
    kinds = _kinds(made)
    assert set(kinds) == {"Transpose", "Conv", "Clip", "Add", "Resize", "DepthToSpace"}
    assert kinds.count("Transpose") == 2
    shuffle = next(node for node in onnx.load(made.path).graph.node if node.op_type == "DepthToSpace")
    assert b"DCR" in [attribute.s for attribute in shuffle.attribute]


def test_same_network_same_bytes(tmp_path):
    source = stored(tmp_path, "UNet")
    one, two = (run(TorchToOnnx(), source, tmp_path / name) for name in "ab")
    assert one.sha256 == two.sha256
    assert not list((tmp_path / "a").glob("as_exported*"))


def test_dynamo_gives_the_same_picture(tmp_path):
    source = stored(tmp_path, "UnshuffleNet")
    image = lopsided_image(HEIGHT, WIDTH)
    traced, read = (run(TorchToOnnx(exporter=kind), source, tmp_path / kind) for kind in ("trace", "dynamo"))
    assert np.abs(run_onnx(traced.path, image) - run_onnx(read.path, image)).max() < 1e-5


def test_what_tracing_cannot_read_is_read_by_dynamo(tmp_path):
    lines = Lines()
    source = stored(tmp_path, "StoredStatistics")
    made = run(TorchToOnnx(), source, tmp_path / "onnx", lines=lines)
    assert [line for line in lines.said if line.startswith("torch_to_onnx: dynamo, as trace does not do: ")]
    assert made.path.exists() and str(made.history[-1]) == str(TorchToOnnx())
    with pytest.raises(StageError) as said:
        run(TorchToOnnx(exporter="trace"), source, tmp_path / "traced")
    assert "exporter=dynamo" in str(said.value) and "graph(" not in str(said.value)


def test_neither_way_says_why_of_both(tmp_path):
    with pytest.raises(StageError, match=r"either way: trace: .*; dynamo: .*") as said:
        run(TorchToOnnx(), stored(tmp_path, "Bessel"), tmp_path / "onnx")
    assert "\n" not in str(said.value) and "\x1b" not in str(said.value) and "%" not in str(said.value)


def test_an_unknown_operator_is_one_sentence(tmp_path):
    with pytest.raises(StageError, match=r"torch_to_onnx: .*bessel_j0"):
        run(TorchToOnnx(), stored(tmp_path, "Bessel"), tmp_path / "onnx")
    assert not (tmp_path / "onnx" / "model.onnx").exists()


def test_nan_is_refused(tmp_path):
    with pytest.raises(StageError, match="differs from its source by nan"):
        run(TorchToOnnx(), stored(tmp_path, "Broken"), tmp_path / "onnx")


def test_a_shuffle_without_a_convolution_is_told(tmp_path):
    lines = Lines()
    made = run(TorchToOnnx(), stored(tmp_path, "SplitShuffle"), tmp_path / "onnx", lines=lines)
    assert any("1×1" in line for line in lines.said)
    assert _kinds(made).count("DepthToSpace") == 1


def test_the_lopsided_image_has_no_symmetry():
    image = lopsided_image(32, 32)
    for other in (image[:, ::-1], image[:, :, ::-1], image.transpose(0, 2, 1, 3), image[..., ::-1]):
        with pytest.raises(StageError):
            require_close("test", other, image)
