import numpy as np
import onnx
import pytest

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.errors import StageError
from exporter.stages import simplify_onnx
from exporter.stages.self_check import lopsided_image, run_onnx
from exporter.stages.simplify_onnx import SimplifyOnnx, simplified_ahead
from tests.stages.chain import run


def _with_batch_norm(folder, reshaped=False):
    """Transpose → Conv → BatchNormalization → Transpose, as an exporter without folding writes it.

    `reshaped` puts reshapes around the norm, as PyTorch does for an InstanceNorm2d that uses stored statistics.
    """
    rng = np.random.default_rng(0)
    numbers = {
        "w": rng.normal(0, 0.3, (3, 3, 3, 3)),
        "scale": rng.uniform(0.5, 1, 3),
        "shift": rng.uniform(0, 1, 3),
        "mean": rng.normal(0, 0.1, 3),
        "variance": rng.uniform(0.5, 2, 3),
    }
    make = onnx.helper.make_node
    nodes = [
        make("Transpose", ["input"], ["x"], perm=[0, 3, 1, 2]),
        make("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1]),
        make("BatchNormalization", ["y", "scale", "shift", "mean", "variance"], ["z"]),
        make("Transpose", ["z"], ["output"], perm=[0, 2, 3, 1]),
    ]
    if reshaped:
        nodes[2].input[0], nodes[2].output[0] = "flat", "normed"
        numbers["shape"] = np.array([1, 3, 16, 24])
        nodes[2:3] = [make("Reshape", ["y", "shape"], ["flat"]), nodes[2], make("Reshape", ["normed", "shape"], ["z"])]
    ends = [onnx.helper.make_tensor_value_info(name, 1, [1, 16, 24, 3]) for name in ("input", "output")]
    stored = [
        onnx.numpy_helper.from_array(value.astype(np.int64 if name == "shape" else np.float32), name)
        for name, value in numbers.items()
    ]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], stored),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
    )
    model.ir_version = 8
    path = folder / "source.onnx"
    onnx.save(model, path)
    spec = TensorSpec.image(16, 24, "NHWC")
    return Artifact(Format.ONNX, path, spec, spec, sha256_of(path))


@pytest.mark.parametrize("fold", [True, False])
def test_batch_norm_is_folded_when_asked(tmp_path, fold):
    source = _with_batch_norm(tmp_path)
    made = run(SimplifyOnnx(fold_batch_norm=fold), source, tmp_path / "out")
    kinds = [node.op_type for node in onnx.load(made.path).graph.node]
    assert ("BatchNormalization" in kinds) is not fold
    image = lopsided_image(16, 24)
    assert np.abs(run_onnx(made.path, image) - run_onnx(source.path, image)).max() < 1e-5


def test_a_batch_norm_between_reshapes_is_folded(tmp_path):
    source = _with_batch_norm(tmp_path, reshaped=True)
    made = run(SimplifyOnnx(), source, tmp_path / "out")
    assert {node.op_type for node in onnx.load(made.path).graph.node} == {"Transpose", "Conv"}


def test_what_was_simplified_ahead_is_taken_once_and_is_the_same(tmp_path, monkeypatch):
    source = _with_batch_norm(tmp_path)
    afresh = run(SimplifyOnnx(), source, tmp_path / "afresh")
    done = []
    original = simplify_onnx.simplified
    monkeypatch.setattr(simplify_onnx, "simplified", lambda *args: done.append(args) or original(*args))
    simplified_ahead(onnx.load(source.path))
    unfolded = run(SimplifyOnnx(fold_batch_norm=False), source, tmp_path / "unfolded")
    assert len(done) == 2
    taken = run(SimplifyOnnx(), source, tmp_path / "taken")
    assert len(done) == 2
    assert taken.sha256 == afresh.sha256 != unfolded.sha256
    run(SimplifyOnnx(), source, tmp_path / "again")
    assert len(done) == 3


def test_what_was_simplified_ahead_is_not_taken_for_another_file(tmp_path):
    source = _with_batch_norm(tmp_path)
    other = onnx.load(source.path)
    other.graph.initializer[0].raw_data = bytes(len(other.graph.initializer[0].raw_data))
    simplified_ahead(other)
    image = lopsided_image(16, 24)
    made = run(SimplifyOnnx(), source, tmp_path / "out")
    assert np.abs(run_onnx(made.path, image) - run_onnx(source.path, image)).max() < 1e-5


def test_a_damaged_file_is_one_sentence(tmp_path):
    source = _with_batch_norm(tmp_path)
    source.path.write_bytes(source.path.read_bytes()[:200])
    with pytest.raises(StageError, match="onnxsim could not simplify source.onnx"):
        run(SimplifyOnnx(), source, tmp_path / "out")


def test_a_long_graph_is_simplified_elsewhere_to_the_same_file(tmp_path, monkeypatch):
    source = _with_batch_norm(tmp_path, reshaped=True)
    here = run(SimplifyOnnx(), source, tmp_path / "here")
    monkeypatch.setattr(simplify_onnx, "MOST_NODES_HERE", 0)
    elsewhere = run(SimplifyOnnx(), source, tmp_path / "elsewhere")
    assert elsewhere.path.read_bytes() == here.path.read_bytes()
