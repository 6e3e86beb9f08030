"""What the translation refuses, in words, and how it holds tensors."""

import numpy as np
import pytest
from onnx import helper

from exporter.convert.builder import NHWC, Translation, Untranslatable, integers, one_axis
from exporter.convert.translate import translate
from exporter.graph.onnx_editor import OnnxGraph
from tests.graph.onnx_models import model_of, normal

make = helper.make_node
SIZE = (1, 4, 8, 12)
RELU = make("Relu", ["x"], ["r"], name="first")
ADD = make("Add", ["r", "w"], ["y"], name="second")


@pytest.fixture
def work() -> Translation:
    """Of `x` → Relu → Add a constant; `x` is held as a picture."""
    work = Translation(OnnxGraph(model_of([RELU, ADD], SIZE, SIZE, w=normal(4, 1, 1))))
    work.forms["x"] = {NHWC: work.target.add_tensor("input", (1, 8, 12, 4), "FLOAT32")}
    return work


def refused(call, *arguments, **options) -> Untranslatable:
    with pytest.raises(Untranslatable) as caught:
        call(*arguments, **options)
    assert str(caught.value) == caught.value.why
    return caught.value


def kinds(work):
    return [work.target.kind(operator) for operator in work.target.operators]


def test_an_operator_nobody_knows_is_named():
    model = model_of(
        [make("Det", ["x"], ["d"], name="odd"), make("Add", ["x", "d"], ["y"])], (1, 3, 4, 4), (1, 3, 4, 4)
    )
    found = refused(translate, model)
    assert (found.op, found.node) == ("Det", "odd")
    assert found.why == "TFLite has no counterpart that this project knows"


@pytest.mark.parametrize("domain", ["com.example", "ai.onnx.ml"])
def test_an_operator_of_another_domain_is_not_taken_for_ours(domain):
    model = model_of([make("Relu", ["x"], ["y"], name="named_alike")], SIZE, SIZE)
    model.graph.node[0].domain = domain
    model.opset_import.append(helper.make_opsetid(domain, 1))
    assert refused(translate, model).node == "named_alike"


def test_the_long_name_of_the_standard_domain():
    model = model_of([make("Relu", ["x"], ["y"])], SIZE, SIZE)
    model.graph.node[0].domain = "ai.onnx"
    model.opset_import.append(helper.make_opsetid("ai.onnx", model.opset_import[0].version))
    graph = translate(model)
    assert [graph.kind(operator) for operator in graph.operators] == ["RELU"]


def test_shapes(work):
    assert work.sizes(RELU, "x") == SIZE
    assert work.shape(RELU, "x") == (1, 8, 12, 4)
    assert refused(work.sizes, RELU, "nothing").why == "the shape of its tensor nothing is not known"
    assert refused(work.shape, RELU, "nothing").why == "its tensor nothing has shape None, not four known sizes"


def test_a_shape_of_another_rank_is_no_picture():
    work = Translation(OnnxGraph(model_of([make("Relu", ["x"], ["y"])], (3, 4), (3, 4))))
    assert refused(work.shape, RELU, "x").why == "its tensor x has shape (3, 4), not four known sizes"
    assert work.sizes(RELU, "x") == (3, 4)


def test_an_input_is_transposed_once_for_each_order(work):
    assert work.order(RELU) == NHWC
    assert work.picture(RELU) == work.held(RELU, 0, NHWC) == work.forms["x"][NHWC]
    planes = work.held(RELU, 0, (0, 1, 2, 3))
    assert work.held(RELU, 0, (0, 1, 2, 3)) == planes and kinds(work) == ["TRANSPOSE"]
    assert work.target.shape(planes) == SIZE
    assert work.target.constant(work.target.operators[0].inputs[1]).tolist() == [0, 3, 1, 2]
    assert refused(work.order, ADD).why == "its input r is not a picture"


