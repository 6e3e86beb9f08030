"""What the page says of a search for mixed precision."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema

from exporter.report import write_report
from exporter.report.document import schema
from exporter.report.precision import pareto_front
from tests.report.demo_outcome import demo_outcome

LAYERS = [
    {"name": "/stem/Conv", "kind": "CONV_2D", "precision": "int8", "why": "", "alone_loss_db": 0.004},
    {"name": "/gate/Mul", "kind": "MUL", "precision": "float", "why": "the budget needs it", "alone_loss_db": 0.31},
    {"name": "/head/Conv", "kind": "CONV_2D", "precision": "int8", "why": "", "alone_loss_db": 0.002},
]
TRIALS = [
    {"float": [], "loss_db": 0.42, "worst_loss_db": 0.9, "ms": 3.1},
    {"float": [1], "loss_db": 0.031, "worst_loss_db": 0.06, "ms": 3.4},
    {"float": [0, 1], "loss_db": 0.028, "worst_loss_db": 0.05, "ms": 4.9},
    {"float": [0, 2], "loss_db": 0.40, "worst_loss_db": 0.8, "ms": 4.2},
]
TABLE = {
    "max_loss_db": 0.05,
    "float_psnr_db": 30.0,
    "images": 8,
    "threads": 2,
    "float_ms": 7.4,
    "times_of_this_run": 4,
    "chosen": 1,
    "layers": LAYERS,
    "trials": TRIALS,
}


def _with(outcome, table):
    return replace(outcome, notes={"quantize_tflite int8": {"requantizations": 2, "mixed_precision": table}})


def test_the_search_has_its_own_section(tmp_path: Path):
    write_report(_with(demo_outcome(tmp_path / "run"), TABLE), tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    section = page[page.index('id="precision"') : page.index('id="inside"')]
    said = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    assert "1 of 3 layers are asked to stay in float. The file loses 0.031 dB in 3.4 ms" in said
    assert "all in int8 it would lose 0.420 dB in 3.1 ms, the float network takes 7.4 ms" in said
    assert "MUL /gate/Mul 0.3100 dB the budget needs it" in said
    assert "/stem/Conv" not in said
    assert section.count("<svg") == 1
    notes = page[page.index("What the stages noted") :]
    assert "requantizations" in notes and "alone_loss_db" not in notes
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema())
    assert report["notes"]["quantize_tflite int8"]["mixed_precision"]["trials"] == TRIALS


def test_a_search_that_left_nothing_in_float_says_so(tmp_path: Path):
    layers = [layer | {"precision": "int8", "why": "", "alone_loss_db": None} for layer in LAYERS]
    write_report(_with(demo_outcome(tmp_path / "run"), TABLE | {"layers": layers, "chosen": 0}), tmp_path)
    assert "the budget is kept with every layer in int8" in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_no_search_no_section(tmp_path: Path):
    page = write_report(demo_outcome(tmp_path / "run"), tmp_path).read_text(encoding="utf-8")
    assert "Mixed precision" not in page


def test_the_front_holds_what_nothing_beats_in_both():
    assert [trial["ms"] for trial in pareto_front(TRIALS)] == [3.1, 3.4, 4.9]
