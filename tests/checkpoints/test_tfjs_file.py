"""A small TensorFlow.js folder written from a graph that TensorFlow itself made, and what can be wrong with one."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from exporter.checkpoints.read import load_state
from exporter.checkpoints.tfjs_file import read_graph_model
from exporter.errors import CheckpointError

RNG = np.random.default_rng(0)
SHAPES = {
    "net/body/conv/transpose_3": (3, 3, 3, 4),
    "net/body/conv/Reshape": (1, 1, 1, 4),
    "net/body/LayerNorm/Reshape_2": (1, 1, 1, 4),
    "net/body/LayerNorm/Reshape_3": (1, 1, 1, 4),
    "arg_7/ReadVariableOp": (4, 5),
    "net/up/transpose_4": (2, 2, 6, 5),
    "net/thin/transpose_3": (1, 1, 6, 3),
}
ARRAYS = {name: RNG.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
PICTURE = RNG.random((1, 6, 8, 3)).astype(np.float32)


def graph_and_result():
    """The graph as TensorFlow writes it, constants named as a converter names them, and what it computes."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        raw = tf.compat.v1.get_default_graph()
        a = {name: raw.get_tensor_by_name(f"{tf.constant(v, name=name).op.name}:0") for name, v in ARRAYS.items()}
        ten = tf.raw_ops
        x = tf.compat.v1.placeholder(tf.float32, [1, None, None, 3], "picture")
        y = ten.Conv2D(
            input=x, filter=a["net/body/conv/transpose_3"], strides=[1] * 4, padding="SAME", name="net/body/conv/Conv2D"
        )
        y = ten.AddV2(x=y, y=a["net/body/conv/Reshape"], name="net/body/conv/jit_fn_/AddV2")
        y = ten.Mul(x=y, y=a["net/body/LayerNorm/Reshape_2"], name="net/body/LayerNorm/jit_fn_/Mul_1")
        y = ten.AddV2(x=y, y=a["net/body/LayerNorm/Reshape_3"], name="net/body/LayerNorm/jit_fn_/AddV2_1")
        dense = [y, a["arg_7/ReadVariableOp"]]
        y = ten.Einsum(inputs=dense, equation="abcg,gf->abcf", name="net/body/in_project/einsum/Einsum")
        y = ten.Conv2DBackpropInput(
            input_sizes=[1, 12, 16, 6], filter=a["net/up/transpose_4"], out_backprop=y, strides=[1, 2, 2, 1],
            padding="VALID", name="net/up/conv2d_transpose",
        )  # fmt: skip
        y = ten.Conv2D(
            input=y, filter=a["net/thin/transpose_3"], strides=[1] * 4, padding="VALID", name="net/thin/Conv2D"
        )
        y = ten.Mul(x=y, y=tf.constant(0.2, name="net/slope"), name="net/scaled")
        with tf.compat.v1.Session(graph=graph) as session:
            return graph.as_graph_def(), session.run(y, {x: PICTURE})


@pytest.fixture(scope="module")
def graph():
    return graph_and_result()


@pytest.fixture
def folder(graph, tmp_path):
    from google.protobuf import json_format

    arrays = ARRAYS | {"net/slope": np.float32(0.2)}
    content = b"".join(array.tobytes() for array in arrays.values())
    for i, part in enumerate((content[:101], content[101:])):  # a border in the middle of a number
        (tmp_path / f"group1-shard{i + 1}of2.bin").write_bytes(part)
    entries = [{"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in arrays.items()]
    paths = ["group1-shard1of2.bin", "group1-shard2of2.bin"]
    topology = json_format.MessageToDict(graph[0])
    model = {"modelTopology": topology, "weightsManifest": [{"paths": paths, "weights": entries}]}
    (tmp_path / "model.json").write_text(json.dumps(model))
    return tmp_path


def test_layers_in_torch_compute_what_tensorflow_computes(folder, graph):
    w = load_state(folder / "model.json")
    assert sorted(w) == [
        "body.LayerNorm.bias",
        "body.LayerNorm.weight",
        "body.conv.bias",
        "body.conv.weight",
        "body.in_project.weight",
        "thin.weight",
        "up.weight",
    ]
    y = F.conv2d(torch.from_numpy(PICTURE).permute(0, 3, 1, 2), w["body.conv.weight"], w["body.conv.bias"], padding=1)
    y = y.permute(0, 2, 3, 1) * w["body.LayerNorm.weight"] + w["body.LayerNorm.bias"]
    y = F.linear(y, w["body.in_project.weight"]).permute(0, 3, 1, 2)
    y = F.conv_transpose2d(y, w["up.weight"], stride=2).permute(0, 2, 3, 1)
    y = F.linear(y, w["thin.weight"]) * 0.2
    assert np.abs(y.numpy() - graph[1]).max() < 1e-5 * np.abs(graph[1]).max()


def test_the_folder_will_do_and_the_graph_is_there(folder):
    assert sorted(load_state(folder)) == sorted(load_state(folder / "model.json"))
    model = read_graph_model(folder)
    assert model.nodes["net/up/conv2d_transpose"]["op"] == "Conv2DBackpropInput"
    assert np.array_equal(model.arrays["net/up/transpose_4"], ARRAYS["net/up/transpose_4"])


def edit(folder, change):
    path = folder / "model.json"
    model = json.loads(path.read_text())
    change(model, model["weightsManifest"][0]["weights"][0])
    path.write_text(json.dumps(model))


def rename_operators(model, _):
    for node in model["modelTopology"]["node"]:
        node["op"] = "Sub" if node["op"] == "Conv2D" else node["op"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "group1-shard2of2.bin").unlink(), r"group1-shard2of2.bin is missing; model.json names it"),
        (lambda f: (f / "group1-shard2of2.bin").write_bytes(b"12345"), r"2 shards hold 106 bytes, \d+ too few"),
        (lambda f: (f / "group1-shard2of2.bin").open("ab").write(b"123"), "3 too many for model.json"),
        (lambda f: (f / "model.json").write_text('{"modelTopology": {"no'), "is no TensorFlow.js graph model: Unterm"),
        (lambda f: (f / "model.json").write_text("[1, 2]"), "is no TensorFlow.js graph model"),
        (lambda f: edit(f, lambda m, w: m.pop("weightsManifest")), "it has no 'weightsManifest'"),
        (lambda f: edit(f, lambda m, w: m["modelTopology"].pop("node")), "it has no 'node'"),
        (lambda f: edit(f, lambda m, w: w.update(dtype="float16")), "transpose_3 is stored as float16"),
        (lambda f: edit(f, lambda m, w: w.update(quantization={"dtype": "uint8"})), "is stored as uint8"),
        (lambda f: edit(f, rename_operators), "no layer known here reads net/body/conv/transpose_3"),
    ],
)
def test_damaged_folders_are_one_sentence(folder, damage, says):
    damage(folder)
    with pytest.raises(CheckpointError, match=says):
        load_state(folder / "model.json")


def test_a_keras_layers_model_is_no_graph(tmp_path):
    (tmp_path / "model.json").write_text(json.dumps({"modelTopology": {"model_config": {}}, "weightsManifest": []}))
    with pytest.raises(CheckpointError, match=r"is no TensorFlow.js graph model: it has no 'node'"):
        load_state(tmp_path)
