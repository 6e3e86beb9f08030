from __future__ import annotations

from pathlib import Path

import numpy as np

from exporter.graph.operators import GPU_DELEGATE
from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.gpu.prediction import predict
from exporter.passes.tflite.gpu_operators import split_clamps, write_out_flags
from exporter.quantization.tflite.fp16_graph import write_fp16
from tests.graph.tflite_net import IMAGE
from tests.inspect.gpu.corpus import CORPUS


def run(content: bytes) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    engine = Interpreter(model_content=content)
    engine.allocate_tensors()
    values = np.random.default_rng(3).normal(0, 20, IMAGE).astype(np.float32)
    engine.set_tensor(engine.get_input_details()[0]["index"], values)
    engine.invoke()
    return engine.get_tensor(engine.get_output_details()[0]["index"])


def test_a_clamp_in_two_steps_gives_the_same_bits(tmp_path: Path) -> None:
    content = CORPUS["clamp by one"]().write(tmp_path / "clamp.tflite").read_bytes()
    graph = TfliteGraph(content)
    assert split_clamps(graph) and not split_clamps(graph)
    made = run(graph.to_bytes())
    assert np.array_equal(made, run(content)) and made.min() == 0 and made.max() == 1


def test_fp16_files_hold_no_operator_that_the_gpu_refuses(tmp_path: Path) -> None:
    path = CORPUS["clamp by one"]().write(tmp_path / "model.tflite")
    assert not predict(read_tflite(path)).accepted
    path.write_bytes(write_fp16(path.read_bytes()))
    assert predict(read_tflite(path)).accepted


def test_fp16_files_leave_no_transposing_to_a_flag(tmp_path: Path) -> None:
    path = CORPUS["matrices, one transposed by a flag"]().write(tmp_path / "model.tflite")
    content = path.read_bytes()
    assert not predict(read_tflite(path), GPU_DELEGATE).accepted
    path.write_bytes(write_fp16(content))
    assert predict(read_tflite(path), GPU_DELEGATE).accepted
    graph = TfliteGraph(content)
    assert write_out_flags(graph) and not write_out_flags(graph)
    assert np.allclose(run(graph.to_bytes()), run(content), rtol=1e-5, atol=1e-5)
