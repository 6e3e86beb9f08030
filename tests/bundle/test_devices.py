"""The table that a card opens with: which file to ship to which device."""

from __future__ import annotations

from pathlib import Path

from exporter.bundle.card import runtime_card
from exporter.bundle.devices import rows_of
from exporter.bundle.manifest import read_manifest
from exporter.judge.verdicts import Status, Verdict


def verdict(target: str, promise: str, status: Status, limit: float = 40.0, demanded: bool = True) -> Verdict:
    return Verdict(target, promise, "litert_cpu", limit, None, status, f"{target}: {promise}", demanded)


def test_phones_come_first_and_each_row_says_why(pristine: Path) -> None:
    rows = rows_of(read_manifest(pristine), (), ())
    said = [(row.model.file.split("/")[1], row.device) for row in rows]
    assert said == [
        ("mobile_deblur.int8.tflite", "CPU of a phone or board (XNNPACK)"),
        ("mobile_deblur.fp16.tflite", "GPU delegate of a phone"),
        ("mobile_deblur.fp32.tflite", "CPU, where INT8 is too coarse"),
        ("mobile_deblur.int8.onnx", "CPU with ONNX Runtime"),
    ]
    assert rows[0].why.endswith("% of the fp32 file's size, 0.110 dB less")
    assert {row.time for row in rows} == {"see `report/`"}, "no time was promised"


def test_without_int8_the_float_file_is_for_the_cpu_too(pristine: Path) -> None:
    manifest = read_manifest(pristine)
    floats = tuple(model for model in manifest.models if model.precision == "fp16")
    (row,) = rows_of(manifest.model_copy(update={"models": floats}), (), ())
    assert row.device == "GPU delegate, and CPU: there is no INT8 file"


def test_a_row_says_what_was_not_kept_and_which_time_was_promised(pristine: Path) -> None:
    verdicts = (
        verdict("tflite_int8", "min_gain_db", Status.MISSED),
        verdict("tflite_int8", "max_latency_ms", Status.KEPT, 5.0),
        verdict("tflite_fp16", "min_parity_db", Status.NOT_MEASURED),
        verdict("tflite_fp32", "min_parity_db", Status.KEPT),
        verdict("tflite_fp32", "also", Status.NOT_MEASURED, demanded=False),
    )
    int8, fp16, fp32, onnx = rows_of(read_manifest(pristine), verdicts, ())
    assert int8.promises == "**do not ship: 1 missed of 2**" and int8.time == "at most 5 ms on litert_cpu"
    assert fp16.promises == "**not proved: 1 not measured**"
    assert (fp32.promises, onnx.promises) == ("1 kept, 1 not measured", "no promise was made")
    card = runtime_card(read_manifest(pristine), pristine, verdicts)
    assert card.index("This is not what was promised") < card.index("do not ship") < card.index("`report/index.html`")


def test_a_time_that_was_missed_or_not_measured_is_no_time(pristine: Path) -> None:
    for status, said in (
        (Status.MISSED, "**longer than** 5 ms"),
        (Status.NOT_MEASURED, "not measured, promised: 5 ms"),
    ):
        late = verdict("tflite_int8", "max_latency_ms", status, 5.0)
        assert rows_of(read_manifest(pristine), (late,), ())[0].time == f"{said} on litert_cpu"
