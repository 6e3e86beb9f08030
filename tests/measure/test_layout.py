"""No permutation may pass, whether it sits in the output, in the input or on both sides; real files throughout."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from exporter.measure.layout import asymmetric_image, both_sides_changes, check_layout, judge_layout, rearrangements
from exporter.measure.parity import parity_db
from exporter.runtimes import runtime
from tests.runtimes.tiny_models import HEIGHT, WIDTH, TinyFiles

TORCH, ORT, LITERT = runtime("torch_cpu"), runtime("onnxruntime_cpu"), runtime("litert_cpu")
SIZE = 40
BGR = ("Gather", {"axis": 1}, np.array([2, 1, 0]))
TURN = ("Transpose", {"perm": [0, 1, 3, 2]})
UPSIDE_DOWN = ("Gather", {"axis": 2}, np.arange(SIZE)[::-1].copy())
MIRRORED = ("Gather", {"axis": 3}, np.arange(SIZE)[::-1].copy())
# An NCHW tensor whose memory somebody takes for NHWC.
MISREAD = [("Reshape", {}, np.array([1, SIZE, SIZE, 3])), ("Transpose", {"perm": [0, 3, 1, 2]})]
NHWC_MISREAD = [("Transpose", {"perm": [0, 2, 3, 1]}), ("Reshape", {}, np.array([1, 3, SIZE, SIZE]))]
WRONG = {
    "bgr_out": {"after": [BGR]},
    "bgr_in": {"before": [BGR]},
    "bgr_both": {"before": [BGR], "after": [BGR]},
    "turned_out": {"after": [TURN]},
    "turned_in": {"before": [TURN]},
    "turned_both": {"before": [TURN], "after": [TURN]},
    "upside_down": {"after": [UPSIDE_DOWN]},
    "upside_down_both": {"before": [UPSIDE_DOWN], "after": [UPSIDE_DOWN]},
    "mirrored_both": {"before": [MIRRORED], "after": [MIRRORED]},
    "misread_out": {"after": MISREAD},
    "misread_in": {"before": MISREAD},
    "nhwc_misread_out": {"after": NHWC_MISREAD},
    "nan": {"after": [("Div", {}, np.float32(0)), ("Sub", {}, np.float32(np.inf))]},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_every_permutation_is_found(wrong: str, tiny: TinyFiles):
    artifact = tiny.onnx(f"layout_{wrong}", SIZE, SIZE, **WRONG[wrong])
    (finding,) = check_layout(ORT, artifact, TORCH, tiny.torch(SIZE, SIZE), 1)
    assert (finding.severity, finding.rule) == ("error", "layout")


def test_the_finding_names_the_mistake(tiny: TinyFiles):
    def message(wrong: str) -> str:
        artifact = tiny.onnx(f"layout_{wrong}", SIZE, SIZE, **WRONG[wrong])
        return check_layout(ORT, artifact, TORCH, tiny.torch(SIZE, SIZE), 1)[0].message

    assert "order BGR" in message("bgr_out")
    assert "BGR instead of RGB, at input and output alike" in message("bgr_both")
    assert "NCHW buffer read as NHWC" in message("misread_out")
    assert "NHWC buffer read as NCHW" in message("nhwc_misread_out")
    assert "height and width swapped" in message("turned_out")


@pytest.mark.parametrize("kind", ["fp32", "fp16", "int8", "uint8"])
def test_right_files_pass(kind: str, tiny: TinyFiles):
    assert check_layout(LITERT, tiny.tflite(kind), TORCH, tiny.torch(), 1) == ()


def test_right_onnx_files_pass(tiny: TinyFiles):
    assert check_layout(ORT, tiny.onnx("square", SIZE, SIZE), TORCH, tiny.torch(SIZE, SIZE), 1) == ()
    assert check_layout(ORT, tiny.qdq(), TORCH, tiny.torch(), 1) == ()


def test_a_description_of_the_output_that_lies_is_found(tiny: TinyFiles):
    """The file gives NHWC, its description says NCHW: height and channels trade places."""
    good = tiny.tflite()
    lying = replace(good, output=replace(good.output, layout="NCHW"))
    (finding,) = check_layout(LITERT, lying, TORCH, tiny.torch(), 1)
    assert "shape" in finding.message


@pytest.mark.parametrize(("height", "width"), [(40, 40), (32, 48), (256, 256), (720, 1280), (16, 16)])
def test_the_asymmetric_image_is_far_from_all_its_rearrangements(height: int, width: int):
    image = asymmetric_image(height, width)
    assert image.shape == (height, width, 3) and image.dtype == np.float32
    assert image.min() >= 0.05 and image.max() <= 0.95
    others = dict(rearrangements(image))
    assert len(others) == (47 if height == width else 23) + 2
    for name, other in others.items():
        assert parity_db(image, other) < 22, name


def test_each_both_sides_change_undoes_itself():
    image = asymmetric_image(SIZE, SIZE)
    for name, change in both_sides_changes(square=True).items():
        assert np.array_equal(change(change(image)), image), name
    assert len(both_sides_changes(square=False)) == len(both_sides_changes(square=True)) - 1


def test_a_poor_but_straight_picture_passes_and_a_poor_swapped_one_does_not():
    """Noise of 26 dB, as a bad INT8 file has: that is parity's business, not layout's."""
    expected = asymmetric_image(HEIGHT, WIDTH)
    noisy = expected + np.random.default_rng(0).normal(0, 0.05, expected.shape).astype(np.float32)
    assert judge_layout(noisy, expected, {}) == ()
    assert judge_layout(noisy[:, :, ::-1], expected, {})[0].rule == "layout"


def test_no_clear_winner_is_no_pass():
    """Half right, half swapped: whatever is nearest, it is not clearly the right one."""
    expected = asymmetric_image(SIZE, SIZE)
    blend = (expected + expected[:, :, ::-1]) / 2
    (finding,) = judge_layout(blend, expected, {"BGR instead of RGB": expected[:, :, ::-1]})
    assert finding.severity == "error" and "another picture" in finding.message


def test_a_coarse_file_of_a_nearly_flat_picture_is_not_accused():
    """Differences of channels and axes drown in what eight bits leave: nobody can say, and nothing is wrong."""
    expected = 0.5 + 0.01 * asymmetric_image(SIZE, SIZE)
    coarse = expected + np.random.default_rng(0).normal(0, 0.02, expected.shape).astype(np.float32)
    (finding,) = judge_layout(coarse, expected, {})
    assert finding.severity == "warning" and "cannot decide" in finding.message
    assert judge_layout(expected, expected, {}) == ()  # a float file shows it all the same
    swapped = expected + np.float32(1e-5)
    assert judge_layout(swapped[:, :, ::-1], expected, {})[0].severity == "error"


def test_what_is_not_shown_accuses_nobody():
    """A network without a final clamp beside its INT8 file, which ends at 0 and 1; only what is between is compared."""
    expected = 6 * asymmetric_image(SIZE, SIZE) - 2.5
    assert judge_layout(np.clip(expected, 0, 1), expected, {}) == ()
    assert judge_layout(np.clip(expected, 0, 1)[::-1], expected, {})[0].severity == "error"
