"""Files of every kind we open, with bytes flipped, cut off, grown: each loads or is refused in a sentence."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import helper
from safetensors.torch import save as safetensors_bytes

from exporter.checkpoints.read import load_state
from exporter.errors import ExportError
from exporter.generators.description import read_description
from exporter.generators.network_file import read_network
from exporter.generators.recognition import recognise
from exporter.graph.read import read_graph
from tests.checkpoints.test_hostile_checkpoints import write_tfjs
from tests.graph.onnx_models import model_of, normal
from tests.graph.tflite_files import N, T, write_tflite

MANY = settings(
    max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SOME = settings(MANY, max_examples=50)
STATE = {"a.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "a.bias": torch.zeros(2), "n": torch.tensor(1)}
NETWORK = {"arch": "srcnn", "kwargs": {}, "range": [0.0, 1.0], "multiple": 1, "channels_changed": False}
CHAIN = ["Input in 0 1 a", "Split s 1 2 a b c", "Convolution c 1 1 b d 0=4 1=3 5=1 6=108", "PReLU p 1 1 d e 0=4"]
CHAIN += ["Convolution d 1 1 e f 0=48 1=3 5=1 6=1728", "PixelShuffle q 1 1 f g 0=4", "Interp i 1 1 c h 0=1 1=4"]
PARAM = "\n".join(["7767517", "8 9", *CHAIN, "BinaryOp b 2 1 g h y"]) + "\n"
BIN = bytes(4 + 4 * (108 + 4) + 4 * 4 + 4 + 4 * (1728 + 48))

# A change: where, as a share of the file; what is done there; with which bytes.
NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF]
pieces = st.binary(min_size=1, max_size=9) | st.sampled_from(NUMBERS).map(
    lambda n: n.to_bytes(8, "little")[: 4 + 4 * (n > 2**32)]
)
pieces |= st.sampled_from([b"9", b"99999999999", b"-1", b"[", b"{", b'"', b"null", b"1e9", b"F64", b"\x85" * 300])
changes = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["flip", "write", "insert", "drop", "cut"]), pieces),
    min_size=1,
    max_size=4,
)


def mutated(content: bytes, steps: list[tuple[float, str, bytes]]) -> bytes:
    changed = bytearray(content)
    for share, what, piece in steps:
        at = int(share * len(changed))
        if what == "flip" and at < len(changed):
            changed[at] ^= piece[0] or 1
        elif what == "write":
            changed[at : at + len(piece)] = piece
        elif what == "insert":
            changed[at:at] = piece
        elif what == "drop":
            del changed[at : at + len(piece)]
        elif what == "cut":
            del changed[at:]
    return bytes(changed)


def loads_or_says_why(read: Callable[[Path], Any], path: Path) -> None:
    try:
        read(path)
    except ExportError as error:
        assert error.exit_code == 2, error
        said = str(error)
        assert said.strip() and len(said) < 2000
        said.encode()


def torch_bytes(zipped: bool) -> bytes:
    target = io.BytesIO()
    torch.save({"state_dict": STATE, "epoch": 3}, target, _use_new_zipfile_serialization=zipped)
    return target.getvalue()


def h5_bytes() -> bytes:
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file["a/weight"] = np.zeros((2, 3), np.float32)
    return target.getvalue()


def numpy_bytes() -> bytes:
    written = io.BytesIO()
    np.savez(written, **{key: value.numpy() for key, value in STATE.items()})
    return written.getvalue()


def torchscript_bytes() -> bytes:
    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 1))), written)
    return written.getvalue()


CHECKPOINTS = {
    "zip.pth": torch_bytes(zipped=True),
    "legacy.pth": torch_bytes(zipped=False),
    "keras.h5": h5_bytes(),
    "plain.safetensors": safetensors_bytes(STATE),
    "ours.safetensors": safetensors_bytes(STATE, {"network": json.dumps(NETWORK)}),
    "arrays.npz": numpy_bytes(),
    "script.pt": torchscript_bytes(),
    "w.safetensors.index.json": b'{"metadata": {}, "weight_map": {"a": "gone.safetensors"}}',
}
QUICK = ("legacy.pth", "plain.safetensors", "w.safetensors.index.json")


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CHECKPOINTS]
)
@given(changes)
@MANY
def test_checkpoints(tmp_path: Path, name: str, steps: list[tuple[float, str, bytes]]) -> None:
    path = tmp_path / name
    path.write_bytes(mutated(CHECKPOINTS[name], steps))
    loads_or_says_why(load_state, path)
    if path.suffix == ".safetensors":
        loads_or_says_why(read_description, path)
        loads_or_says_why(read_network, path)


@given(changes)
@MANY
def test_the_pickle_within_an_intact_zip(tmp_path: Path, steps: list[tuple[float, str, bytes]]) -> None:
    import zipfile

    path = tmp_path / "w.pth"
    with zipfile.ZipFile(io.BytesIO(CHECKPOINTS["zip.pth"])) as good, zipfile.ZipFile(path, "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            bad.writestr(name, mutated(content, steps) if name.endswith("data.pkl") else content)
    loads_or_says_why(load_state, path)


@given(st.sampled_from(["shapes", "dtype", "data_offsets", "header"]), changes)
@MANY
def test_the_header_of_safetensors(tmp_path: Path, place: str, steps: list[tuple[float, str, bytes]]) -> None:
    """The length before the header is right, so that its reader gets as far as the JSON."""
    content = CHECKPOINTS["ours.safetensors"]
    size = int.from_bytes(content[:8], "little")
    header = mutated(content[8 : 8 + size], steps)
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + size :])
    loads_or_says_why(load_state, path)
    loads_or_says_why(read_network, path)


@given(st.sampled_from(["model.json", "shard.bin"]), changes)
@MANY
def test_tensorflow_js(tmp_path: Path, part: str, steps: list[tuple[float, str, bytes]]) -> None:
    path = write_tfjs(tmp_path / "model", ["shard.bin"])
    nodes = [{"name": "w", "op": "Const"}, {"name": "a/b/c", "op": "AddV2", "input": ["x", "w"]}]
    said = json.loads(path.read_text()) | {"modelTopology": {"node": nodes}}
    path.write_text(json.dumps(said))
    changed = path.parent / part
    changed.write_bytes(mutated(changed.read_bytes(), steps))
    loads_or_says_why(load_state, path)


@given(st.booleans(), changes)
@MANY
def test_ncnn(tmp_path: Path, in_graph: bool, steps: list[tuple[float, str, bytes]]) -> None:
    (tmp_path / "n.param").write_bytes(mutated(PARAM.encode(), steps if in_graph else []))
    (tmp_path / "n.bin").write_bytes(mutated(BIN, [] if in_graph else steps))
    loads_or_says_why(load_state, tmp_path / "n.bin")


def test_the_files_are_good_before_they_are_changed(tmp_path: Path) -> None:
    for name in ("zip.pth", "legacy.pth", "plain.safetensors"):
        (tmp_path / name).write_bytes(CHECKPOINTS[name])
        assert load_state(tmp_path / name).keys() == STATE.keys()
    for name in ("arrays.npz", "script.pt"):
        (tmp_path / name).write_bytes(CHECKPOINTS[name])
        assert load_state(tmp_path / name)
    (tmp_path / "n.param").write_text(PARAM)
    (tmp_path / "n.bin").write_bytes(BIN)
    assert len(load_state(tmp_path / "n.bin")) == 5


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("graphs")
    conv = helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1])
    model = model_of([conv, helper.make_node("Relu", ["c"], ["y"])], (1, 3, 8, 8), (1, 3, 8, 8), w=normal(3, 3, 3, 3))
    onnx.save(model, str(folder / "g.onnx"))
    tensors = [T("in"), T("w", (3, 1, 1, 3), stored=True), T("b", (3,), stored=True), T("out")]
    write_tflite(folder / "g.tflite", tensors, [N("CONV_2D", ("in", "w", "b"), ("out",), "Conv2DOptions")])
    for name in ("g.onnx", "g.tflite"):
        assert read_graph(folder / name).nodes
    return {name: (folder / name).read_bytes() for name in ("g.onnx", "g.tflite")}


@pytest.mark.parametrize("name", ["g.onnx", pytest.param("g.tflite", marks=pytest.mark.slow)])
@given(changes)
@MANY
def test_graphs(tmp_path: Path, graphs: dict[str, bytes], name: str, steps: list[tuple[float, str, bytes]]) -> None:
    (tmp_path / name).write_bytes(mutated(graphs[name], steps))
    loads_or_says_why(read_graph, tmp_path / name)


keys: st.SearchStrategy[Any] = (
    st.sampled_from(
        [*STATE, "model", "state_dict", "params_ema", "module.a", "layer1.0.weight", "body.999999999.w", ""]
    )
    | st.text(max_size=8)
    | st.integers()
    | st.none()
    | st.tuples(st.text(max_size=2), st.integers())
)
dtypes = st.sampled_from([torch.float32, torch.float16, torch.int64, torch.bool, torch.complex64, torch.bfloat16])
shapes = st.lists(st.integers(0, 4), max_size=5)
tensors = st.builds(lambda shape, dtype: torch.zeros(shape, dtype=dtype), shapes, dtypes)
wide = st.sampled_from([10**6, 10**12, 2**40]).map(lambda n: torch.zeros(1).expand(n))
leaves = tensors | wide | st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.booleans()
trees: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.dictionaries(keys, inner, max_size=4) | st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=10,
)


@given(trees)
@MANY
def test_trees_of_state_dicts(tmp_path: Path, tree: Any) -> None:
    torch.save(tree, tmp_path / "w.pth")
    loads_or_says_why(load_state, tmp_path / "w.pth")


OFFICIAL = [
    "body.0.weight",
    "body.0.0.weight",
    "conv1.weight",
    "intro.weight",
    "patch_embed.proj.weight",
    "head.0.weight",
]
OFFICIAL += ["encoders.0.0.norm1.weight", "layers.0.residual_group.blocks.0.attn.qkv.weight", "conv_first.weight"]


@given(st.dictionaries(st.sampled_from(OFFICIAL) | st.text(min_size=1, max_size=6), tensors, min_size=1, max_size=5))
@SOME
def test_state_dicts_that_look_like_networks(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    loads_or_says_why(lambda path: recognise(state, path), tmp_path / "w.pth")
