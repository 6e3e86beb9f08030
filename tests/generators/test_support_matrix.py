"""The tool that measures which architecture reaches which target: one real cell, and how verdicts are made."""

import json
import re

import pytest

from tools import support_matrix


def cell(height, width, **more):
    measured = {"status": "ok", "reason": "", "psnr_db": 90.0, "largest_difference": 1e-6, "longest_sum": 0}
    return measured | {"height": height, "width": width} | more


def test_a_real_cell_is_measured_against_pytorch():
    measured = support_matrix.run_cell("multiscale_enhancer", "onnx", 32, 48)
    assert measured["status"] == "ok" and measured["psnr_db"] > 100 and measured["longest_sum"] == 0


def test_the_worse_size_decides():
    verdict = support_matrix.verdict("srcnn", "onnx", [cell(64, 64), cell(64, 96, psnr_db=85.0)])
    assert verdict["status"] == "ok" and verdict["reason"] == "parity 85.0 dB, largest difference 1.0e-06"
    refused = cell(64, 96, status="refused", reason="operator Einsum has rank 6")
    verdict = support_matrix.verdict("srcnn", "onnx", [cell(64, 64), refused])
    assert verdict["status"] == "refused" and verdict["reason"] == "operator Einsum has rank 6"


def test_sums_over_all_pixels_overflow_int8_at_720p():
    cells = [cell(64, 64, longest_sum=4096), cell(64, 96, longest_sum=6144)]
    verdict = support_matrix.verdict("restormer", "tflite_int8", cells)
    assert verdict["status"] == "refused" and "921600 int8 products at 720×1280" in verdict["reason"]
    assert support_matrix.verdict("restormer", "tflite_fp16", cells)["status"] == "ok"
    windows = [cell(64, 64, longest_sum=64), cell(64, 96, longest_sum=64)]
    assert support_matrix.verdict("swinir", "tflite_int8", windows)["status"] == "ok"


def test_what_an_int8_export_needs_is_said():
    verdict = support_matrix.verdict("deblurgan", "ort_int8", [cell(64, 64), cell(64, 96)])
    assert verdict["reason"].endswith("(with norm_mode: calibrated)")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import time; time.sleep(60)", "conversion takes longer than"),
        ("import os; os._exit(11)", r"the converter crashed \(exit status 11\): no word"),
        ("raise IndexError('list index out of range')", "IndexError: list index out of range"),
        ("print('not json')", "the converter crashed"),
    ],
)
def test_a_cell_that_hangs_or_crashes_is_a_verdict(code, says, tmp_path, monkeypatch):
    script = tmp_path / "cell.py"
    script.write_text(code)
    monkeypatch.setattr(support_matrix, "__file__", str(script))
    monkeypatch.setattr(support_matrix, "SECONDS", 2)
    found = support_matrix.run_child("srcnn", "onnx", 64, 96)
    assert found["status"] == "refused" and (found["height"], found["width"]) == (64, 96)
    assert re.search(says, found["reason"])


def test_rows_that_are_not_asked_for_are_kept(tmp_path, monkeypatch):
    old = [{"name": "srcnn", "licence": "x", "targets": {"onnx": {"status": "ok", "reason": "old"}}}]
    results, packaged = tmp_path / "a" / "m.json", tmp_path / "b" / "m.json"
    results.parent.mkdir()
    results.write_text(json.dumps(old))
    monkeypatch.setattr(support_matrix, "RESULTS", results)
    monkeypatch.setattr(support_matrix, "PACKAGED", packaged)
    monkeypatch.setattr(support_matrix, "run_child", lambda name, target, h, w: cell(h, w))
    assert support_matrix.fill({"espcn"}, ["onnx"]) == 0
    rows = json.loads(packaged.read_text())
    assert [row["name"] for row in rows] == ["srcnn", "espcn"]
    assert rows[0]["targets"]["onnx"]["reason"] == "old"
    assert rows == json.loads(results.read_text())