def test_constants(work):
    assert np.array_equal(work.constant(ADD, 1), normal(4, 1, 1))
    assert refused(work.constant, ADD, 0).why == "its input r is computed, not constant"
    assert refused(work.constant, ADD, 2).why == "input 2 is missing"
    empty = make("Clip", ["x", "", "w"], ["y"])
    assert refused(work.constant, empty, 1).why == "input 1 is missing"
    default = np.float32(7)
    assert work.constant(empty, 1, default) is default and work.constant(ADD, 2, default) is default


def test_a_constant_operand_lies_as_the_picture_does(work):
    stored = work.operand(ADD, 1)
    assert work.target.shape(stored) == (1, 1, 1, 4)
    assert np.array_equal(work.target.constant(stored).reshape(-1), normal(4, 1, 1).reshape(-1))
    rows = work.operand(ADD, 1, (0, 1, 2, 3))
    assert work.target.shape(rows) == (1, 4, 1, 1)
    work.source.constants["w"] = np.array([[2.0]], np.float64)
    one = work.operand(ADD, 1)
    assert work.target.shape(one) == () and work.target.dtype(one) == "FLOAT32"
    work.source.constants["w"] = normal(2, 1, 4, 1, 1)
    assert refused(work.operand, ADD, 1).why == "its constant w has rank 5"


def test_a_result_is_held_in_the_order_it_was_made_in(work):
    made = work.result(RELU)
    assert work.target.shape(made) == (1, 8, 12, 4) and work.forms["r"] == {NHWC: made}
    assert work.target.name(made) == "r" and work.target.dtype(made) == "FLOAT32"
    assert refused(work.result, RELU, 0, (0, 1, 2)).why == "its tensor r has shape (1, 4, 8, 12), not 3 known sizes"


def test_the_second_output():
    model = model_of([make("Split", ["x"], ["y", "z"], axis=1, num_outputs=2)], SIZE, (1, 2, 8, 12))
    work, split = Translation(OnnxGraph(model)), model.graph.node[0]
    assert work.target.name(work.result(split, 1)) == "z" and set(work.forms) == {"z"}


def test_an_operator_and_its_options(work):
    made = work.between(RELU, "half", (1, 8, 12, 2))
    assert work.target.name(made) == "r_half" and work.target.shape(made) == (1, 8, 12, 2)
    work.emit("SPLIT", [0], [made], "SplitOptions", version=3, numSplits=2)
    operator = work.target.operators[0]
    assert work.target.version(operator) == 3 and operator.builtinOptions.numSplits == 2
    assert (operator.inputs, operator.outputs) == ([0], [made])
    work.emit("RELU", [made], [0])
    assert work.target.version(work.target.operators[1]) == 1 and work.target.operators[1].builtinOptions is None


def test_a_reshape_that_changes_nothing_is_not_written(work):
    index = work.forms["x"][NHWC]
    assert work.reshaped(index, (1, 8, 12, 4)) == index and kinds(work) == []
    flat = work.reshaped(index, (96, 4))
    assert work.target.name(flat) == "input_96x4" and work.target.shape(flat) == (96, 4)
    operator = work.target.operators[0]
    assert operator.builtinOptions.newShape == [96, 4]
    assert work.target.constant(operator.inputs[1]).tolist() == [96, 4]
    assert work.target.dtype(operator.inputs[1]) == "INT32"
    given = work.between(RELU, "given", (1, 8, 12, 4))
    assert work.reshaped(index, (1, 8, 12, 4), given) == given, "asked for, it is written"


