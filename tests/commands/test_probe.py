from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from exporter.cli import main
from exporter.probe.results import TARGETS
from tests.conftest import REPO
from tests.probe.networks import Plain

HERE = "tests.probe.networks"
KEYS = {"status", "parity_db", "transposes", "rank", "int8_mac_share", "gpu_refused", "message"}


def probe(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the JSON that alone is on stdout, and stderr."""
    code = main(["probe", *words, "--json"])
    said = capfd.readouterr()
    found = json.loads(said.out)
    assert list(found["targets"]) == list(TARGETS)
    assert all(set(row) == KEYS for row in found["targets"].values())
    return code, found, said.err


def test_a_plain_network_goes_through_everywhere(capfd: pytest.CaptureFixture[str]) -> None:
    code, found, said = probe(capfd, f"{HERE}:Plain", "--kwargs", '{"width": 12}', "--size", "64x48")
    assert code == 0 and "Traceback" not in said
    assert {row["status"] for row in found["targets"].values()} == {"ok"}
    assert found["network"] | {"height": 64, "width": 48, "multiple": 1, "scale": 1} == found["network"]
    rows = found["targets"]
    assert rows["onnx"]["parity_db"] > 100 and rows["tflite_int8"]["parity_db"] > 40
    assert rows["tflite_int8"]["int8_mac_share"] == 1 and rows["tflite_fp16"]["gpu_refused"] == []
    assert rows["onnx"]["gpu_refused"] is None and rows["tflite_fp32"]["rank"] == 4


def test_a_network_without_weights(capfd: pytest.CaptureFixture[str]) -> None:
    code, found, _ = probe(capfd, f"{HERE}:Weightless", "--size", "32x48")
    assert code == 0 and found["network"]["parameters"] == 0


def test_range_and_multiple_are_found_out(capfd: pytest.CaptureFixture[str]) -> None:
    assert probe(capfd, f"{HERE}:Signed", "--size", "32x48")[1]["network"]["range"] == [-1, 1]
    assert probe(capfd, f"{HERE}:Quarters", "--size", "32x48")[1]["network"]["multiple"] == 4


def test_what_is_refused_is_said_for_every_target(capfd: pytest.CaptureFixture[str]) -> None:
    code, found, said = probe(capfd, f"{HERE}:Nested", "--size", "32x48")
    assert code == 1 and "Traceback" not in said
    for row in found["targets"].values():
        assert row["status"] == "refused" and row["parity_db"] is None
        assert "bessel_j0" in row["message"] and "called in body.1" in row["message"]
        assert "\n" not in row["message"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([f"{HERE}:Raises"], "'no such key'"),
        ([f"{HERE}:Noisy"], "the network is random"),
        ([f"{HERE}:Branches"], "depend on pixel values"),
        ([f"{HERE}:Plane"], "did you mean 'Plain'?"),
        ([f"{HERE}:Plain", "--kwargs", '{"depth": 3}'], "unexpected keyword argument 'depth'"),
        ([f"{HERE}:Plain", "--kwargs", "{width: 3}"], "--kwargs is not JSON"),
        ([f"{HERE}:Plain", "--kwargs", "[3]"], "--kwargs must be a JSON object"),
        ([f"{HERE}:Plain", "--size", "large"], "is not HxW"),
        ([f"{HERE}:Plain", "--size", "8x8"], "--size 8x8"),
        ([f"{HERE}:Quarters", "--size", "50x64"], "it runs at 48×64 px (sides are multiples of 4)"),
        ([f"{HERE}:Plain", "--checkpoint", "absent.pth"], "absent.pth"),
        (["nafnetto"], "did you mean 'nafnet'?"),
    ],
)
def test_a_network_that_cannot_be_used(
    words: list[str], sentence: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPO)
    code, found, said = probe(capfd, *words)
    assert code == 2 and sentence in found["error"] and "Traceback" not in said
    assert {row["status"] for row in found["targets"].values()} == {"refused"}
    assert main(["probe", *words]) == 2
    assert sentence in capfd.readouterr().err


def test_a_checkpoint_that_does_not_fit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    torch.save(Plain(8).state_dict(), tmp_path / "narrow.pth")
    words = [f"{HERE}:Plain", "--checkpoint", str(tmp_path / "narrow.pth"), "--size", "32"]
    assert probe(capfd, *words, "--kwargs", '{"width": 8}')[0] == 0
    code, found, _ = probe(capfd, *words, "--kwargs", '{"width": 9}')
    assert code == 2 and "does not fit" in found["error"]


def test_a_checkpoint_alone_and_the_table(capfd: pytest.CaptureFixture[str]) -> None:
    weights = REPO / "recipes" / "weights" / "mobilenetv3_student_m.safetensors"
    assert main(["probe", str(weights), "--size", "64x64"]) == 0
    said = capfd.readouterr().out
    assert "mobilenetv3_student" in said and "tflite_int8" in said and "100%" in said


def test_weights_that_start_at_zero_are_woken(tmp_path: Path) -> None:
    from exporter.checkpoints.read import load_state
    from exporter.generators.build import build_network, generator_info
    from exporter.probe.subject import random_weights
    from exporter.probe.wanted import Wanted

    wanted = Wanted("tests.probe.networks:Sleeping")
    info = generator_info("tests.probe.networks:Sleeping")
    network = build_network(info, {})
    kept = network.state_dict()["first.weight"].clone()
    state = load_state(random_weights(network, info, wanted, tmp_path))
    assert state["gain"].abs().min() > 0 and torch.equal(state["first.weight"], kept)
