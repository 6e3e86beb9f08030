"""Which precision to ship to a class of devices, by what was measured there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from exporter.figures import fixed
from exporter.measure.results import Latency, Quality, TargetResult, Timing
from exporter.not_measured import NotMeasured

LEAST_SPEEDUP = 1.1  # less is within what two runs on one machine differ
MOST_LOSS_DB = 0.1  # more can be seen in a flicker test


def advise(timings: Iterable[Timing], loss_db: Mapping[str, float]) -> tuple[str, ...]:
    """One sentence per device that ran both an INT8 and a float file, fastest of each; others are passed over.

    `loss_db`: runtime -> mean PSNR that INT8 loses there against the float model.
    """
    fastest: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for timing in timings:
        if isinstance(timing.latency, Latency):
            times = fastest[timing.latency.device, timing.runtime]
            times[timing.precision] = min(timing.latency.p50_ms, times.get(timing.precision, float("inf")))
    return tuple(
        f"{device}: {_advice(times, loss_db.get(runtime))}"
        for (device, runtime), times in fastest.items()
        if "int8" in times and len(times) > 1
    )


def advise_targets(targets: Iterable[TargetResult], table: Iterable[Timing] = ()) -> tuple[str, ...]:
    """The same from a run's targets and its latency table."""
    measured = [target for target in targets if isinstance(target.latency, Latency)]
    timings = [
        Timing(t.artifact.path.name, t.artifact.precision, t.runtime, t.latency.threads, t.latency)
        for t in measured
        if not isinstance(t.latency, NotMeasured)
    ]
    losses = {
        t.runtime: t.quality.loss_db
        for t in measured
        if t.artifact.precision == "int8" and isinstance(t.quality, Quality)
    }
    return advise([*timings, *table], losses)


def preferred(times: Mapping[str, float], loss_db: float | None) -> str:
    """The precision to ship to a device: INT8 where it is faster there and its loss small or unknown.

    `times`: precision -> median ms, of at least one; `loss_db`: mean PSNR that INT8 loses against the float model.
    """
    floats = {precision: ms for precision, ms in times.items() if precision != "int8"}
    if not floats:
        return "int8"
    instead = "fp16" if "fp16" in floats else min(floats, key=lambda precision: floats[precision])
    if "int8" not in times or min(floats.values()) < LEAST_SPEEDUP * times["int8"]:
        return instead
    return "int8" if loss_db is None or loss_db <= MOST_LOSS_DB else instead


def _advice(times: Mapping[str, float], loss_db: float | None) -> str:
    float_ms = min(ms for precision, ms in times.items() if precision != "int8")
    int8_ms, chosen = times["int8"], preferred(times, loss_db)
    if float_ms < LEAST_SPEEDUP * int8_ms:
        return f"ship {chosen}: INT8 is not faster here ({int8_ms:.1f} ms against {float_ms:.1f} ms)"
    faster = f"INT8 is {float_ms / int8_ms:.1f}× faster ({int8_ms:.1f} ms against {float_ms:.1f} ms)"
    if loss_db is None:
        return f"ship INT8 if its loss is small: {faster}"
    if chosen != "int8":
        lost = fixed(loss_db, 2)
        return f"ship {chosen}, unless the time counts more than the picture: {faster} and loses {lost} dB"
    return f"ship INT8: {faster} and loses {fixed(max(loss_db, 0.0), 2)} dB"
