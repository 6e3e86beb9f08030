from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from exporter.measure.results import Latency
from exporter.report.charts import change_chart, cost_chart, histogram, latency_chart, quality_chart
from exporter.report.stages import steps
from tests.report.demo_outcome import demo_outcome


def texts(svg: str) -> list[str]:
    """The words of a chart; that they can be read shows it is XML and its text is text."""
    return [
        "".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("text")
    ]


def test_the_charts_say_the_figures_in_the_pages_colours(tmp_path: Path) -> None:
    compared = steps(demo_outcome(tmp_path).stages)
    quality, change = quality_chart(compared), change_chart(compared)
    assert {"Teacher", "TFLite INT8", "30.91", "input"} <= set(texts(quality))
    assert {"Student", "\u22120.49"} <= set(texts(change))
    for svg in (quality, change):
        assert "var(--accent)" in svg or "var(--bad)" in svg
        assert re.search(r"#0(\d)0\1", svg) is None, "every stand-in colour was replaced"
        assert "DejaVu" not in svg
        assert ElementTree.fromstring(svg).get("role") == "img"
    assert "Teacher 30.91 dB, Pruned 30.83 dB" in str(ElementTree.fromstring(quality).get("aria-label"))


def test_the_cost_of_smaller_networks_is_drawn_where_a_stage_changed_it(tmp_path: Path) -> None:
    compared = steps(demo_outcome(tmp_path).stages)
    drawn = texts(cost_chart(compared))
    assert {"Teacher", "Pruned", "Student", "gain, dB"} <= set(drawn)
    assert "ONNX" not in drawn, "a file that computes what its network computed"
    assert cost_chart(compared[:1]) == ""


def test_the_ladder_joins_every_rung_with_what_it_was_made_from(tmp_path: Path) -> None:
    """Teacher with Pruned and with Student, which learned from it; never Pruned with Student."""
    stages = demo_outcome(tmp_path).stages
    lines = cost_chart(steps(stages)).count("stroke: var(--soft)")
    assert lines == 2
    told = replace(stages[2].artifact, history=("teacher", "prune", "distill learn_from=source steps=5"))
    compared = steps((*stages[:2], replace(stages[2], artifact=told)))
    assert [step.parent for step in compared] == [None, "Teacher", "Pruned"]


def test_targets_ten_times_apart_get_a_log_axis(tmp_path: Path) -> None:
    near = [("a", Latency("cpu", 2, (5.0, 6.0))), ("b", Latency("cpu", 2, (9.0,)))]
    far = [*near, ("c", Latency("cpu", 2, (90.0, 95.0)))]
    assert "0" in texts(latency_chart(near))
    assert "0" not in texts(latency_chart(far))
    assert "90.0 ms" not in texts(latency_chart(near))
    assert "92.5 ms" in texts(latency_chart(far))


def test_odd_values_draw_a_histogram_too() -> None:
    for values in ((), (0.5,), (3.0, 3.0), (float("nan"), 0.0, 1.0)):
        for log in (False, True):
            assert "images" in texts(histogram(values, "value", log=log))
