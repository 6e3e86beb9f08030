"""What PyTorch's own rounding does to a network, and what a probe says of a file that is as near as that."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.cli import main
from exporter.generators.description import Description
from exporter.generators.network_file import write_network
from exporter.probe.steadiness import Steadiness
from exporter.runtimes import runtime
from tests.probe.networks import Amplifying, Plain

HERE = "tests.probe.networks"


def steadiness(folder: Path, kind: type[Plain]) -> Steadiness:
    torch.manual_seed(0)
    path, arch = folder / f"{kind.__name__}.safetensors", f"{HERE}:{kind.__name__}"
    write_network(kind(), Description(arch, {}, (0.0, 1.0), 1), path)
    spec = TensorSpec.image(16, 24)
    artifact = Artifact(Format.TORCH, path, spec, spec, sha256_of(path), user_classes=frozenset({arch}))
    pictures = list(np.random.default_rng(0).random((2, 16, 24, 3), np.float32))
    with runtime("torch_cpu").open(artifact, 2) as session:
        return Steadiness(artifact, pictures, session.infer_all(pictures), 2)


def test_rounding_that_a_network_amplifies(tmp_path: Path) -> None:
    plain, amplifying = steadiness(tmp_path, Plain), steadiness(tmp_path, Amplifying)
    assert plain.in_eight_bits_db > 40 and plain.in_float_db > 120
    assert amplifying.in_eight_bits_db < plain.in_eight_bits_db - 15 and amplifying.in_float_db > 90


def test_a_file_as_near_as_eight_bits_come_is_not_called_wrong_for_random_weights(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["probe", f"{HERE}:Amplifying", "--size", "32x48", "--json"]) == 0
    row = json.loads(capfd.readouterr().out)["targets"]["onnx_int8"]
    assert row["status"] == "ok" and row["parity_db"] < 25
    assert row["message"].startswith("cannot be judged: the network amplifies rounding, PyTorch itself, its layers")
    torch.manual_seed(0)
    torch.save(Amplifying().state_dict(), tmp_path / "trained.pth")
    words = [f"{HERE}:Amplifying", "--checkpoint", str(tmp_path / "trained.pth"), "--size", "32x48", "--json"]
    assert main(["probe", *words]) == 1
    row = json.loads(capfd.readouterr().out)["targets"]["onnx_int8"]
    assert row["status"] == "wrong" and "cannot be judged" in row["message"] and "asks of onnx_int8" in row["message"]
