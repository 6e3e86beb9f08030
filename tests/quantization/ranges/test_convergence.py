import numpy as np

from exporter.quantization.params import Range
from exporter.quantization.ranges.convergence import movement
from exporter.quantization.ranges.estimators import RangeCollector


def test_ranges_are_noted_after_one_two_four_images():
    collector = RangeCollector[str]()
    for largest in (1.0, 2.0, 3.0, 9.9, 10.0):
        collector.add("a", np.array([0.0, largest], np.float32), "a")
        collector.end_image()
    assert [ranges["a"].high for ranges in collector.after.values()] == [1.0, 2.0, np.float32(9.9)]
    facts = movement(collector.after, collector.ranges(), collector.images)
    assert facts["convergence"].startswith("5 images may be too few")  # 1.0 % of it came after the fourth
    assert facts["ranges_still_to_move"]["after 2"] == "median 80.0 %, largest 80.0 %"


def test_what_settles_for_good_counts():
    final = {"a": Range(0.0, 1.0)}
    back_and_forth = {1: {"a": Range(0, 1)}, 2: {"a": Range(0, 0.5)}, 4: {"a": Range(0, 1)}, 8: {"a": Range(0, 1)}}
    assert movement(back_and_forth, final, 16)["convergence"].startswith("4 images suffice")
