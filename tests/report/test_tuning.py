"""What the page says of the settings that were tried."""

import re
from dataclasses import replace
from pathlib import Path

from exporter.report import write_report
from tests.report.demo_outcome import demo_outcome

TABLE = {
    "learned_from": 16,
    "judged_by": 15,
    "chosen": 1,
    "trials": [
        {"settings": {}, "parity_db": 41.33, "worst_db": 35.0},
        {"settings": {"equalize": True, "rounding": "adaptive"}, "parity_db": 43.84, "worst_db": 37.06},
        {"settings": {"equalize": True, "ranges": "mse"}, "parity_db": 42.54, "worst_db": 33.23},
    ],
}


def test_trials_have_their_own_section(tmp_path: Path):
    outcome = replace(demo_outcome(tmp_path / "run"), notes={"quantize_tflite": {"ranges": "minmax", "tuning": TABLE}})
    page = write_report(outcome, tmp_path).read_text(encoding="utf-8")
    section = page[page.index('id="tuning"') : page.index('id="inside"')]
    said = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    assert "made an INT8 file from 16 calibration images and was judged by 15 others" in said
    assert "minmax ranges, nearest rounding 41.3 dB 35.0 dB equalize, adaptive rounding 43.8 dB 37.1 dB chosen" in said
    assert said.count("chosen") == 1
    assert "mse ranges" in said
    assert "learned_from" not in page[page.index("What the stages noted") :]


def test_nothing_tried_no_section(tmp_path: Path):
    page = write_report(demo_outcome(tmp_path / "run"), tmp_path).read_text(encoding="utf-8")
    assert "settings tried" not in page
