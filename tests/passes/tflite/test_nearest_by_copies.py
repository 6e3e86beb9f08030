"""Nearest enlargement as copies gives the very same numbers, and leaves alone what it cannot say."""

import numpy as np
import pytest
from onnx import helper

from exporter.convert.translate import translate
from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.nearest_by_copies import enlarge_by_copies
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.self_check import run_tflite
from tests.graph.onnx_models import model_of, normal
from tests.passes.tflite.test_cleanup import invoked
from tests.stages.chain import counts, photo, run, to_tflite

NEAREST = "RESIZE_NEAREST_NEIGHBOR"


def enlarged(rows: float, columns: float, mode: str = "nearest") -> TfliteGraph:
    """A (1, 4, 6, 10) picture, doubled and enlarged."""
    names = {"nearest": ("asymmetric", "floor"), "linear": ("half_pixel", "round_prefer_floor")}[mode]
    node = helper.make_node(
        "Resize", ["b", "", "s"], ["y"], mode=mode, coordinate_transformation_mode=names[0], nearest_mode=names[1]
    )
    nodes = [helper.make_node("Add", ["x", "x"], ["b"]), node]
    scales = np.array([1, 1, rows, columns], np.float32)
    shape = (1, 4, round(6 * rows), round(10 * columns))
    return translate(model_of(nodes, (1, 4, 6, 10), shape, s=scales))


@pytest.mark.parametrize("factors", [(2, 2), (3, 2), (1, 4)])
def test_the_same_numbers(factors: tuple[int, int]) -> None:
    content = enlarged(*factors).to_bytes()
    graph = TfliteGraph(content)
    assert enlarge_by_copies(graph)
    assert all(graph.kind(operator) != NEAREST for operator in graph.operators)
    x = normal(1, 6, 10, 4, seed=3)
    assert np.array_equal(invoked(graph.to_bytes(), x), invoked(content, x))


def test_half_pixel_centres_make_no_difference() -> None:
    graph = enlarged(2, 2)
    (resize,) = (operator for operator in graph.operators if graph.kind(operator) == NEAREST)
    resize.builtinOptions.halfPixelCenters = True
    content = graph.to_bytes()
    graph = TfliteGraph(content)
    assert enlarge_by_copies(graph)
    x = normal(1, 6, 10, 4, seed=4)
    assert np.array_equal(invoked(graph.to_bytes(), x), invoked(content, x))


def test_other_enlargements_stay() -> None:
    aligned = enlarged(2, 2)
    for operator in aligned.operators:
        if aligned.kind(operator) == NEAREST:
            operator.builtinOptions.alignCorners = True
    for graph in (aligned, enlarged(1.5, 2), enlarged(2, 2, "linear")):
        assert not enlarge_by_copies(graph)


def test_an_int8_student_gives_the_same_picture(tmp_path) -> None:
    student = to_tflite(tmp_path, "mobilenetv3_student", preset="s")
    plain, copies = (
        run(QuantizeTflite(device="cpu" if on else "any"), student, tmp_path / str(on)) for on in (False, True)
    )
    assert counts(plain)[NEAREST] == 3
    assert counts(copies)[NEAREST] == 0
    assert counts(copies)["CONCATENATION"] == 6
    pictures = [run_tflite(made.path.read_bytes(), photo())[0] for made in (plain, copies)]
    assert np.array_equal(*pictures)
