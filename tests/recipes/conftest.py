"""A recipe with a shared stage, an option and a target; its files are there and hold nothing."""

from pathlib import Path

import pytest

GOOD = """
name: demo
version: 0.1.0
model: {arch: mobilenetv3_student, checkpoint: weights.safetensors}
data: {calibration: set, evaluation: set, training: set}
stages:
  - prune
  - distill: {steps: 7, learning_rate: 1e-4}
targets:
  torch: {runtime: torch_cpu, budget: {min_parity_db: 40}}
budget: {min_gain_db: 0.5}
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    for i in range(8):
        (tmp_path / "set" / f"{i}.png").touch()
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    path = tmp_path / "demo.yaml"
    path.write_text(GOOD)
    return path
