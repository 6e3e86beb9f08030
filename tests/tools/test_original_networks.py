"""The table of public networks, on a repository of three files made here: nothing public lies in this project."""

import json
from pathlib import Path

import pytest
import yaml

from tools import original_networks

TRAINING = "raise ImportError('a training framework')"
NETWORK = """
from framework.registry import REGISTER
from torch import nn

@REGISTER.register()
class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, 3, 3, padding=1))

    def forward(self, x):
        return [self.conv(x)[:, :, ::2, ::2], x + self.conv(x)]
"""
KEYS = {"name", "first", "repository", "path", "beside", "bare", "network", "setup", "kwargs", "size"}
KEYS |= set(original_networks.OPTIONS)
ROW = {
    "name": "Net",
    "repository": "somebody/nets",
    "path": "code",
    "bare": ["framework"],
    "network": "framework.net:Net",
    "kwargs": {"width": 4},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    code = tmp_path / "somebody+nets" / "code" / "framework"
    code.mkdir(parents=True)
    (code / "__init__.py").write_text(TRAINING)
    (code / "registry.py").write_text("class REGISTER:\n    register = staticmethod(lambda: lambda network: network)\n")
    (code / "net.py").write_text(NETWORK)
    return tmp_path


def test_every_row_names_a_network_and_a_repository():
    for row in yaml.safe_load(original_networks.TABLE.read_text()):
        assert ("network" in row) != ("setup" in row), row["name"]
        assert row["repository"].count("/") == 1
        assert "class Network" in row.get("setup", "class Network")
        assert set(row) <= KEYS, row["name"]


def test_thirty_are_the_first_and_nobody_counts_twice():
    rows = yaml.safe_load(original_networks.TABLE.read_text())
    assert sum(row.get("first", False) for row in rows) == 30
    assert len({row["name"] for row in rows}) == len(rows)
    results = {row["name"]: {"exit": 0, "options": []} for row in rows} | {"Stripformer": {"exit": 1, "options": []}}
    page = original_networks.page(rows, results)
    assert f"29 of 30 networks that conversion was first tried on, and {len(rows) - 30} of {len(rows) - 30}" in page
    assert all(page.count(f"| {row['name']} |") == 1 for row in rows)


def test_what_is_not_there_is_left_out(folder):
    assert original_networks.checkouts(folder, ROW) == [folder / "somebody+nets" / "code"]
    assert original_networks.checkouts(folder, ROW | {"beside": "somebody/else"}) is None


@pytest.mark.slow
def test_a_network_is_probed_as_it_lies_there(folder):
    places = original_networks.checkouts(folder, ROW)
    result = original_networks.tried(ROW, places, [])
    assert result["exit"] == 0, json.dumps(result)
    assert result["options"] == []
    assert {row["status"] for row in result["targets"].values()} == {"ok"}
    page = original_networks.page([ROW], {"Net": result})
    assert "0 of 0 networks that conversion was first tried on, and 1 of 1 others, go through" in page


def test_the_line_of_a_network_says_why_not():
    right = {"status": "ok", "parity_db": 151.2, "message": "a note"}
    wrong = {"status": "wrong", "parity_db": 20.0, "message": "parity 20.0 dB, less than 25; more"}
    targets = dict.fromkeys(original_networks.TARGETS, right) | {"tflite_int8": wrong}
    line = original_networks.line_of("Net", {"options": ["output: 1"], "targets": targets})
    assert line == "| Net | 151 | 151 | 151 | wrong | 151 | output: 1 | parity 20.0 dB, less than 25 |"
    unsteady = right | {"parity_db": 24.0, "message": "cannot be judged: the network amplifies rounding; more"}
    line = original_networks.line_of("Net", {"options": [], "targets": targets | {"tflite_int8": unsteady}})
    assert line == "| Net | 151 | 151 | 151 | 24 | 151 |  | cannot be judged: the network amplifies rounding |"
