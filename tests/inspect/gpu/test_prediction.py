"""What the lint predicts of the GPU engine; the slow test holds every prediction against the engine itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.graph.operators import GPU_DELEGATE, ML_DRIFT
from exporter.graph.tflite_reader import read_tflite
from exporter.inspect.gpu.prediction import GpuPrediction, predict
from tests.inspect.gpu.corpus import CORPUS
from tests.inspect.gpu.engine import ask

# What LiteRT 2.3.0 refused when it was asked; everything else in the corpus it took.
REFUSED = {
    "pack": {"PACK"},
    "windows of rank 5": {"RESHAPE", "TRANSPOSE"},
    "windows of rank 6": {"RESHAPE", "TRANSPOSE"},
    "clamp by one": {"RELU_0_TO_1"},
    "fp16 weights and a clamp": {"RELU_0_TO_1"},
    "two refused apart": {"RELU_0_TO_1"},
    "l2 normalisation": {"L2_NORMALIZATION"},
    "symmetric": {"MIRROR_PAD"},
    "pad of rank 2": {"PAD"},
    "shrinking slice": {"STRIDED_SLICE"},
    "gather by a grid": {"GATHER"},
    "minus itself": {"SUB"},
    "softmax with beta": {"SOFTMAX"},
    "broadcast": {"BROADCAST_TO"},
    "integers of 64 bits": {"CAST"},
    "depth to space by 1": {"DEPTH_TO_SPACE"},
    "local response": {"LOCAL_RESPONSE_NORMALIZATION"},
    "log softmax": {"LOG_SOFTMAX"},
    "ZEROS_LIKE": {"ZEROS_LIKE"},
}


def prediction(name: str, folder: Path, engine: str = ML_DRIFT) -> GpuPrediction:
    return predict(read_tflite(CORPUS[name]().write(folder / "model.tflite")), engine)


@pytest.mark.parametrize("name", CORPUS)
def test_what_was_refused(name: str, tmp_path: Path) -> None:
    assert {refusal.kind for refusal in prediction(name, tmp_path).refused} == REFUSED.get(name, set())


def test_the_gpu_takes_the_largest_piece_only(tmp_path: Path) -> None:
    found = prediction("two refused apart", tmp_path)
    assert (found.partitions, found.on_gpu, found.on_cpu) == ((3, 1, 1), 3, 4)


def test_one_refused_operator_leaves_the_fp16_weights_to_the_cpu(tmp_path: Path) -> None:
    assert prediction("fp16 weights", tmp_path).on_cpu == 0
    found = prediction("fp16 weights and a clamp", tmp_path)
    assert (found.on_gpu, found.on_cpu) == (1, 2)


def test_the_older_delegate_has_fewer_operators(tmp_path: Path) -> None:
    assert prediction("CEIL", tmp_path).accepted
    assert [refusal.kind for refusal in prediction("CEIL", tmp_path, GPU_DELEGATE).refused] == ["CEIL"]


def test_the_older_delegate_does_not_read_the_flags_of_products(tmp_path: Path) -> None:
    (refusal,) = prediction("matrices, one transposed by a flag", tmp_path, GPU_DELEGATE).refused
    assert refusal.kind == "BATCH_MATMUL" and "flag" in refusal.why


@pytest.mark.slow
def test_the_engine_agrees_on_every_file(tmp_path: Path) -> None:
    files = {name: make().write(tmp_path / f"{place}.tflite") for place, (name, make) in enumerate(CORPUS.items())}
    answers = dict(zip(files, ask(*files.values(), compile_only=True), strict=True))
    said = {name: set(answer.refused) for name, answer in answers.items() if not answer.accepted}
    assert said == REFUSED
    for name in said:
        assert answers[name].on_cpu == predict(read_tflite(files[name])).on_cpu, name
