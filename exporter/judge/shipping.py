"""Which of a run's files to ship first: one answer for everybody who asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exporter.artifact import Format
from exporter.judge.verdicts import Status, Verdict
from exporter.measure.advice import MOST_LOSS_DB, preferred
from exporter.measure.results import Latency, Quality, TargetResult

_FIRST = (Format.TFLITE, Format.ONNX)  # what apps take; a TensorRT engine or an NPU's file runs on one device alone


def file_to_ship(targets: Iterable[TargetResult], verdicts: Iterable[Verdict]) -> TargetResult | None:
    """The target whose file an app takes first: of those that missed nothing and were measured the one for a phone's
    processor, INT8 where that is faster and costs next to nothing. None where no target kept what it promised.
    """
    fell_short = {
        verdict.target
        for verdict in verdicts
        if verdict.status is Status.MISSED or (verdict.status is Status.NOT_MEASURED and verdict.demanded)
    }
    kept = [target for target in targets if target.name not in fell_short]
    for format in (*_FIRST, *dict.fromkeys(target.artifact.format for target in kept)):
        if fitting := [target for target in kept if target.artifact.format == format]:
            runtime = fitting[0].runtime  # times of one runtime alone are compared
            return _chosen([target for target in fitting if target.runtime == runtime])
    return None


def _chosen(targets: Sequence[TargetResult]) -> TargetResult:
    """Of several files on one runtime."""
    first: dict[str, TargetResult] = {target.artifact.precision: target for target in reversed(targets)}
    times = {precision: t.latency.p50_ms for precision, t in first.items() if isinstance(t.latency, Latency)}
    int8 = first.get("int8")
    loss_db = int8.quality.loss_db if int8 and isinstance(int8.quality, Quality) else None
    if times:
        return first[preferred(times, loss_db)]
    return int8 if int8 and loss_db is not None and loss_db <= MOST_LOSS_DB else first.get("fp16", targets[0])
