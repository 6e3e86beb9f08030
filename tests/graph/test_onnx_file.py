"""Weights outside the .onnx file are read from its own folder alone."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from exporter.cli import main


@pytest.mark.parametrize(
    "location", ["../secret.bin", "/etc/hostname", "link.bin", "gone.bin", "*/_ORT_MEM_ADDR_/*", "a/../../secret.bin"]
)
def test_external_data_outside_is_refused(tmp_path: Path, location: str, capfd) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3, 3, 1, 1])
    weights.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "36")):
        entry = weights.external_data.add()
        entry.key, entry.value = key, value
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 32, 32]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    assert onnx.load(str(folder / "m.onnx"), load_external_data=False).graph.node
    for words in (["lint"], ["bench"]):
        assert main([*words, str(folder / "m.onnx")]) == 2
        assert "m.onnx names" in capfd.readouterr().err
