import re

import numpy as np
import onnx
import pytest
import torch

from exporter.errors import Refused, StageError
from exporter.generators.network_file import read_network
from exporter.stages.cleanliness import Cleanliness
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


def test_what_neither_way_can_do_is_said_once(tmp_path):
    with pytest.raises(Refused, match=r"no operator for special_bessel_j0, called in the forward.*Bessel, ") as said:
        run(TorchToOnnx(), stored(tmp_path, "Bessel"), tmp_path / "onnx")
    assert said.value.exit_code == 2 and "trace:" not in str(said.value)
    assert "object at" not in str(said.value) and "\x1b" not in str(said.value) and "%" not in str(said.value)


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


@pytest.mark.parametrize(
    ("network", "said", "instead"),
    [
        ("Decomposed", r"for linalg_svd, called in body\.1 \(Part, refused_networks.py:\d+: return x \* ", "matrices"),
        ("Ordered", r"for mode, called in body\.1 \(Part, refused_networks.py:\d+: ", r"torch\.topk"),
        ("Own", r"for exporter_tests::own, called in body\.1 ", "an operator of your own"),
        ("Deformed", r"for exporter_tests::deform_conv2d, called in body\.1 ", "grid_sample"),
        ("InNumpy", r"one picture, which numpy takes out of PyTorch in body\.1 \(Part, ", "register_buffer"),
        ("Halved", "bfloat16", "leave out torch.autocast"),
    ],
)
def test_what_no_file_can_hold_is_refused_with_what_to_write_instead(network, said, instead, tmp_path):
    source = stored(tmp_path, f"tests.stages.refused_networks:{network}")
    with pytest.raises(Refused) as refusal:
        run(TorchToOnnx(), source, tmp_path / "onnx")
    problem, _, hint = str(refusal.value).partition("\n  hint: ")
    assert re.search(said, problem) and re.search(instead, hint), refusal.value
    assert refusal.value.exit_code == 2
    for word in ("Traceback", "graph(", "object at", "0x", "step 3/3", "\x1b"):
        assert word not in str(refusal.value)


def test_numbers_of_the_picture_it_was_traced_with_are_noticed(tmp_path):
    """The one picture alone would not show it."""
    with pytest.raises(StageError, match="numbers of one picture"):
        run(TorchToOnnx(exporter="trace"), stored(tmp_path, "tests.stages.refused_networks:InNumpy"), tmp_path / "onnx")


def test_the_way_that_translates_directly_is_taken(tmp_path):
    lines = Lines()
    made = run(TorchToOnnx(), stored(tmp_path, "TracedOtherwise"), tmp_path / "onnx", lines=lines)
    (line,) = (line for line in lines.said if "is taken" in line)
    assert re.match(
        r"torch_to_onnx: dynamo is taken .*directly, .*; trace is less clean: operator Det in the for", line
    )
    assert "Det" not in _kinds(made)
    assert sorted(file.name for file in (tmp_path / "onnx").iterdir()) == ["model.onnx"]


def test_a_second_try_that_breaks_costs_nothing(tmp_path, monkeypatch):
    export = TorchToOnnx._export

    def broken(stage, network, image, folder, way):
        if way == "dynamo":
            raise KeyError("of a library")
        return export(stage, network, image, folder, way)

    monkeypatch.setattr(TorchToOnnx, "_export", broken)
    lines = Lines()
    assert "Det" in _kinds(run(TorchToOnnx(), stored(tmp_path, "Determined"), tmp_path / "onnx", lines=lines))
    assert lines.said == ["torch_to_onnx: trace, as dynamo does not do: KeyError: 'of a library'"]


def test_a_clean_trace_needs_no_second_try(tmp_path, monkeypatch):
    tried = []
    export = TorchToOnnx._export
    monkeypatch.setattr(TorchToOnnx, "_export", lambda *a: tried.append(a[-1]) or export(*a))
    run(TorchToOnnx(), stored(tmp_path, "UNet"), tmp_path / "onnx")
    assert tried == ["trace"]


def test_less_is_cleaner():
    best, *rest = (Cleanliness(False, 0, 9, ""), Cleanliness(False, 0, 10, ""), Cleanliness(False, 1, 2, ""))
    worst = Cleanliness(True, 0, 1, "operator Det is not translated")
    assert [best, *rest, worst] == sorted([worst, *reversed(rest), best])
    assert best.is_clean and not worst.is_clean


class Scripted(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        for _ in range(2):
            x = torch.relu(self.conv(x)) + x
        return x


def test_a_network_with_parts_of_torchscript(tmp_path, monkeypatch):
    network = torch.nn.Sequential(torch.jit.script(Scripted()), torch.nn.Conv2d(3, 3, 1)).eval()
    monkeypatch.setattr("exporter.generators.network_file.read_network", lambda *_, **__: network)
    made = run(TorchToOnnx(exporter="trace"), stored(tmp_path, "UNet"), tmp_path / "onnx")
    image = lopsided_image(HEIGHT, WIDTH)
    with torch.inference_mode():
        right = network(torch.from_numpy(image).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert np.abs(run_onnx(made.path, image) - right).max() < 1e-4
