"""What to ship is said from measured times and losses alone."""

from __future__ import annotations

import pytest

from exporter.measure.advice import advise
from exporter.measure.results import Latency, Timing
from exporter.not_measured import NotMeasured


def timing(precision: str, ms: float, device: str = "phone", runtime: str = "litert_cpu") -> Timing:
    return Timing(f"m.{precision}", precision, runtime, 2, Latency(device, 2, (ms,)))


@pytest.mark.parametrize(
    ("int8_ms", "loss_db", "says"),
    [
        (3.0, 0.01, "phone: ship INT8: INT8 is 2.5× faster (3.0 ms against 7.4 ms) and loses 0.01 dB"),
        (3.0, -0.02, "phone: ship INT8: INT8 is 2.5× faster (3.0 ms against 7.4 ms) and loses 0.00 dB"),
        (3.0, None, "phone: ship INT8 if its loss is small: INT8 is 2.5× faster (3.0 ms against 7.4 ms)"),
        (7.2, 0.01, "phone: ship fp16: INT8 is not faster here (7.2 ms against 7.4 ms)"),
        (63.0, 0.01, "phone: ship fp16: INT8 is not faster here (63.0 ms against 7.4 ms)"),
        (3.0, 0.8, "phone: ship fp16, unless the time counts more than the picture: "
                   "INT8 is 2.5× faster (3.0 ms against 7.4 ms) and loses 0.80 dB"),
        (3.0, float("nan"), "phone: ship fp16, unless the time counts more than the picture: "
                            "INT8 is 2.5× faster (3.0 ms against 7.4 ms) and loses nan dB"),
    ],
)  # fmt: skip
def test_advice(int8_ms: float, loss_db: float | None, says: str) -> None:
    timings = [timing("fp32", 7.4), timing("fp16", 7.5), timing("int8", int8_ms)]
    assert advise(timings, {} if loss_db is None else {"litert_cpu": loss_db}) == (says,)


def test_every_device_gets_its_own_sentence_and_an_unmeasured_one_none() -> None:
    timings = [
        *(timing(precision, ms) for precision, ms in (("fp32", 8.0), ("int8", 4.0))),
        *(timing(precision, ms, "old", "tflite_runtime") for precision, ms in (("fp32", 8.0), ("int8", 40.0))),
        timing("fp32", 9.0, "lonely"),
        Timing("m.int8", "int8", "lonely", 2, NotMeasured("it crashed")),
    ]
    said = advise(timings, {"litert_cpu": 0.0})
    assert [sentence.split(":")[0] for sentence in said] == ["phone", "old"]
    assert "ship fp32: INT8 is not faster" in said[1]
