"""Several files as one: every signature the bits of its own file, what is equal in them stored once."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_metadata import stamp
from exporter.graph.tflite_reader import read_tflite
from exporter.graph.tflite_signatures import join_signatures, signatures_of
from tests.graph.test_tflite_metadata import METADATA
from tests.graph.tflite_net import Net

SIZES = {"8x8": (1, 8, 8, 4), "8x16": (1, 8, 16, 4), "24x8": (1, 24, 8, 4)}
WEIGHTS = np.random.default_rng(1).normal(0, 0.1, (2, 32, 3, 3, 4)).astype(np.float32)


def net(shape: tuple[int, ...], own: float = 0.0) -> bytes:
    """Two convolutions with heavy weights; with `own` a table of places that only this size has."""
    made = Net(shape)
    for weights in WEIGHTS:
        stored = [made.at, made.const(weights), made.const(np.zeros(32))]
        made.op("CONV_2D", stored, (*shape[:3], 32), "Conv2DOptions", strideH=1, strideW=1)
        stored = [made.at, made.const(weights.transpose(3, 1, 2, 0)), made.const(np.zeros(4))]
        made.op("CONV_2D", stored, shape, "Conv2DOptions", strideH=1, strideW=1)
    if own:
        made.on_stored("ADD", np.full(shape, own), "AddOptions")
    made.graph.outputs = [made.at]
    return made.graph.to_bytes()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {name: net(shape, own) for (name, shape), own in zip(SIZES.items(), (0.0, 0.5, 0.25), strict=True)}


def answer(content: bytes, given: np.ndarray, signature: str = "") -> np.ndarray:
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    if signature:
        (made,) = interpreter.get_signature_runner(signature)(input=given).values()
        return made
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_each_signature_gives_the_bits_of_its_own_file(files):
    joined = join_signatures(files)
    assert signatures_of(joined) == tuple(files)
    for name, own in files.items():
        given = np.random.default_rng(2).random(SIZES[name], dtype=np.float32)
        expected = answer(own, given)
        assert answer(joined, given, name).tobytes() == expected.tobytes()
        assert expected.std() > 0.01
    first = np.random.default_rng(3).random(SIZES["8x8"], dtype=np.float32)
    assert answer(joined, first).tobytes() == answer(files["8x8"], first).tobytes(), "who names none gets the first"


def test_the_engine_of_android_verifies_it_and_gives_the_same_bits(files, tmp_path):
    """CompiledModel checks a file's tables before it takes it, and names a signature by its place."""
    from ai_edge_litert.compiled_model import CompiledModel

    path = tmp_path / "joined.tflite"
    path.write_bytes(join_signatures(files))
    model = CompiledModel.from_file(str(path))
    assert list(model.get_signature_list()) == list(files)
    for place, (name, own) in enumerate(files.items()):
        given = np.random.default_rng(2).random(SIZES[name], dtype=np.float32)
        inputs, outputs = model.create_input_buffers(place), model.create_output_buffers(place)
        inputs[0].write(given)
        model.run_by_index(place, inputs, outputs)
        assert np.array_equal(outputs[0].read(given.size, np.float32).reshape(given.shape), answer(own, given))


PROGRAM = """
import importlib, sys
import numpy as np
Interpreter = importlib.import_module(sys.argv[1]).Interpreter
joined = Interpreter(model_path="joined.tflite")
joined.allocate_tensors()
for name in joined.get_signature_list():
    own = Interpreter(model_path=f"{name}.tflite")
    own.allocate_tensors()
    (source,), (result,) = own.get_input_details(), own.get_output_details()
    given = np.random.default_rng(2).random(source["shape"], dtype=np.float32)
    own.set_tensor(source["index"], given)
    own.invoke()
    (made,) = joined.get_signature_runner(name)(input=given).values()
    assert made.tobytes() == own.get_tensor(result["index"]).tobytes(), name
    print(name)
"""


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["tflite_runtime.interpreter", "tensorflow.lite.python.interpreter"])
def test_other_engines_give_the_bits_of_each_ones_own_file(engine, files, tmp_path):
    """In a process of their own: they register what LiteRT registers."""
    package = engine.split(".")[0]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    for name, content in {**files, "joined": join_signatures(files)}.items():
        (tmp_path / f"{name}.tflite").write_bytes(content)
    done = subprocess.run([sys.executable, "-c", PROGRAM, engine], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == list(files)


def test_what_is_equal_is_stored_once(files):
    largest, joined = max(map(len, files.values())), join_signatures(files)
    own_tables = sum(4 * int(np.prod(shape)) for name, shape in SIZES.items() if name != "8x8")
    assert len(joined) < 1.05 * (largest + own_tables)
    same = join_signatures({name: net(shape) for name, shape in SIZES.items()})
    assert len(same) < 1.02 * len(net(SIZES["8x8"]))
    for weights in WEIGHTS:
        assert same.count(weights.tobytes()) == 1


def test_one_signature_is_read_and_written_as_a_file_of_its_own(files, tmp_path):
    path = tmp_path / "joined.tflite"
    path.write_bytes(join_signatures(files))
    assert read_tflite(path).inputs[0].shape == SIZES["8x8"]
    graph = read_tflite(path, "24x8")
    assert [tensor.shape for tensor in (*graph.inputs, *graph.outputs)] == [SIZES["24x8"]] * 2
    names = [tensor.name for node in graph.nodes for tensor in node.outputs]
    assert len(set(names)) == len(names) and all(names), "they tell tensors apart"
    alone = TfliteGraph(path.read_bytes(), "24x8").to_bytes()
    given = np.random.default_rng(2).random(SIZES["24x8"], dtype=np.float32)
    assert answer(alone, given).tobytes() == answer(files["24x8"], given).tobytes()
    assert len(alone) < 1.1 * len(files["24x8"])
    with pytest.raises(ValueError, match="no signature 9x9"):
        TfliteGraph(path.read_bytes(), "9x9")


def test_a_stamp_leaves_the_signatures_as_they_are(files):
    stamped = stamp(join_signatures(files), METADATA)
    given = np.random.default_rng(2).random(SIZES["8x16"], dtype=np.float32)
    assert answer(stamped, given, "8x16").tobytes() == answer(files["8x16"], given).tobytes()


def test_subgraphs_that_are_no_sizes_are_refused(files):
    graph = TfliteGraph(files["8x8"])
    graph.model.subgraphs.append(graph.model.subgraphs[0])  # the body of a loop
    with pytest.raises(ValueError, match="2 subgraphs; only one is supported"):
        TfliteGraph(graph.to_bytes())
