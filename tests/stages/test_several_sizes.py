"""Files of several sizes made one, and an INT8 file taken to another size, as an export does it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from exporter.artifact import Artifact, Format, Signature, TensorSpec
from exporter.errors import Refused, StageError, WrongPicture
from exporter.graph import tflite_signatures
from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.tflite import other_size
from exporter.runtimes import runtime
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import BEFORE_COPIES, QuantizeTflite
from exporter.stages.self_check import lopsided_image
from exporter.stages.several_sizes import JoinSizes, Resize
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.graph.tflite_net import Net
from tests.stages.chain import HEIGHT, WIDTH, Lines, counts, run, stored

OTHER, WIDE = (64, 96), 48


class Enlarging(nn.Module):
    """Half as large and back by nearest pixels, and a table of places."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, WIDE, 3, padding=1), nn.Conv2d(WIDE, 3, 3, padding=1)
        self.small = nn.Conv2d(WIDE, WIDE, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.small(nn.functional.max_pool2d(torch.relu(self.first(x)), 2)))
        y = nn.functional.interpolate(y, scale_factor=2.0, mode="nearest")
        return torch.clamp(x + 0.2 * self.last(y) + 0.05 * torch.linspace(0, 1, x.shape[3]), 0, 1)


class Deeper(Enlarging):
    def forward(self, x: Tensor) -> Tensor:
        for _ in range(1 if x.shape[2] < OTHER[0] else 12):
            x = torch.sigmoid(self.last(torch.relu(self.first(x))))
        return x


def floats(folder, kind: type[nn.Module]) -> tuple[Artifact, Artifact]:
    """The float files of both sizes."""
    folder.mkdir(exist_ok=True)
    network = stored(folder, f"{__name__}:{kind.__name__}")
    made = []
    for height, width in ((HEIGHT, WIDTH), OTHER):
        at_size, own = network.with_size(height, width), folder / f"{height}x{width}"
        for place, stage in enumerate((TorchToOnnx(), SimplifyOnnx(), OnnxToTflite())):
            at_size = run(stage, at_size, own / str(place))
        made.append(at_size)
    return made[0], made[1]


@pytest.fixture(scope="module")
def enlarging(tmp_path_factory) -> tuple[Artifact, Artifact]:
    return floats(tmp_path_factory.mktemp("enlarging"), Enlarging)


def name_of(artifact: Artifact) -> str:
    return f"{artifact.input.height}x{artifact.input.width}"


def joined_of(files, folder, lines=None) -> Artifact:
    return run(JoinSizes.of({name_of(file): file for file in files}), files[0], folder, lines=lines)


def require_bits_of_own_files(joined: Artifact, files) -> None:
    """Through the runtimes that read .tflite, one signature after the other."""
    for file, signature in zip(files, joined.signatures, strict=True):
        image = lopsided_image(file.input.height, file.input.width)[0]
        with runtime("litert_cpu").open(file, 1) as own, runtime("litert_cpu").open(joined.at(signature), 1) as ours:
            expected = own.infer(image)
            assert np.array_equal(ours.infer(image), expected)
            assert len(ours.time_ms(image, 2, 0)) == 2
        assert expected.shape == image.shape


def test_an_int8_file_of_two_sizes(enlarging, tmp_path):
    quantized = run(QuantizeTflite(), enlarging[0], tmp_path / "int8")
    resized = run(Resize.of(enlarging[0], quantized), enlarging[1], tmp_path / "resized")
    assert (resized.precision, name_of(resized)) == ("int8", name_of(enlarging[1]))
    assert (resized.input.scale, resized.output.zero_point) == (quantized.input.scale, quantized.output.zero_point)
    joined = joined_of((quantized, resized), tmp_path / "joined")
    assert [one.name for one in joined.signatures] == [name_of(quantized), name_of(resized)]
    assert joined.history == (*quantized.history, f"join_sizes {name_of(quantized)} {name_of(resized)}")
    require_bits_of_own_files(joined, (quantized, resized))
    assert joined.size_bytes < 1.05 * max(quantized.size_bytes, resized.size_bytes)
    assert Artifact.from_record(joined.to_record(), joined.path.parent).signatures == joined.signatures


def test_float_files_share_what_is_equal_and_the_rest_is_named(enlarging, tmp_path):
    lines = Lines()
    joined = joined_of(enlarging, tmp_path, lines)
    require_bits_of_own_files(joined, enlarging)
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["bytes"] == joined.size_bytes
    assert facts["largest_file_bytes"] == max(file.size_bytes for file in enlarging)
    graph = TfliteGraph(joined.path.read_bytes())
    stored = [len(buffer.data) for buffer in graph.model.buffers if buffer.data is not None]
    assert stored.count(4 * WIDE * WIDE * 9) == 1


