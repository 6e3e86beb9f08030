"""The graph knows at every moment who makes and who reads what, as long as it is edited through its methods."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from onnx.helper import make_node

import exporter
from exporter.graph.onnx_editor import OnnxGraph
from tests.graph.onnx_models import kinds, model_of

ENDS = (".input", ".output")
READS = ("index", "count")
NOT_YET_IN_A_GRAPH = ("self.made", "copy.", "graph.model.graph", "model.graph")  # or the ends of the graph itself


def _graph() -> OnnxGraph:
    nodes = [
        make_node("Relu", ["x"], ["a"], "a"),
        make_node("Abs", ["a"], ["b"], "b"),
        make_node("Add", ["a", "b"], ["y"], "y"),
    ]
    return OnnxGraph(model_of(nodes, (1, 2), (1, 2)))


def _names(nodes: list) -> list[str]:
    return [node.name for node in nodes]


def test_inserted_nodes_stand_and_read_where_they_were_put():
    graph = _graph()
    last = graph.nodes[-1]
    for name in ("first", "second"):
        graph.insert_before(last, make_node("Neg", ["a"], [name], name))
    graph.insert_before(graph.producer("second"), make_node("Exp", ["a"], ["between"], "between"))
    assert _names(graph.nodes) == ["a", "b", "first", "between", "second", "y"]
    assert _names(graph.consumers("a")) == ["b", "first", "between", "second", "y"]


def test_an_input_that_is_exchanged_has_another_reader():
    graph = _graph()
    graph.set_input(graph.producer("y"), 1, "a")
    assert _names(graph.consumers("b")) == [] and not graph.has_one_use("a")
    graph.remove([graph.producer("b")])
    assert graph.producer("b") is None and _names(graph.consumers("a")) == ["y"]
    assert kinds(graph.commit()) == ["Relu", "Add"]


def test_an_output_that_takes_the_name_of_a_node_that_goes():
    graph = _graph()
    last = graph.producer("y")
    graph.set_output(graph.producer("b"), 0, "y")
    graph.remove([last])
    assert graph.producer("y").op_type == "Abs" and kinds(graph.commit()) == ["Relu", "Abs"]


def test_a_name_that_is_taken_gets_a_number():
    graph = _graph()
    given = [graph.add_constant(name, np.zeros(1)) for name in ("a", "w", "w", "w")]
    assert given == ["a_1", "w", "w_1", "w_2"]


def _python_files() -> list[Path]:
    given = ("graph: OnnxGraph", "work: Translation")
    files = Path(exporter.__file__).parent.rglob("*.py")
    return sorted(path for path in files if any(words in path.read_text() for words in given))


@pytest.mark.parametrize("path", _python_files(), ids=lambda path: path.name)
def test_whoever_has_a_graph_edits_it_through_its_methods(path):
    for node in ast.walk(ast.parse(path.read_text())):
        written: list[ast.expr] = []
        if isinstance(node, ast.Assign | ast.Delete):
            written = [target.value for target in node.targets if isinstance(target, ast.Subscript)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr not in READS:
            written = [node.func.value]
        for target in written:
            named = ast.unparse(target)
            assert not named.endswith(ENDS) or named.startswith(NOT_YET_IN_A_GRAPH), (
                f"{path.name}:{node.lineno} {named}"
            )
