"""All targets of a run with their times: each in turn, so that figures of one run can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from exporter.measure.evaluation import Renderings
from exporter.measure.latency import Call, Measured, time_calls
from exporter.measure.results import NOT_TIMED, TargetResult
from exporter.runtimes import runtime

MOST_RUNS, MOST_WARMUP = 10, 2  # of a further size: a large picture takes a second

Key = tuple[str, str]  # target, and the signature of a further size


def time_targets(
    targets: Sequence[TargetResult], pictures: Mapping[str, Renderings], runs: int, warmup: int
) -> tuple[TargetResult, ...]:
    """`targets`, and the further sizes of their files, all that ran with its time; the first of its `pictures` goes in.

    `pictures`: by signature, those of the targets themselves under "".
    """
    of_targets = {(target.name, ""): _call(target, "", pictures) for target in targets if target.latency == NOT_TIMED}
    of_sizes = {
        (target.name, size.signature): _call(target, size.signature, pictures)
        for target in targets
        for size in target.sizes[1:]
        if size.latency == NOT_TIMED
    }
    timed = _timed(of_targets, runs, warmup) | _timed(of_sizes, min(runs, MOST_RUNS), min(warmup, MOST_WARMUP))
    return tuple(_with_times(target, timed) for target in targets)


def _call(target: TargetResult, signature: str, pictures: Mapping[str, Renderings]) -> Call:
    renderings, file = pictures[signature], target.artifact
    if signature:
        file = file.at(next(one for one in file.signatures if one.name == signature))
    return Call(runtime(target.runtime), file, renderings.threads, renderings.evaluation[0].blurred)


def _timed(calls: Mapping[Key, Call], runs: int, warmup: int) -> dict[Key, Measured]:
    return dict(zip(calls, time_calls(list(calls.values()), runs, warmup), strict=True))


def _with_times(target: TargetResult, timed: Mapping[Key, Measured]) -> TargetResult:
    latency = timed.get((target.name, ""), target.latency)
    first, further = target.sizes[:1], target.sizes[1:]
    sizes = (
        *(replace(size, latency=latency) for size in first),
        *(replace(size, latency=timed.get((target.name, size.signature), size.latency)) for size in further),
    )
    return replace(target, latency=latency, sizes=sizes)
