"""Networks that take or give other pictures than RGB go through, and their bundles say so and verify."""

import json
from pathlib import Path

import pytest
import torch

from exporter.cli import main
from exporter.inspect.model_file import artifact_of_file
from tests.recipes.recipe_folder import write_recipe_folder
from tests.runs.command_line import run_cli

NETWORKS = '''
import torch
from torch import nn


class Small(nn.Module):
    """A residual of two convolutions; `given` channels in, `made` out, enlarged by a pixel shuffle."""

    def __init__(self, given=3, made=3, scale=1):
        super().__init__()
        self.scale, self.made = scale, made
        self.a = nn.Conv2d(given, 8, 3, padding=1)
        self.b = nn.Conv2d(8, made * scale**2, 3, padding=1)

    def forward(self, x):
        y = nn.functional.pixel_shuffle(0.1 * self.b(torch.relu(self.a(x))), self.scale)
        return torch.clamp(y + 0.5, 0, 1)


class Levelled(Small):
    """Wants a noise level, and gives the noise first."""

    def __init__(self):
        super().__init__(given=4)

    def forward(self, x, sigma):
        noise = 0.1 * self.b(torch.relu(self.a(torch.cat([x, sigma.repeat(1, 1, *x.shape[2:])], 1))))
        return {"noise": noise, "images": [x - noise]}


class Frames(Small):
    """Takes a film as (N, T, C, H, W)."""

    def __init__(self):
        super().__init__(given=9)

    def forward(self, x):
        return x[:, 1] + 0.1 * self.b(torch.relu(self.a(x.flatten(1, 2))))
'''


@pytest.fixture
def exported(tmp_path, teacher_file, monkeypatch):
    """A function that exports one of NETWORKS with further recipe options and gives its manifest."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "others.py").write_text(NETWORKS)
    scope: dict = {}
    exec(NETWORKS, scope)

    def export(network: str, model: dict | None = None, given: dict | None = None, data: dict | None = None) -> dict:
        torch.manual_seed(0)
        kwargs = (model or {}).get("kwargs", {})
        torch.save(scope[network](**kwargs).state_dict(), tmp_path / "w.pth")
        chain = ["onnx_to_tflite", "quantize_tflite"]
        recipe = write_recipe_folder(
            tmp_path,
            teacher_file,
            name="other",
            model={"arch": f"others:{network}", "checkpoint": "w.pth", **(model or {})},
            input={"height": 32, "width": 48, **(given or {})},
            stages=["torch_to_onnx", "simplify_onnx"],
            targets={
                "onnx": {"runtime": "onnxruntime_cpu", "budget": {"min_parity_db": 80}},
                "int8": {"runtime": "litert_cpu", "stages": chain, "budget": {"min_parity_db": 30, "max_rank": 4}},
            },
            budget={"forbid_errors": True},
        )
        words = [f"data.{key}={value}" for key, value in (data or {}).items()]
        done = run_cli(recipe, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert main(["verify", "dist/other-1.0"]) == 0
        return json.loads(Path("dist/other-1.0/manifest.json").read_text())

    return export


def tensors(manifest: dict) -> list[tuple]:
    """(input channels, colour, output channels, colour) of every model."""
    ends = [(model["input"], model["output"]) for model in manifest["models"]]
    return [tuple(v for t in pair for v in (t["shape"][3], t.get("colour", "rgb"))) for pair in ends]


@pytest.mark.slow
def test_a_grey_denoiser(exported, tmp_path):
    manifest = exported("Small", {"kwargs": {"given": 1, "made": 1}}, data={"noise": 25})
    assert set(tensors(manifest)) == {(1, "grey", 1, "grey")}
    assert "sigma 25" in manifest["provenance"]["evaluation"]["noise"]
    card = Path("dist/other-1.0/README.md").read_text()
    assert "One grey picture in, one of the same size out" in card and "Channels are grey (BT.601" in card
    file = Path("dist/other-1.0/models/other.int8.tflite")
    assert artifact_of_file(file).input.channels == 1
    sharp = next(Path("evaluation/sharp").glob("*"))
    assert main(["run", "--model", str(file), str(sharp), "restored.png"]) == 0
    assert main(["lint", str(file)]) == 0 and main(["bench", str(file), "--runs", "5"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "model", "given", "expected"),
    [
        ("Small", {"kwargs": {"given": 1, "made": 1, "scale": 2}}, {"colour": "y"}, (1, "y", 1, "y")),
        ("Small", {"kwargs": {"given": 4, "made": 3}}, {}, (4, "rgba", 3, "rgb")),
        ("Small", {"kwargs": {"given": 4, "made": 4}}, {"colour": "rggb"}, (4, "rggb", 4, "rggb")),
        ("Small", {"kwargs": {"given": 4, "made": 3, "scale": 2}}, {"colour": "rggb"}, (4, "rggb", 3, "rgb")),
        ("Small", {"kwargs": {"given": 1, "made": 3}}, {}, (1, "grey", 3, "rgb")),
        ("Small", {"kwargs": {"given": 4}, "extra_channels": [0.1]}, {"colour": "rgb"}, (3, "rgb", 3, "rgb")),
        ("Levelled", {"inputs": {"sigma": 0.1}, "output": "images.0"}, {}, (3, "rgb", 3, "rgb")),
        ("Small", {}, {"colour": "bgr"}, (3, "rgb", 3, "rgb")),
        ("Small", {"kwargs": {"given": 9}}, {"frames": 3}, (9, "rgb", 3, "rgb")),
        ("Frames", {}, {"frames": 3}, (9, "rgb", 3, "rgb")),
    ],
)
def test_pictures_of_every_kind(exported, network, model, given, expected):
    manifest = exported(network, model, given)
    assert set(tensors(manifest)) == {expected}
    assert {model["input"].get("frames", 1) for model in manifest["models"]} == {given.get("frames", 1)}
