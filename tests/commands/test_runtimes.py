from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import pytest

from exporter import engines
from exporter.cli import main
from exporter.engines.base import Say
from exporter.errors import EngineError


class GoodEngine:
    name: ClassVar[str] = "good"
    about: ClassVar[str] = "an engine"

    def installed(self) -> str | None:
        return None

    def install(self, say: Say) -> None:
        say("engine 1.2")


class LostEngine(GoodEngine):
    name: ClassVar[str] = "lost"

    def install(self, say: Say) -> None:
        raise EngineError("Debian bookworm does not serve the package engine")


def test_the_list_names_every_engine_and_what_is_missing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    assert main(["runtimes", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["litert_cpu"] == {"name": "litert_cpu", "takes": "tflite", "missing": None}
    assert "exporter runtimes --install" in listed["litert_gpu"]["missing"]


def test_one_lost_part_does_not_keep_the_others_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "ENGINES", (LostEngine(), GoodEngine()))
    assert main(["runtimes", "--install"]) == 4
    out = capsys.readouterr().out
    assert "lost:   not installed: Debian bookworm does not serve the package engine" in out
    assert "good:   engine 1.2" in out and "litert_cpu" in out, "the table comes last"
    assert main(["runtimes", "--install", "good", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) and "engine 1.2" in said.err


def test_an_engine_that_nobody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runtimes", "--install", "gpu"]) == 2
    assert "no engine is named 'gpu'; known: ai_hub, arm, litert, litert_gpu" in capsys.readouterr().err
