"""INT8 of an attention network: its core stays in float as one piece, all else is integer."""

from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.self_check import run_tflite
from tests.stages.chain import Lines, opened, photo, psnr_db, run, to_tflite


def test_the_core_of_attention_is_one_float_island(tmp_path):
    source = to_tflite(tmp_path, "Attending")
    made = run(QuantizeTflite(), source, tmp_path / "4", lines=Lines())
    graph = opened(made)
    for product in (operator for operator in graph.operators if graph.kind(operator) == "BATCH_MATMUL"):
        assert {graph.dtype(index) for index in (*product.inputs, *product.outputs)} == {"FLOAT32"}
    softmax = next(operator for operator in graph.operators if graph.kind(operator) == "SOFTMAX")
    assert graph.dtype(softmax.outputs[0]) == "FLOAT32"
    gelu = next(operator for operator in graph.operators if graph.kind(operator) == "GELU")
    assert graph.dtype(gelu.outputs[0]) == "INT8"
    expected, _ = run_tflite(source.path.read_bytes(), photo())
    assert psnr_db(run_tflite(made.path.read_bytes(), photo())[0], expected) > 40
