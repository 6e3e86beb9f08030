"""Each rewrite gives the same numbers as before, and does what it is for."""

from copy import deepcopy

import numpy as np
import pytest
from onnx import helper

from exporter.graph.onnx_editor import OnnxGraph
from exporter.passes.onnx.channels_last import strip_end_permutations
from exporter.passes.onnx.pixel_shuffle import use_depth_first
from exporter.passes.onnx.pixel_unshuffle import use_strided_convolutions
from exporter.passes.onnx.reshapes import write_out_copied_sizes
from exporter.passes.onnx.same_padding import fold_padding
from tests.graph.onnx_models import computed, kinds, model_of, normal

make = helper.make_node


def _rewritten(model, rewrite):
    graph = OnnxGraph(deepcopy(model))
    modified = rewrite(graph)
    return graph.commit(), modified


def _depth_first(model):
    graph = OnnxGraph(deepcopy(model))
    assert use_depth_first(graph) and not use_depth_first(graph)
    return graph.commit(), graph.remarks


def _shuffle_after(*middle, **constants):
    nodes = [*middle, make("DepthToSpace", ["head"], ["y"], name="shuffle", blocksize=2, mode="CRD")]
    return model_of(nodes, (1, 4, 5, 7), (1, 3, 10, 14), **constants)