def test_enlargements_of_a_cpu_file_are_copies_at_every_size(enlarging, tmp_path):
    quantized = run(QuantizeTflite(device="cpu"), enlarging[0], tmp_path / "int8")
    assert (quantized.path.parent / BEFORE_COPIES).is_file()
    resized = run(Resize.of(enlarging[0], quantized), enlarging[1], tmp_path / "resized")
    for file in (quantized, resized):
        assert counts(file)["RESIZE_NEAREST_NEIGHBOR"] == 0
        assert counts(file)["CONCATENATION"] == 2
    require_bits_of_own_files(joined_of((quantized, resized), tmp_path / "joined"), (quantized, resized))


def test_a_file_that_grows_says_by_what(tmp_path):
    """Tables of places that weigh more than the weights."""

    def file(side: int) -> Artifact:
        net = Net((1, side, side, 3))
        net.on_stored("ADD", np.random.default_rng(side).random((1, side, side, 3)), "AddOptions")
        path = net.write(tmp_path / f"{side}.tflite")
        spec = TensorSpec.image(side, side, "NHWC")
        return Artifact(Format.TFLITE, path, spec, spec, str(side))

    lines = Lines()
    joined = joined_of((file(64), file(80), file(96)), tmp_path / "joined", lines)
    (said,) = [line for line in lines.said if line.startswith("join_sizes: the file of all sizes has")]
    assert "times the bytes of the largest: constants depend on the size: constant_1 at 80x80 (77 kB)" in said
    assert joined.size_bytes > 1.5 * 4 * 96 * 96 * 3


def test_a_network_that_is_another_one_at_a_size_is_refused(tmp_path):
    given, other = floats(tmp_path / "deeper", Deeper)
    quantized = run(QuantizeTflite(), given, tmp_path / "int8")
    with pytest.raises(Refused, match=r"INT8 at 64×96 px: the network is another one at this size, from ") as refused:
        run(Resize.of(given, quantized), other, tmp_path / "resized")
    assert "leave the size out of input.sizes" in str(refused.value)


def test_an_int8_file_that_is_broken_there_is_noticed(enlarging, tmp_path, monkeypatch):
    take = other_size.at_other_size

    def broken(quantized, given, other):
        graph = TfliteGraph(take(quantized, given, other))
        if quantized != given:
            last = [operator for operator in graph.operators if graph.kind(operator) == "CONV_2D"][-1]
            index = last.inputs[1]
            last.inputs[1] = graph.add_constant(graph.name(index), np.full_like(graph.constant(index), 127))
            graph.tensors[last.inputs[1]].quantization = graph.tensors[index].quantization
        return graph.to_bytes()

    quantized = run(QuantizeTflite(), enlarging[0], tmp_path / "int8")
    monkeypatch.setattr(other_size, "at_other_size", broken)
    with pytest.raises(WrongPicture, match=r"the INT8 file is [\d.]+ dB from the float one, [\d.]+ dB at the first"):
        run(Resize.of(enlarging[0], quantized), enlarging[1], tmp_path / "resized")


def test_a_signature_with_other_bits_stops_the_export(enlarging, tmp_path, monkeypatch):
    join = tflite_signatures.join_signatures

    def wrong(files):
        graph = TfliteGraph(files[name_of(enlarging[1])])
        first = next(operator for operator in graph.operators if graph.kind(operator) == "CONV_2D")
        first.inputs[1] = graph.add_constant("other", 1.001 * graph.constant(first.inputs[1]))
        return join({**files, name_of(enlarging[1]): graph.to_bytes()})

    monkeypatch.setattr(tflite_signatures, "join_signatures", wrong)
    with pytest.raises(
        StageError, match=f"the signature {name_of(enlarging[1])} does not give what its own file gives"
    ):
        joined_of(enlarging, tmp_path)


def test_a_file_at_one_of_its_signatures_says_so():
    spec, path = TensorSpec.image(64, 64, "NHWC"), Path("joined.tflite")
    file = Artifact(Format.TFLITE, path, spec, spec, "0", signatures=(Signature("64x64", spec, spec),))
    assert file.named("") is file
    assert file.named("64x64").signature == "64x64"
    with pytest.raises(ValueError, match=r"joined\.tflite has no signature 8x8"):
        file.named("8x8")
