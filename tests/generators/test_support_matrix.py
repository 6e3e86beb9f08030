"""The tool that measures which architecture reaches which target: one real cell, and how verdicts are made."""

import json
import re

import pytest

from exporter.commands.generators import TITLES, read_verdicts
from exporter.generators.table import GENERATORS
from tools import matrix_cell, support_matrix, update_figures


def cell(height, width, **more):
    measured = {"status": "ok", "reason": "", "psnr_db": 90.0, "largest_difference": 1e-6, "longest_sum": 0}
    return measured | {"height": height, "width": width} | more


def test_a_real_cell_is_measured_against_pytorch():
    measured = matrix_cell.run_cell("multiscale_enhancer", "onnx", 32, 48)
    assert measured["status"] == "ok" and measured["psnr_db"] > 100


@pytest.mark.extra("tensorrt-rtx")
def test_a_tensorrt_cell_builds_an_engine_from_a_file_that_lint_passes():
    measured = matrix_cell.run_cell("multiscale_enhancer", "tensorrt", 32, 48)
    assert measured["status"] == "ok" and measured["builder"].startswith("tensorrt_rtx 1.")
    assert measured["int8_mac_share"] == 1 and measured["lint"] == [] and measured["weights_bytes"] > 0
    cells = [measured | {"height": 32, "width": width} for width in (48, 64)]
    verdict = support_matrix.verdict("multiscale_enhancer", "tensorrt", cells)
    assert verdict["reason"].startswith("engine built, 100% of its products in INT8; its ONNX file: parity ")


def test_the_worse_size_decides():
    verdict = support_matrix.verdict("srcnn", "onnx", [cell(64, 64), cell(64, 96, psnr_db=85.0)])
    assert verdict["status"] == "ok" and verdict["reason"] == "parity 85.0 dB, largest difference 1.0e-06"
    refused = cell(64, 96, status="refused", reason="operator Einsum has rank 6")
    verdict = support_matrix.verdict("srcnn", "onnx", [cell(64, 64), refused])
    assert verdict["status"] == "refused" and verdict["reason"] == "operator Einsum has rank 6"


def test_sums_over_all_pixels_overflow_int8_at_720p():
    cells = [cell(64, 64, longest_sum=4096), cell(64, 96, longest_sum=6144)]
    verdict = support_matrix.verdict("restormer", "ort_int8", cells)
    assert verdict["status"] == "refused" and "921600 int8 products at 720×1280" in verdict["reason"]
    assert support_matrix.verdict("restormer", "tflite_fp16", cells)["status"] == "ok"
    windows = [cell(64, 64, longest_sum=64), cell(64, 96, longest_sum=64)]
    assert support_matrix.verdict("swinir", "tflite_int8", windows)["status"] == "ok"


def test_what_an_int8_export_needs_is_said():
    verdict = support_matrix.verdict("deblurgan", "ort_int8", [cell(64, 64), cell(64, 96)])
    assert verdict["reason"].endswith("(with norm_mode: calibrated)")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import time; time.sleep(60)", "conversion takes longer than"),
        ("while True: pass", "conversion takes longer than"),
        ("import os; os._exit(11)", r"the converter crashed \(exit status 11\): no word"),
        ("raise IndexError('list index out of range')", "IndexError: list index out of range"),
        ("print('not json')", "the converter crashed"),
    ],
)
def test_a_cell_that_hangs_or_crashes_is_a_verdict(code, says, tmp_path, monkeypatch):
    script = tmp_path / "cell.py"
    script.write_text(code)
    monkeypatch.setattr(support_matrix, "__file__", str(script))
    monkeypatch.setattr(support_matrix, "SECONDS", 1)
    found = support_matrix.run_child("srcnn", "onnx", 64, 96)
    assert found["status"] == "refused" and (found["height"], found["width"]) == (64, 96)
    assert re.search(says, found["reason"])


def test_an_engine_that_is_not_here_leaves_the_cell_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path / "none"))
    measured = support_matrix.run_here("multiscale_enhancer", "gpu_delegate", 32, 48)
    assert measured["status"] == "not measured" and "exporter runtimes --install litert_gpu" in measured["reason"]
    results = tmp_path / "m.json"
    results.write_text("[]")
    monkeypatch.setattr(support_matrix, "RESULTS", results)
    support_matrix.fill({"multiscale_enhancer"}, ["gpu_delegate"], run=lambda *_: measured)
    assert results.read_text() == "[]"


def test_cells_that_are_not_asked_for_are_kept(tmp_path, monkeypatch):
    old = [{"name": "srcnn", "licence": "x", "targets": {"onnx": {"status": "ok", "reason": "old"}}}]
    results = tmp_path / "m.json"
    results.write_text(json.dumps(old))
    monkeypatch.setattr(support_matrix, "RESULTS", results)
    monkeypatch.setattr(support_matrix, "run_child", lambda name, target, h, w: cell(h, w))
    assert support_matrix.fill({"espcn"}, ["onnx"]) == 0
    rows = json.loads(results.read_text())
    assert [row["name"] for row in rows] == ["srcnn", "espcn"]
    assert rows[0]["targets"]["onnx"]["reason"] == "old"
    assert support_matrix.fill({"srcnn"}, ["onnx", "tflite_fp32"], missing=True) == 0
    targets = json.loads(results.read_text())[0]["targets"]
    assert targets["onnx"]["reason"] == "old" and targets["tflite_fp32"]["reason"].startswith("parity 90.0 dB")


def test_every_architecture_has_a_verdict_for_every_target():
    verdicts = read_verdicts()
    assert set(verdicts) == {info.name for info in GENERATORS} and set(TITLES) == set(matrix_cell.TARGETS)
    for name, targets in verdicts.items():
        assert set(targets) == set(TITLES), name
        for target, verdict in targets.items():
            assert verdict["status"] in ("ok", "refused") and verdict["reason"], (name, target)
            assert "not implemented" not in verdict["reason"] and "crashed" not in verdict["reason"]


def test_the_documentation_shows_the_matrix():
    page = update_figures.PAGES["matrix"].read_text(encoding="utf-8")
    shown = page.split("<!-- matrix:begin -->\n")[1].split("\n<!-- matrix:end -->")[0]
    assert shown == update_figures.support_matrix(), "run tools/update_figures.py"
