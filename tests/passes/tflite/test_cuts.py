"""Cuts of cuts, and cuts of what is transposed: the same numbers from fewer operators."""

from __future__ import annotations

import numpy as np
import pytest

from exporter.passes.tflite.cleanup import drop_dead_operators, join_reshapes
from exporter.passes.tflite.cuts import join_cuts, transpose_before_cutting
from tests.graph.tflite_net import Net
from tests.passes.tflite.test_cleanup import invoked

SHAPE = (1, 4, 6, 24)


def cut(net: Net, source: int, begin: tuple[int, ...], size: tuple[int, ...]) -> int:
    return net.op("SLICE", [source, net.const(begin, np.int32), net.const(size, np.int32)], size, "SliceOptions").at


def transposed(net: Net, source: int, perm: tuple[int, ...]) -> int:
    shape = net.graph.shape(source)
    made = tuple(shape[axis] for axis in perm)
    return net.op("TRANSPOSE", [source, net.const(perm, np.int32)], made, "TransposeOptions").at


def ended(net: Net, *parts: int) -> Net:
    """All `parts`, of one shape, added up."""
    total = parts[0]
    for part in parts[1:]:
        total = net.op("ADD", [total, part], net.graph.shape(part), "AddOptions").at
    net.graph.outputs = [total]
    return net


def same_after(net: Net, *passes) -> list[str]:
    """The operators that are left, after the numbers were compared."""
    x = np.random.default_rng(0).normal(0, 1, SHAPE).astype(np.float32)
    before = invoked(net.graph.to_bytes(), x)
    assert [rewrite(net.graph) for rewrite in passes][0]
    assert not passes[0](net.graph)
    drop_dead_operators(net.graph)
    assert np.array_equal(invoked(net.graph.to_bytes(), x), before)
    return [net.graph.kind(operator) for operator in net.graph.operators]


def test_one_head_of_the_keys_is_cut_out_at_once():
    net = Net(SHAPE)
    keys = cut(net, net.at, (0, 0, 0, 8), (1, 4, 6, 8))
    heads = net.op("RESHAPE", [keys, net.const((4, 6, 2, 4), np.int32)], (4, 6, 2, 4), "ReshapeOptions").at
    ended(net, cut(net, heads, (0, 0, 1, 0), (4, 6, 1, 4)))
    assert same_after(net, join_cuts) == ["SLICE", "RESHAPE"]
    assert net.graph.constant(net.graph.operators[0].inputs[1]).tolist() == [0, 0, 0, 12]


def test_a_part_of_a_split_is_cut_out_of_the_whole():
    net = Net(SHAPE)
    parts = [net.graph.add_tensor(f"part{n}", (1, 4, 6, 12), "FLOAT32") for n in range(2)]
    axis = net.const(3, np.int32)
    split = net.graph.new_operator("SPLIT", 1, [axis, net.at], parts, "SplitOptions")
    split.builtinOptions.numSplits = 2
    net.graph.operators.append(split)
    ended(net, cut(net, parts[1], (0, 1, 0, 3), (1, 2, 6, 5)))
    assert same_after(net, join_cuts) == ["SLICE"]


@pytest.mark.parametrize("begin", [(0, 0, 1, 1), (0, 0, 0, 1)])
def test_what_is_no_box_of_the_whole_is_cut_twice(begin):
    """Some channels of each head do not lie together."""
    net = Net(SHAPE)
    keys = cut(net, net.at, (0, 0, 0, 8), (1, 4, 6, 8))
    heads = net.op("RESHAPE", [keys, net.const((4, 6, 2, 4), np.int32)], (4, 6, 2, 4), "ReshapeOptions").at
    ended(net, cut(net, heads, begin, (4, 6, 2 - begin[2], 3)))
    assert join_cuts(net.graph) == (begin[2] == 1)


def test_parts_transposed_alike_are_cut_out_of_the_transposed_tensor():
    net = Net(SHAPE)
    source = net.op("ABS", options="AbsOptions").at
    parts = [transposed(net, cut(net, source, (0, 0, 0, 8 * n), (1, 4, 6, 8)), (0, 2, 1, 3)) for n in range(3)]
    ended(net, *parts)
    left = same_after(net, transpose_before_cutting, join_reshapes)
    assert (left.count("TRANSPOSE"), left.count("SLICE"), left.count("RESHAPE")) == (1, 3, 0)


def test_parts_that_gain_axes_on_the_way_too():
    net = Net(SHAPE)
    source = net.op("ABS", options="AbsOptions").at
    parts = []
    for n in range(2):
        part = cut(net, source, (0, 0, 0, 12 * n), (1, 4, 6, 12))
        heads = net.op("RESHAPE", [part, net.const((4, 6, 1, 12), np.int32)], (4, 6, 1, 12), "ReshapeOptions").at
        parts.append(transposed(net, heads, (1, 2, 0, 3)))
    left = same_after(ended(net, *parts), transpose_before_cutting)
    assert (left.count("TRANSPOSE"), left.count("SLICE")) == (1, 2)


def test_parts_transposed_otherwise_or_read_as_they_are_stay():
    net = Net(SHAPE)
    source = net.op("ABS", options="AbsOptions").at
    first, second = (cut(net, source, (0, 0, 0, 4 * n), (1, 4, 4, 4)) for n in range(2))
    ended(net, transposed(net, first, (0, 2, 1, 3)), transposed(net, second, (0, 1, 3, 2)))
    assert not transpose_before_cutting(net.graph)
    net = Net(SHAPE)
    source = net.op("ABS", options="AbsOptions").at
    first, second = (cut(net, source, (0, 0, 0, 4 * n), (1, 4, 4, 4)) for n in range(2))
    ended(net, transposed(net, first, (0, 2, 1, 3)), second)
    assert not transpose_before_cutting(net.graph)


def test_keys_that_lie_together_are_transposed_together():
    """Of queries, keys and values in one tensor."""
    net = Net(SHAPE)
    source = net.op("ABS", options="AbsOptions").at
    whole = [cut(net, source, (0, 0, 0, 4 * n), (1, 4, 6, 4)) for n in (0, 1, 4)]
    keys = [transposed(net, cut(net, source, (0, 0, 0, 8 + 4 * n), (1, 4, 6, 4)), (0, 3, 1, 2)) for n in range(2)]
    total = net.op("ADD", keys, (1, 4, 4, 6), "AddOptions").at
    others = ended(net, *whole).at
    net.graph.outputs = [total]
    ended(net, transposed(net, total, (0, 2, 3, 1)), others)
    left = same_after(net, transpose_before_cutting)
    assert (left.count("TRANSPOSE"), left.count("SLICE")) == (2, 6)


def test_keys_with_gaps_between_them_stay():
    net = Net(SHAPE)
    source = net.op("ABS", options="AbsOptions").at
    keys = [transposed(net, cut(net, source, (0, 0, 0, 8 * n), (1, 4, 6, 4)), (0, 3, 1, 2)) for n in range(2)]
    rest = transposed(net, cut(net, source, (0, 0, 0, 20), (1, 4, 6, 4)), (0, 3, 2, 1))
    ended(net, *keys, transposed(net, rest, (0, 1, 3, 2)))
    assert not transpose_before_cutting(net.graph)
