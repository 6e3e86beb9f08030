"""Two engines that part at one operator: it is named, however few tensors are looked at together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from exporter.graph.tflite_editor import TfliteGraph
from exporter.localise import first_difference as module
from exporter.localise.first_difference import first_difference

STEPS = ("ABS", "MUL", "ADD", "ABS")


def write_chain(path: Path, factor: float = 3.0, kinds: tuple[str, ...] = STEPS) -> Path:
    graph = TfliteGraph.empty()
    here = source = graph.add_tensor("input", (1, 4, 4, 3), "FLOAT32")
    for number, kind in enumerate(kinds, 1):
        made = graph.add_tensor(f"tensor {number}", (1, 4, 4, 3), "FLOAT32")
        inputs = [here]
        if kind != "ABS":
            inputs.append(graph.add_constant(f"constant {number}", np.full((1, 1, 1, 3), factor, np.float32)))
        graph.operators.append(
            graph.new_operator(kind, 1, inputs, [made], "" if kind == "ABS" else f"{kind.title()}Options")
        )
        here = made
    graph.inputs, graph.outputs = [source], [here]
    path.write_bytes(graph.to_bytes())
    return path


def run(path: Path) -> list[np.ndarray]:
    engine = Interpreter(str(path))
    engine.allocate_tensors()
    (source,) = engine.get_input_details()
    engine.set_tensor(source["index"], np.linspace(-1, 1, 48, dtype=np.float32).reshape(source["shape"]))
    engine.invoke()
    return [engine.get_tensor(one["index"]) for one in engine.get_output_details()]


def run_with_another_product(path: Path) -> list[np.ndarray]:
    """An engine that multiplies by a little more than the file says."""
    graph = TfliteGraph(path.read_bytes())
    (product,) = (operator for operator in graph.operators if graph.kind(operator) == "MUL")
    slightly_more = np.nextafter(graph.constant(product.inputs[1]), np.float32(9))
    product.inputs[1] = graph.add_constant("more", slightly_more)
    other = path.with_name("other.tflite")
    other.write_bytes(graph.to_bytes())
    return run(other)


@pytest.mark.parametrize("most_bytes", [1, 2**26], ids=["one tensor at a time", "all together"])
def test_the_operator_where_engines_part_is_named(
    most_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", most_bytes)
    found = first_difference(write_chain(tmp_path / "m.tflite"), run, run_with_another_product, tmp_path)
    assert found and (found.kind, found.tensor, found.number, found.count) == ("MUL", "tensor 2", 2, 4)
    assert str(found) == "MUL 'tensor 2', operator 2 of 4"


def test_no_more_is_looked_at_than_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1)
    asked = []

    def counting(path: Path) -> list[np.ndarray]:
        asked.append(path)
        return run(path)

    first_difference(write_chain(tmp_path / "m.tflite"), counting, run_with_another_product, tmp_path)
    assert len(asked) == 2


def test_engines_that_agree_part_nowhere(tmp_path: Path) -> None:
    assert first_difference(write_chain(tmp_path / "m.tflite"), run, run, tmp_path) is None
