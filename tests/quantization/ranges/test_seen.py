"""What is added to make the last picture needs no range beyond what the sum can show."""

from exporter.quantization.float_regions import Step
from exporter.quantization.params import Range
from exporter.quantization.ranges.seen import narrowed_to_seen, seen_limits

WIDE = Range(-9.0, 12.0)


def narrowed(steps, **ranges):
    return narrowed_to_seen(steps, ranges, ["x"], ["out"])


def test_a_residual_ends_where_the_sum_with_a_picture_does():
    steps = [Step("Conv", ("x",), ("r",), True), Step("Add", ("x", "r"), ("out",))]
    assert narrowed(steps, r=WIDE, out=WIDE) == {"r": Range(-1.0, 1.0), "out": Range(0.0, 1.0)}


def test_what_is_subtracted_is_turned_round_and_a_narrow_one_stays():
    steps = [Step("SUB", ("x", "r"), ("s",)), Step("RELU_0_TO_1", ("s",), ("out",))]
    assert narrowed(steps, r=Range(-0.2, 5.0), s=WIDE)["r"] == Range(-0.2, 1.0)
    assert narrowed(steps, r=Range(-0.2, 0.3), s=WIDE)["r"] == Range(-0.2, 0.3)


def test_moves_are_followed_and_moved_pictures_are_pictures():
    steps = [
        Step("Transpose", ("x",), ("planes",)),
        Step("DepthToSpace", ("r",), ("large",)),
        Step("Add", ("large", "planes"), ("sum",)),
        Step("Transpose", ("sum",), ("out",)),
    ]
    assert narrowed(steps, r=WIDE)["r"] == Range(-1.0, 1.0)


def test_the_other_term_takes_its_range_and_room_with_it():
    steps = [Step("Add", ("a", "b"), ("out",))]
    assert seen_limits(steps, {"b": Range(0.0, 8.0)}, [], ["out"])["a"] == Range(-9.0, 2.0)
    assert "a" not in seen_limits(steps, {}, [], ["out"])


def test_what_others_read_keeps_its_range():
    steps = [Step("Add", ("x", "r"), ("out",)), Step("Conv", ("r",), ("other",), True)]
    assert narrowed(steps, r=WIDE)["r"] == WIDE


def test_a_blend_of_pixels_is_no_limit_to_what_it_is_made_of():
    steps = [Step("Resize", ("r",), ("large",)), Step("Add", ("x", "large"), ("out",))]
    assert narrowed(steps, r=WIDE)["r"] == WIDE
