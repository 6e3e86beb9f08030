"""What is said of operators that XNNPACK leaves is held against the engine, on the corpus of the GPU's rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.errors import EngineError
from exporter.graph.graph import Node
from exporter.graph.read import read_graph
from exporter.inspect.xnnpack import why_left
from exporter.runtimes import runtime
from tests.inspect.gpu.corpus import CORPUS

ABSENT = "XNNPACK has no such operator"
LITERT = runtime("litert_cpu")
ANYTHING = TensorSpec((1, 1, 1, 3), "NHWC")


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Node], list[Node]]:
    """Every operator of the corpus: those that XNNPACK took, and those that it left."""
    taken: list[Node] = []
    left: list[Node] = []
    folder = tmp_path_factory.mktemp("corpus")
    for number, net in enumerate(CORPUS.values()):
        path: Path = net().write(folder / f"{number}.tflite")
        try:
            with LITERT.open(Artifact(Format.TFLITE, path, ANYTHING, ANYTHING, sha256_of(path)), 1) as session:
                placement = session.placement()
        except EngineError:  # a shape that XNNPACK trips over
            continue
        assert placement is not None
        places = {one.place for one in placement.left}
        for place, node in enumerate(read_graph(path).nodes):
            (left if place in places else taken).append(node)
    return taken, left


def test_what_it_is_said_not_to_have_it_takes_nowhere(seen: tuple[list[Node], list[Node]]) -> None:
    taken, left = seen
    absent = {node.kind for node in left if why_left(node) == ABSENT}
    assert len(absent) > 20 and "RELU_0_TO_1" in absent and "MIRROR_PAD" in absent
    assert not absent & {node.kind for node in taken}


def test_what_it_takes_is_known_to_be_had(seen: tuple[list[Node], list[Node]]) -> None:
    taken, _ = seen
    assert len({node.kind for node in taken}) > 40
    assert {node.kind for node in taken if why_left(node) == ABSENT} == set()


def test_a_form_that_it_does_not_know_is_told_by_what_is_unusual_in_it(seen: tuple[list[Node], list[Node]]) -> None:
    said = {node.kind: why_left(node) for node in seen[1]}
    other = "XNNPACK has the operator, but not as it is used here"
    assert said["SOFTMAX"] == f"{other}: beta 2.0"
    assert said["DEPTH_TO_SPACE"] == f"{other}: blockSize 1"
    assert said["STRIDED_SLICE"] == f"{other}: shrinkAxisMask 1"
