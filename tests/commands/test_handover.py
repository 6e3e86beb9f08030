"""The end of an export: promises counted, the file to ship, and the next commands, to be copied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.bundle.models import shipped_models
from exporter.commands.handover import show_handover
from exporter.commands.summary import show_summary
from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import Status
from tests.report.demo_outcome import demo_outcome


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return demo_outcome(tmp_path_factory.mktemp("run"), missed=True)


def written(outcome: Outcome, bundle: Path) -> Path:
    for model in shipped_models(outcome):
        (bundle / model.file).parent.mkdir(parents=True, exist_ok=True)
        (bundle / model.file).write_bytes(b"." * 12_345)
    return bundle


def test_the_file_to_ship_and_the_next_commands(outcome, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bundle = written(outcome, Path("dist/demo-1.0"))
    show_handover(outcome, bundle, None, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["bundle: dist/demo-1.0", "report: dist/demo-1.0/report/index.html"]
    assert lines[2].startswith("ship:   dist/demo-1.0/models/")
    assert Path(lines[2].split()[1]).is_file()
    assert lines[3].startswith("        12 kB, ")
    assert "dB to the float model" in lines[3]
    assert lines[4:] == ["next:   exporter verify dist/demo-1.0", "        exporter serve dist/demo-1.0"]


def test_where_nothing_kept_its_promises_nothing_is_shipped(outcome, tmp_path, capsys):
    missed = replace(outcome, verdicts=tuple(replace(v, status=Status.MISSED) for v in outcome.verdicts))
    targets = {verdict.target for verdict in missed.verdicts}
    missed = replace(missed, targets=tuple(target for target in missed.targets if target.name in targets))
    show_handover(missed, tmp_path / "demo-1.0.missed", tmp_path / "demo-1.0", None)
    out = capsys.readouterr().out
    assert "ship:   nothing, no target kept all that the recipe promises of it\n" in out
    assert f"        exporter diff {tmp_path / 'demo-1.0'} {tmp_path / 'demo-1.0.missed'}\n" in out


def test_what_need_not_be_here_takes_one_line_an_engine(outcome, capsys):
    one = replace(
        outcome.verdicts[0],
        runtime="litert_arm",
        status=Status.NOT_MEASURED,
        demanded=False,
        sentence="onnx: parity on litert_arm was not measured: run `exporter runtimes --install arm`",
    )
    show_summary(replace(outcome, verdicts=(one, replace(one, target="other"), replace(one, demanded=True))))
    out = capsys.readouterr().out
    assert "  not measured: 2 promises on litert_arm: run `exporter runtimes --install arm`\n" in out
    assert f"  not measured: {one.sentence}\n" in out
