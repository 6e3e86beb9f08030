"""Qualcomm AI Hub's own client, in the folder that is put together for it, against replayed answers on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.cli import main
from exporter.engines.ai_hub import CONFIG, AiHubEngine
from exporter.engines.litert_versions import write_abs
from exporter.errors import MissingTool
from exporter.farms.ai_hub import AiHub
from exporter.farms.base import Order, ProfiledRun
from exporter.not_measured import NotMeasured
from tests.android.conftest import monkeypatch_session as monkeypatch_session
from tests.farms.replay import order_of
from tests.installed import put_together

pytestmark = pytest.mark.slow
CREATED, DONE, FAILED, PROVISIONING, MEASURING = 1, 10, 30, 60, 70
TOKEN = "0123456789abcdef0123"
WHOLE = [["conv1", "CONV_2D", "NPU"], ["conv2", "CONV_2D", "NPU"]]
GOOD = {"states": [CREATED, PROVISIONING, MEASURING, DONE], "times_us": [900] * 6, "layers": WHOLE, "outputs": "given"}


@pytest.fixture(scope="module")
def engine(monkeypatch_session: pytest.MonkeyPatch) -> AiHubEngine:
    put_together(AiHubEngine())
    return AiHubEngine()


@pytest.fixture
def hub(engine: AiHubEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """`hub(devices)`: a service that has these and a configuration that names it; gives the file of its requests."""
    running: list[subprocess.Popen[str]] = []

    def start(devices: dict[str, Any], token: str = TOKEN) -> Path:
        script = tmp_path / "script.json"
        script.write_text(json.dumps({"token": TOKEN, "devices": devices}))
        command = [sys.executable, "-P", str(Path(__file__).with_name("fake_ai_hub.py")), str(script)]
        running.append(subprocess.Popen(command, env=engine.environment, stdout=subprocess.PIPE, text=True))
        port = int(running[-1].stdout.readline())
        address = f"http://127.0.0.1:{port}"
        (tmp_path / "client.ini").write_text(f"[api]\napi_token = {token}\napi_url = {address}\nweb_url = {address}\n")
        monkeypatch.setenv(CONFIG, str(tmp_path / "client.ini"))
        return script.with_suffix(".json.log")

    yield start
    for process in running:
        process.kill()
        process.wait()


def order(tmp_path: Path, limit_s: float = 60.0) -> Order:
    return order_of(write_abs(tmp_path / "abs.tflite", 1), backend="npu", limit_s=limit_s)


def test_from_the_upload_to_the_figures_and_one_that_fails_beside_it(hub, tmp_path: Path) -> None:
    log = hub({"Galaxy S23": GOOD, "Galaxy S24": GOOD | {"states": [CREATED, FAILED], "said": "device was lost"}})
    farm = AiHub(poll_s=0.1)
    devices = farm.devices()
    assert [(one.name, one.os, one.soc) for one in devices] == [
        (name, "14", "qualcomm-snapdragon-8gen2") for name in ("Galaxy S23", "Galaxy S24")
    ]
    wanted = order(tmp_path)
    found = farm.measure(devices, wanted)
    run, lost = (found[one.id] for one in devices)
    assert isinstance(run, ProfiledRun) and run.samples_ms == (0.9,) * 6 and run.memory_kb == 64 << 10
    assert [layer.unit for layer in run.layers] == ["NPU", "NPU"]
    assert all(np.array_equal(made, given) for made, (given, _) in zip(run.outputs, wanted.golden, strict=True))
    assert isinstance(lost, NotMeasured) and lost.reason == "the job failed: device was lost (job j1)"
    requests = log.read_text().splitlines()
    assert requests.count("PUT /file/model") == 1 and requests.count("POST /file/inputs") == 1, "uploaded once"


def test_a_device_that_never_comes_and_one_that_is_not_taken(hub, tmp_path: Path) -> None:
    hub({"A": GOOD | {"states": [CREATED, PROVISIONING]}, "B": GOOD | {"refuse": True}, "C": GOOD | {"states": [999]}})
    farm = AiHub(poll_s=0.2)
    devices = farm.devices()
    waits, refused, unknown = farm.measure(devices, order(tmp_path, limit_s=1.0)).values()
    assert isinstance(waits, NotMeasured) and waits.lost and "it waited for the device" in waits.reason
    assert isinstance(refused, NotMeasured) and refused.reason == "the job was not taken: no room for jobs"
    assert isinstance(unknown, NotMeasured) and "in a state that its client does not know" in unknown.reason


def test_whom_it_does_not_let_in(hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub({"A": GOOD}, token="wrong")
    with pytest.raises(MissingTool, match="does not let us in: Failed to authenticate") as error:
        AiHub().devices()
    assert "wrong" not in str(error.value)
    monkeypatch.setenv(CONFIG, str(tmp_path / "none.ini"))
    with pytest.raises(MissingTool, match="does not let us in: Failed to load client configuration file"):
        AiHub().devices()


def test_the_command_line(hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    """The picture is drawn between 0 and 1, of which ABS makes the same; one layer stays on the CPU."""
    monkeypatch.setattr("exporter.farms.ai_hub.POLL_S", 0.1)
    part = GOOD | {"layers": [*WHOLE, ["head/pack", "PACK", "CPU"]]}
    hub({"Samsung Galaxy S23": part, "Google Pixel 8": GOOD | {"states": [FAILED], "said": "boom"}})
    model = str(write_abs(tmp_path / "abs.tflite", 1))
    words = ["bench", model, "--farm", "ai-hub", "--devices", "Galaxy S23", "--runs", "3", "--threads", "1"]
    assert main([*words, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["phone"] == "Samsung Galaxy S23, Android 14" and row["p50_ms"] == 0.9 and row["backend"] == "npu"
    assert row["golden"]["max_abs"] == 0 and row["accelerated_share"] == pytest.approx(2 / 3)
    assert "PACK" in row["took"] and "it ran on the CPU" in row["took"]
    assert main([*words, "--min-accelerated-share", "0.9"]) == 1
    assert "missed min_accelerated_share: 0.667" in " ".join(capsys.readouterr().out.split())
    words[words.index("Galaxy S23")] = "Galaxy S23,Pixel 8"
    assert main(words) == 3
    assert "not measured: the job failed: boom" in " ".join(capsys.readouterr().out.split())
    words[words.index("Galaxy S23,Pixel 8")] = "Galaxy S33"
    assert main(words) == 2 and "did you mean 'Samsung Galaxy S23'" in capsys.readouterr().err
