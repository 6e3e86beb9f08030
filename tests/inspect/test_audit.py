"""Is it really INT8? Counts checked on files of real converters and on graphs made for the question."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import CheckpointError, RecipeError
from exporter.inspect.lint import lint_model
from exporter.measure.accuracy_per_stage import count_parameters_and_macs
from tests.graph.tflite_files import N, T, int8, write_tflite
from tests.runtimes.tiny_models import CHANNELS, HEIGHT, WIDTH, TinyFiles

MACS = 2 * HEIGHT * WIDTH * 9 * 3 * CHANNELS


def test_macs_agree_in_every_format(tiny: TinyFiles):
    assert count_parameters_and_macs(tiny.torch()) == (2 * 9 * 3 * CHANNELS, MACS)
    for artifact in (tiny.onnx(), tiny.qdq(), tiny.tflite(), tiny.tflite("int8"), tiny.tflite("fp16")):
        assert lint_model(artifact.path)[0].macs == MACS, artifact.path.name


def test_int8_share_and_islands_of_real_files(tiny: TinyFiles):
    for artifact, share in (
        (tiny.onnx(), 0),
        (tiny.qdq(), 1),
        (tiny.tflite(), 0),
        (tiny.tflite("fp16"), 0),
        (tiny.tflite("dynamic"), 0),  # int8 weights, float arithmetic
        (tiny.tflite("int8"), 1),
        (tiny.tflite("uint8"), 1),
        (tiny.tflite("float_io"), 1),
    ):
        audit, _ = lint_model(artifact.path)
        assert (audit.int8_mac_share, audit.float_islands, audit.max_rank) == (share, 0, 4), artifact.path.name


def test_op_list(tiny: TinyFiles):
    audit, _ = lint_model(tiny.tflite("float_io").path)
    assert audit.counts["CONV_2D"] == 2 and audit.counts["QUANTIZE"] == 1 and audit.counts["DEQUANTIZE"] == 1
    conv = next(op for op in audit.ops if op.kind == "CONV_2D")
    assert (conv.dtype, conv.output_shape, conv.macs) == ("int8", (1, HEIGHT, WIDTH, CHANNELS), MACS // 2)


def chain(kinds: str) -> tuple[list[T], list[N]]:
    """`i` an int8 op, `f` a float op, with the conversions between them; int8 at both ends."""
    tensors, nodes = [int8("in")], []

    def add(kind: str, dtype: str) -> None:
        name = f"t{len(tensors)}"
        nodes.append(N(kind, (tensors[-1].name,), (name,)))
        tensors.append(int8(name) if dtype == "i" else T(name))

    state = "i"
    for kind in (*kinds, "i"):
        if kind != state:
            add("QUANTIZE" if kind == "i" else "DEQUANTIZE", kind)
        add("RELU", kind)
        state = kind
    nodes.append(N("RELU", (tensors[-1].name,), ("out",)))
    return [*tensors, int8("out")], nodes


@pytest.mark.parametrize(("kinds", "islands"), [("iii", 0), ("ifi", 1), ("ifffi", 1), ("ififi", 2), ("fi", 1)])
def test_float_islands(kinds: str, islands: int, tmp_path: Path):
    audit, findings = lint_model(write_tflite(tmp_path / "m.tflite", *chain(kinds)))
    assert audit.float_islands == islands
    assert sum(f.rule == "float-island" for f in findings) == islands


def test_a_float_head_is_no_island_but_costs_int8_share(tmp_path: Path):
    tensors = [
        int8("in"),
        int8("w", (3, 3, 3, 3), stored=True),
        int8("mid"),
        T("real"),
        T("w2", (3, 1, 1, 3), stored=True),
        T("out"),
    ]
    nodes = [
        N("CONV_2D", ("in", "w"), ("mid",)),
        N("DEQUANTIZE", ("mid",), ("real",)),
        N("CONV_2D", ("real", "w2"), ("out",)),
    ]
    audit, _ = lint_model(write_tflite(tmp_path / "m.tflite", tensors, nodes))
    assert audit.float_islands == 0
    assert audit.int8_mac_share == pytest.approx(0.9)


def test_two_branches_of_one_island_count_once(tmp_path: Path):
    tensors = [int8("in"), T("a"), T("b"), T("c"), T("d"), int8("q"), int8("out")]
    nodes = [
        N("DEQUANTIZE", ("in",), ("a",)),
        N("RELU", ("a",), ("b",)),
        N("TANH", ("b",), ("c",)),
        N("ADD", ("b", "c"), ("d",)),
        N("QUANTIZE", ("d",), ("q",)),
        N("RELU", ("q",), ("out",)),
    ]
    assert lint_model(write_tflite(tmp_path / "m.tflite", tensors, nodes))[0].float_islands == 1


def test_onnx_op_without_integer_kernel_is_an_island(tmp_path: Path):
    """HardSwish between DQ and Q looks quantised, but every engine computes it in float."""
    assert _qdq_with(tmp_path, "HardSwish").float_islands == 1
    assert _qdq_with(tmp_path, "Relu").float_islands == 0


def _qdq_with(tmp_path: Path, op: str):
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    scale = [numpy_helper.from_array(np.float32(0.1), "s"), numpy_helper.from_array(np.int8(0), "z")]
    chain = ("QuantizeLinear", "DequantizeLinear", op, "QuantizeLinear", "DequantizeLinear", "Relu")
    names = ["image", *(f"t{i}" for i in range(len(chain) - 1)), "restored"]
    nodes = [
        helper.make_node(kind, [names[i], *(("s", "z") if kind.endswith("Linear") else ())], [names[i + 1]])
        for i, kind in enumerate(chain)
    ]
    ends = [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1, 3, 8, 8]) for n in ("image", "restored")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], scale)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "q.onnx")
    return lint_model(tmp_path / "q.onnx")[0]


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_damaged_and_missing_files(suffix: str, tmp_path: Path, tiny: TinyFiles):
    whole = (tiny.tflite() if suffix == ".tflite" else tiny.onnx()).path.read_bytes()
    for content in (b"", b"no model at all", whole[: len(whole) // 2]):
        path = tmp_path / f"bad{suffix}"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=f"bad{suffix}"):
            lint_model(path)
    with pytest.raises(FileNotFoundError, match="absent"):  # the system's own word, said plainly by the command
        lint_model(tmp_path / f"absent{suffix}")


def test_another_kind_of_file(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"\.tflite and \.onnx"):
        lint_model(tmp_path / "model.pt")