@pytest.mark.parametrize(
    ("shape", "perm", "written"),
    [
        ((1, 1, 5, 1), (0, 2, 1, 3), ["RESHAPE"]),  # only sizes of 1 move
        ((1, 3, 5, 2), (0, 1, 2, 3), []),
        ((2, 3, 5, 2), (0, 2, 1, 3), ["TRANSPOSE"]),
        ((2, 3, 4, 5, 2), (2, 3, 4, 0, 1), ["RESHAPE", "TRANSPOSE", "RESHAPE"]),
        ((2, 3, 4, 5, 2), (4, 3, 2, 0, 1), ["RESHAPE", "TRANSPOSE", "RESHAPE"]),  # four runs move at once
        ((2, 3, 4, 5, 2), (4, 3, 2, 1, 0), None),
        ((2, 2, 3, 2, 2, 3), (0, 5, 4, 3, 2, 1), None),  # the first is where it belongs
        ((2, 1, 3, 4, 2, 3), (4, 0, 2, 5, 1, 3), None),
        ((2, 2, 2, 3, 2, 2), (5, 3, 1, 4, 2, 0), None),
    ],
)
def test_any_order_by_transpositions_of_rank_4_at_most(work, shape, perm, written):
    from tests.passes.tflite.test_cleanup import invoked

    index = work.target.add_tensor("many", shape, "FLOAT32")
    made = work.transposed(index, perm)
    if written is not None:
        assert kinds(work) == written
    for operator in work.target.operators:
        if work.target.kind(operator) == "TRANSPOSE":
            assert all(len(work.target.shape(each)) <= 4 for each in (*operator.inputs[:1], *operator.outputs))
    if made == index:
        return
    values = normal(*shape)
    work.target.inputs, work.target.outputs = [index], [made]
    assert np.array_equal(invoked(work.target.to_bytes(), values), values.transpose(perm))


def test_a_tensor_of_lower_rank_is_widened_from_the_front():
    model = model_of([make("Add", ["x", "x"], ["y"])], (5, 6), (5, 6))
    work, add = Translation(OnnxGraph(model)), model.graph.node[0]
    work.forms["x"] = {(0, 1): work.target.add_tensor("input", (5, 6), "FLOAT32")}
    assert work.target.shape(work.operand(add, 0)) == (1, 5, 6, 1)
    assert work.target.shape(work.operand(add, 0, (0, 1, 2, 3))) == (1, 1, 5, 6)
    assert work.operand(add, 0, (0, 1)) == work.forms["x"][0, 1]


def test_a_tensor_of_one_rank_less_is_widened_by_one_axis():
    model = model_of([make("Add", ["x", "x"], ["y"])], (4, 5, 6), (4, 5, 6))
    work, add = Translation(OnnxGraph(model)), model.graph.node[0]
    work.forms["x"] = {(0, 1, 2): work.target.add_tensor("input", (4, 5, 6), "FLOAT32")}
    assert work.target.shape(work.operand(add, 0, (0, 1, 2, 3))) == (1, 4, 5, 6)
    assert work.target.shape(work.operand(add, 0, (0, 2, 3, 1))) == (1, 5, 6, 4)


def test_numbers_of_a_node():
    node = make("Conv", ["x", "w"], ["y"], strides=[2, 3])
    assert integers(node, "strides", [1, 1]) == [2, 3] and integers(node, "dilations", [1, 1]) == [1, 1]
    assert [one_axis(node, axis, 4) for axis in (0, 3, -1, -4)] == [0, 3, 3, 0]
    for axis in (4, -5):
        assert refused(one_axis, node, axis, 4).why == f"it has no axis {axis}"


def test_pictures_that_come_channels_last():
    model = model_of([make("Relu", ["x"], ["y"])], (1, 8, 12, 4), (1, 8, 12, 4))
    graph = translate(model, channels_last=True)
    assert [graph.kind(operator) for operator in graph.operators] == ["RELU"]
    assert graph.shape(graph.inputs[0]) == graph.shape(graph.outputs[0]) == (1, 8, 12, 4)
    assert graph.name(graph.inputs[0]) == "input"
    planes = translate(model_of([make("Relu", ["x"], ["y"])], SIZE, SIZE))
    assert planes.shape(planes.inputs[0]) == planes.shape(planes.outputs[0]) == (1, 8, 12, 4)