CONV = {"w": normal(12, 4, 3, 3), "b": normal(12, seed=1)}
CHAINS = {
    "convolution": ([make("Conv", ["x", "w", "b"], ["head"], pads=[1, 1, 1, 1])], CONV),
    "activation": (
        [make("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]), make("Tanh", ["c"], ["head"])],
        CONV,
    ),
    "sum": (
        [
            make("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            make("Conv", ["x", "v"], ["d"]),
            make("Mul", ["d", "k"], ["e"]),
            make("Add", ["c", "e"], ["head"]),
        ],
        {**CONV, "v": normal(12, 4, 1, 1, seed=2), "k": normal(1, 12, 1, 1, seed=3)},
    ),
}


@pytest.mark.parametrize("chain", CHAINS)
def test_depth_first_by_reordering_convolutions(chain):
    nodes, constants = CHAINS[chain]
    model = _shuffle_after(*nodes, **constants)
    made, remarks = _depth_first(model)
    x = normal(1, 4, 5, 7, seed=9)
    assert np.array_equal(computed(made, x), computed(model, x))
    assert kinds(made) == kinds(model)
    assert helper.get_attribute_value(made.graph.node[-1].attribute[1]) in (b"DCR", 2)
    assert not remarks


@pytest.mark.parametrize("chain", ["convolution", "activation"])
def test_depth_first_where_sizes_are_not_known_yet(chain):
    nodes, constants = CHAINS[chain]
    model = _shuffle_after(*nodes, **constants)
    del model.graph.value_info[:]
    made, remarks = _depth_first(model)
    x = normal(1, 4, 5, 7, seed=9)
    assert np.array_equal(computed(made, x), computed(model, x))
    assert kinds(made) == kinds(model) and not remarks


def test_depth_first_where_there_is_nothing_to_reorder():
    """A shared tensor must not be reordered: a 1×1 convolution is put in, and said."""
    nodes = [
        make("Conv", ["x", "w", "b"], ["head"], pads=[1, 1, 1, 1]),
        make("DepthToSpace", ["head"], ["s"], name="shuffle", blocksize=2, mode="CRD"),
        make("ReduceMean", ["head"], ["m"], keepdims=1),
        make("Add", ["s", "m"], ["y"]),
    ]
    model = model_of(nodes, (1, 4, 5, 7), (1, 3, 10, 14), **CONV)
    made, remarks = _depth_first(model)
    x = normal(1, 4, 5, 7, seed=9)
    assert np.allclose(computed(made, x), computed(model, x), atol=1e-6)
    assert kinds(made).count("Conv") == 2
    assert len(remarks) == 1 and "shuffle" in remarks[0]


def test_a_weight_used_twice_is_reordered_for_one():
    nodes = [
        make("Conv", ["x", "w"], ["head"]),
        make("DepthToSpace", ["head"], ["s"], blocksize=2, mode="CRD"),
        make("Conv", ["x", "w"], ["other"]),
        make("ReduceMean", ["other"], ["m"], keepdims=1),
        make("Add", ["s", "m"], ["y"]),
    ]
    model = model_of(nodes, (1, 4, 5, 7), (1, 3, 10, 14), w=normal(12, 4, 1, 1))
    made, _ = _depth_first(model)
    x = normal(1, 4, 5, 7, seed=9)
    assert np.array_equal(computed(made, x), computed(model, x))


def _unshuffle(*after, target=(1, 5, 4, 6), **constants):
    nodes = [
        make("Reshape", ["x", "split"], ["rank6"]),
        make("Transpose", ["rank6"], ["moved"], perm=[0, 1, 3, 5, 2, 4]),
        make("Reshape", ["moved", "join"], ["u"]),
        *after,
    ]
    split, join = np.array([1, 3, 4, 2, 6, 2]), np.array([1, 12, 4, 6])
    return model_of(nodes, (1, 3, 8, 12), target, split=split, join=join, **constants)


@pytest.mark.parametrize(("kernel", "stride", "pads"), [(1, 1, [0] * 4), (3, 1, [1] * 4), (3, 2, [0, 0, 1, 1])])
def test_unshuffle_and_convolution_become_one(kernel, stride, pads):
    size = (1, 5, 4 // stride, 6 // stride)
    conv = make("Conv", ["u", "w", "b"], ["y"], pads=pads, strides=[stride, stride])
    model = _unshuffle(conv, target=size, w=normal(5, 12, kernel, kernel), b=normal(5))
    made, modified = _rewritten(model, use_strided_convolutions)
    x = normal(1, 3, 8, 12, seed=4)
    assert modified
    assert kinds(made) == ["Conv"]
    assert np.allclose(computed(made, x), computed(model, x), atol=1e-5)


def test_unshuffle_alone_moves_numbers_exactly():
    model = _unshuffle(make("Relu", ["u"], ["y"]), target=(1, 12, 4, 6))
    made, _ = _rewritten(model, use_strided_convolutions)
    x = normal(1, 3, 8, 12, seed=4)
    assert kinds(made) == ["Conv", "Relu"]
    assert np.array_equal(computed(made, x), computed(model, x))


@pytest.mark.parametrize("end", ["Conv", "Relu"])
def test_unshuffle_of_unknown_size_is_written_otherwise(end):
    """After a padding PyTorch does not know the size: an axis of one, two Reshapes, sizes copied as 0."""
    nodes = [
        make("Unsqueeze", ["x", "three"], ["rank5"]),
        make("Reshape", ["rank5", "rows"], ["cut"]),
        make("Reshape", ["cut", "columns"], ["rank6"]),
        make("Transpose", ["rank6"], ["moved"], perm=[0, 1, 3, 5, 2, 4]),
        make("Reshape", ["moved", "join"], ["channels"]),
        make("Squeeze", ["channels", "two"], ["u"]),
        make("Conv", ["u", "w"], ["y"], pads=[1] * 4) if end == "Conv" else make("Relu", ["u"], ["y"]),
    ]
    shapes = {"three": [3], "two": [2, 3], "rows": [0, 0, -1, 2, 0], "columns": [0, 0, 0, 0, -1, 2]}
    shapes |= {"join": [0, -1, 1, 1, 0, 0]}
    constants = {name: np.array(shape) for name, shape in shapes.items()} | {"w": normal(12, 12, 3, 3)}
    model = model_of(nodes, (1, 3, 8, 12), (1, 12, 4, 6), **constants)
    made, modified = _rewritten(model, use_strided_convolutions)
    x = normal(1, 3, 8, 12, seed=4)
    assert modified
    assert kinds(made) == (["Conv"] if end == "Conv" else ["Conv", "Relu"])
    assert np.allclose(computed(made, x), computed(model, x), atol=1e-5)


def test_sizes_copied_between_two_reshapes_are_written_out():
    """onnxsim joins the pair and lets the second one's zeros copy from the first one's input."""
    import onnx
    import onnxsim

    nodes = [make("Reshape", ["x", "first"], ["cut"]), make("Reshape", ["cut", "second"], ["y"])]
    shapes = {"first": np.array([0, 0, -1, 2, 12]), "second": np.array([0, 0, 0, 0, -1, 2])}
    model = model_of(nodes, (1, 3, 8, 12), (1, 3, 4, 2, 6, 2), **shapes)
    made, modified = _rewritten(model, write_out_copied_sizes)
    x = normal(1, 3, 8, 12, seed=4)
    assert modified
    assert np.array_equal(computed(made, x), computed(model, x))
    joined, _ = onnxsim.simplify(deepcopy(made), check_n=0)
    assert kinds(joined) == ["Reshape"]
    assert np.array_equal(computed(onnx.shape_inference.infer_shapes(joined), x), computed(model, x))


def _padded(mode="constant", value=0.0, amounts=(0, 0, 0, 0, 0, 0, 1, 1)):
    nodes = [
        make("Pad", ["x", "p", "v"], ["q"], mode=mode),
        make("Conv", ["q", "w"], ["y"], strides=[2, 2]),
    ]
    return model_of(nodes, (1, 3, 8, 12), (1, 5, 4, 6), p=np.array(amounts), v=np.float32(value), w=normal(5, 3, 3, 3))


def test_zero_padding_goes_into_the_convolution():
    model = _padded()
    made, modified = _rewritten(model, fold_padding)
    x = normal(1, 3, 8, 12, seed=4)
    assert modified
    assert kinds(made) == ["Conv"]
    assert np.array_equal(computed(made, x), computed(model, x))


@pytest.mark.parametrize("options", [{"mode": "reflect"}, {"mode": "edge"}, {"value": 0.5}])
def test_other_padding_stays(options):
    _, modified = _rewritten(_padded(**options), fold_padding)
    assert not modified


def test_computed_constants_are_folded():
    """Tracing writes padding amounts as a chain of operators on constants."""
    nodes = [
        make("Concat", ["none", "some"], ["p"], axis=0),
        make("Pad", ["x", "p"], ["q"]),
        make("Conv", ["q", "w"], ["y"], strides=[2, 2]),
    ]
    none, some = np.zeros(6, np.int64), np.ones(2, np.int64)
    model = model_of(nodes, (1, 3, 8, 12), (1, 5, 4, 6), none=none, some=some, w=normal(5, 3, 3, 3))
    made, modified = _rewritten(model, fold_padding)
    assert modified
    assert kinds(made) == ["Conv"]


def test_end_permutations_come_off():
    nodes = [
        make("Transpose", ["x"], ["a"], perm=[0, 3, 1, 2]),
        make("Conv", ["a", "w"], ["b"]),
        make("Transpose", ["b"], ["y"], perm=[0, 2, 3, 1]),
    ]
    model = model_of(nodes, (1, 4, 6, 3), (1, 4, 6, 3), w=normal(3, 3, 1, 1))
    made, _ = _rewritten(model, strip_end_permutations)
    x = normal(1, 4, 6, 3, seed=4)
    inside = computed(made, np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    assert np.array_equal(inside.transpose(0, 2, 3, 1), computed(model, x))


def test_another_permutation_is_refused():
    nodes = [
        make("Transpose", ["x"], ["a"], perm=[0, 3, 2, 1]),
        make("Transpose", ["a"], ["y"], perm=[0, 2, 3, 1]),
    ]
    with pytest.raises(ValueError, match="both ends"):
        strip_end_permutations(OnnxGraph(model_of(nodes, (1, 4, 6, 3), (1, 6, 4, 3))))
