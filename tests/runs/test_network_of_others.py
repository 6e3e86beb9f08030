"""A network that this project has never seen goes through the whole chain."""

import json
from pathlib import Path

import pytest
import torch

from exporter.cli import main
from tests.recipes.recipe_folder import FULL_CHAINS, write_recipe_folder
from tests.runs.command_line import run_cli

STRANGER = '''
"""A small U-Net from another package: transposed convolution, max pooling, concatenation, sigmoid gate."""
import torch
from torch import nn

def block(i, o):
    first = (nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU())
    return nn.Sequential(*first, nn.Conv2d(o, o, 3, padding=1), nn.ReLU())

class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.a, self.b, self.c = block(3, width), block(width, 2 * width), block(3 * width, width)
        self.up = nn.ConvTranspose2d(2 * width, 2 * width, 2, 2)
        self.gate = nn.Conv2d(width, width, 1)
        self.out = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        a = self.a(x)
        b = self.up(self.b(nn.functional.max_pool2d(a, 2)))
        y = self.c(torch.cat([b, a], 1))
        y = y * torch.sigmoid(self.gate(y))
        return torch.clamp(x + 0.1 * self.out(y), 0, 1)
'''


@pytest.fixture
def stranger(tmp_path, teacher_file, monkeypatch) -> Path:
    """A network this project has never seen, in a package of its own, with its checkpoint."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strangers").mkdir()
    (tmp_path / "strangers" / "__init__.py").touch()
    (tmp_path / "strangers" / "unet.py").write_text(STRANGER)
    scope: dict = {}
    exec(STRANGER, scope)
    torch.manual_seed(0)
    network = scope["Net"](width=8)
    torch.save({"state_dict": network.state_dict()}, tmp_path / "unet.pth")
    model = {"arch": "strangers.unet:Net", "kwargs": {"width": 8}, "checkpoint": "unet.pth", "multiple": 2}
    chains = FULL_CHAINS | {"stages": FULL_CHAINS["stages"][2:], "name": "unet", "model": model}
    return write_recipe_folder(tmp_path, teacher_file, **chains)


@pytest.mark.slow
def test_a_network_never_seen_before_goes_through(stranger):
    done = run_cli(stranger)
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(Path("dist/unet-1.0/report/report.json").read_text())
    int8 = next(target for target in report["targets"] if target["name"] == "int8")
    assert int8["audit"]["int8_mac_share"] == 1
    assert main(["verify", "dist/unet-1.0"]) == 0
