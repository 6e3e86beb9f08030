"""A network without a final clamp is told of it once, a file with what it gives beyond."""

from __future__ import annotations

from dataclasses import replace

from exporter.data.shown import Overshoot
from exporter.measure.overshoot import overshoot_findings
from exporter.measure.results import Parity

INSIDE = Parity(3, 50.0, 52.0, 0.01, "a")


def test_pictures_within_the_range_are_not_mentioned():
    assert list(overshoot_findings(INSIDE)) == []


def test_an_int8_file_ends_where_the_float_model_goes_on():
    (finding,) = overshoot_findings(replace(INSIDE, reference_overshoot=Overshoot(0.25, 0.125)))
    assert finding.severity == "note"
    assert "by up to 0.25 on 12.50% of the pixels, the file does not" in finding.message


def test_a_float_files_uncut_parity_is_named_so():
    beyond = Overshoot(0.25, 0.125)
    parity = replace(INSIDE, unclamped_worst_psnr_db=44.0, overshoot=beyond, reference_overshoot=beyond)
    (finding,) = overshoot_findings(parity)
    assert "uncut, its worst picture is 44.0 dB from the float model's" in finding.message
    (wild,) = overshoot_findings(replace(INSIDE, unclamped_worst_psnr_db=20.0, overshoot=beyond))
    assert "the file by 0.25" in wild.message
