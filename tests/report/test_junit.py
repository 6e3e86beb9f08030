from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from exporter.report.junit import junit
from tests.report.demo_outcome import demo_outcome


def test_missed_is_a_failure_and_not_measured_is_skipped(tmp_path: Path) -> None:
    outcome = demo_outcome(tmp_path, missed=True)
    root = ElementTree.fromstring(junit(outcome))
    suite = root[0]
    assert (root.get("tests"), root.get("failures"), root.get("skipped"), root.get("errors")) == ("11", "1", "2", "0")
    cases = list(suite.iter("testcase"))
    assert len(cases) == len(outcome.verdicts)
    failed = [case for case in cases if case.find("failure") is not None]
    assert [case.get("classname") for case in failed] == ["mobile_deblur.onnx_int8.onnxruntime_cpu"]
    assert "promised at most" in (failed[0].find("failure").get("message") or "")  # type: ignore[union-attr]
    skipped = [case for case in cases if case.find("skipped") is not None]
    assert [case.get("name") for case in skipped] == [
        "tflite_int8: min_parity_db on litert_arm",
        "tflite_int8_old: min_parity_db on tflite_runtime",
    ]
    reasons = [case.find("skipped").get("message") for case in skipped]  # type: ignore[union-attr]
    assert all("is not installed" in (reason or "") for reason in reasons)
    assert len({case.get("name") for case in cases}) == len(cases)


def test_names_xml_cannot_write_do_not_break_it(tmp_path: Path) -> None:
    outcome = demo_outcome(tmp_path, missed=True)
    hostile = "a\x00\x07<b>&\"']]>\ud800\n"
    verdicts = tuple(replace(v, target=hostile, promise=hostile, sentence=hostile) for v in outcome.verdicts)
    text = junit(replace(outcome, name=hostile, verdicts=verdicts))
    root = ElementTree.fromstring(text.encode())
    assert "<b>&" in (next(root.iter("testcase")).get("name") or "")
