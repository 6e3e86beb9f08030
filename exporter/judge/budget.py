"""Judge what was measured against what the recipe promised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from exporter.data.yardstick import Yardstick
from exporter.inspect.results import Audit, Residency
from exporter.judge.verdicts import Status, Verdict
from exporter.judge.versions import judge_version, tolerance_db, untried
from exporter.measure.results import CrossRuntimeCheck, TargetResult
from exporter.not_measured import NotMeasured
from exporter.recipes.promises import Budget

Value = float | NotMeasured
LATENCY = "max_latency_ms"
_TRANSPOSES = ("TRANSPOSE", "Transpose")


@dataclass(frozen=True, slots=True)
class Promise:
    """`key` is the field of Budget; its prefix says the direction. `what` and `unit` make the sentence, in which
    `{baseline}` is what there is without the network."""

    key: str
    what: str
    unit: str
    value: Callable[[TargetResult], Value]
    elsewhere: Callable[[CrossRuntimeCheck], Value] | None = None  # the same on a further engine, where it holds, too
    because: Callable[[TargetResult | CrossRuntimeCheck], str] | None = None  # what to name when it is missed

    @property
    def is_minimum(self) -> bool:
        return self.key.startswith("min_")

    def holds(self, value: float, limit: float) -> bool:
        """Asks `within`, not `not outside`: NaN is never within."""
        return value >= limit if self.is_minimum else value <= limit


@dataclass(frozen=True, slots=True)
class Pledge:
    """All that a recipe promises of a target: its budget on `runtime`; parity and residency on `also_on`, too; the same
    picture on every LiteRT release of `versions`."""

    runtime: str
    budget: Budget
    also_on: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()


def _parity(result: TargetResult) -> Value:
    """Not measured where the runtime is not here, was lost or cannot run the file, or nothing runs the float model."""
    return result.parity if isinstance(result.parity, NotMeasured) else result.parity.worst_psnr_db


def _latency(result: TargetResult) -> Value:
    """Not measured where the runtime is not here, was lost or cannot run the file."""
    return result.latency if isinstance(result.latency, NotMeasured) else result.latency.p50_ms


def _size(result: TargetResult) -> Value:
    """Always measured, where the file was built."""
    return result.artifact.size_bytes / 1e6


def _quality(field: str, result: TargetResult) -> Value:
    """Not measured where the runtime is not here, was lost or cannot run the file, or nothing runs the float model."""
    return result.quality if isinstance(result.quality, NotMeasured) else float(getattr(result.quality, field))


def _audit(figure: Callable[[Audit], float], result: TargetResult) -> Value:
    """Not measured of a file whose format is not looked into, such as a TensorRT engine."""
    return result.audit if isinstance(result.audit, NotMeasured) else figure(result.audit)


def _seam(result: TargetResult) -> Value:
    """Not measured where the runtime cannot run the file, or the network carries a state or takes no larger picture."""
    return result.seam if isinstance(result.seam, NotMeasured) else result.seam.psnr_db


def _residency(figure: Callable[[Residency], float], result: TargetResult | CrossRuntimeCheck) -> Value:
    """Not measured where the runtime is not here, has no accelerator that tells, or probably did not use it."""
    found = result.residency
    if isinstance(found, Residency) and found.suspect:
        return NotMeasured(found.suspect)
    return found if isinstance(found, NotMeasured) else figure(found)


def _behind(result: TargetResult | CrossRuntimeCheck) -> str:
    found = result.residency
    return f"{found.accelerator} took {found.verdict}" if isinstance(found, Residency) else ""


def _resident(key: str, what: str, figure: Callable[[Residency], float]) -> Promise:
    return Promise(key, what, "", partial(_residency, figure), partial(_residency, figure), _behind)


def _transposes(audit: Audit) -> float:
    return sum(op.kind in _TRANSPOSES for op in audit.ops)


def _errors(result: TargetResult) -> Value:
    """Not measured where no error was found, but nobody looked into the file or ran it."""
    errors = sum(finding.severity == "error" for finding in result.findings)
    if errors:
        return errors
    for measured in (result.audit, result.parity):  # nobody looked: no errors found means nothing
        if isinstance(measured, NotMeasured):
            return measured
    return 0.0


def _check_parity(check: CrossRuntimeCheck) -> Value:
    return check.parity if isinstance(check.parity, NotMeasured) else check.parity.worst_psnr_db


PARITY = Promise("min_parity_db", "worst-image parity with the float model", " dB", _parity, _check_parity)
PROMISES = (
    PARITY,
    Promise("max_loss_db", "mean PSNR lost against the float model", " dB", partial(_quality, "loss_db")),
    Promise("max_worst_loss_db", "PSNR lost on the worst image", " dB", partial(_quality, "worst_loss_db")),
    Promise("min_gain_db", "mean PSNR gained over {baseline}", " dB", partial(_quality, "gain_db")),
    Promise("min_psnr_db", "mean PSNR", " dB", partial(_quality, "psnr_db")),
    Promise("min_ssim", "mean SSIM", "", partial(_quality, "ssim")),
    Promise("min_seam_db", "PSNR along the seams of tiles", " dB", _seam),
    Promise(LATENCY, "median model call", " ms", _latency),
    Promise("max_size_mb", "file size", " MB", _size),
    Promise("min_int8_mac_share", "share of MACs in int8", "", partial(_audit, lambda audit: audit.int8_mac_share)),
    Promise("min_int16_mac_share", "share of MACs in int16", "", partial(_audit, lambda audit: audit.int16_mac_share)),
    Promise("max_float_islands", "float islands", "", partial(_audit, lambda audit: audit.float_islands)),
    Promise("max_transposes", "TRANSPOSE ops", "", partial(_audit, _transposes)),
    Promise("max_rank", "highest tensor rank", "", partial(_audit, lambda audit: audit.max_rank)),
    _resident("min_accelerated_share", "share of operators that the accelerator took", lambda found: found.share),
    _resident("forbid_fallback", "operators left to others", lambda found: found.operators - found.taken),
    Promise("forbid_errors", "lint findings of severity error", "", _errors),
)


def judge(
    pledges: Mapping[str, Pledge], results: Mapping[str, TargetResult], demand_all: bool = False
) -> tuple[Verdict, ...]:
    """One verdict per promise made, target by target: first on the target's own runtime, then on every further engine.

    Walks what the recipe promises, not what happened to be measured: a target that is absent, a figure that is
    absent and a NaN are never kept promises. With `demand_all` an engine that is not installed is demanded, too.
    """
    verdicts, seen = list[Verdict](), set[str]()
    for target, pledge in pledges.items():
        result = results.get(target)
        verdicts += _judge_target(target, pledge, result, demand_all)
        if result is None or result.artifact.sha256 not in seen:  # a file that two targets share is one file
            verdicts += _judge_versions(target, pledge, result, demand_all)
        seen |= {result.artifact.sha256} if result else set()
    return tuple(verdicts)


def _judge_target(target: str, pledge: Pledge, result: TargetResult | None, demand_all: bool) -> Iterator[Verdict]:
    scale = 1 if result is None else result.artifact.enlarges
    for promise, limit in promises_of(pledge.budget, pledge.runtime):
        value = NotMeasured("the target was not built") if result is None else promise.value(result)
        because = _named(promise, result)
        verdict = _verdict(target, pledge.runtime, promise, limit, value, because=because, scale=scale)
        yield _disturbed(verdict, result) if result and promise.key == LATENCY else verdict
    for runtime in pledge.also_on:
        check = None if result is None else _check_on(runtime, result)
        for promise, limit in promises_of(pledge.budget, runtime):
            if promise.elsewhere is not None:
                value = _absent(result) if check is None else promise.elsewhere(check)
                demanded = check is None or check.installed or demand_all
                because = _named(promise, check)
                yield _verdict(target, runtime, promise, limit, value, f" on {runtime}", demanded, because)


def _disturbed(verdict: Verdict, result: TargetResult) -> Verdict:
    """A time that was missed on a disturbed machine stays missed, and says so: the file may be faster than that."""
    latency = result.latency
    if isinstance(latency, NotMeasured) or verdict.status is not Status.MISSED or not latency.noise:
        return verdict
    often = "" if latency.attempts == 1 else f", the best of {latency.attempts} attempts"
    return replace(verdict, noisy=True, sentence=f"{verdict.sentence}; noisy{often}: {'; '.join(latency.noise)}")


def _judge_versions(target: str, pledge: Pledge, result: TargetResult | None, demand_all: bool) -> Iterator[Verdict]:
    limit_db = tolerance_db("fp32" if result is None else result.artifact.precision)
    checks = {check.runtime: check for check in result.versions} if result else {}
    for runtime in pledge.versions:
        if runtime in checks:
            yield judge_version(target, checks[runtime], limit_db, demand_all)
        else:
            yield untried(target, runtime, limit_db, "nobody tried" if result else "the target was not built")


def promises_of(budget: Budget, runtime: str) -> Iterator[tuple[Promise, float]]:
    """The promises this budget makes on `runtime`, with their limits."""
    for promise in PROMISES:
        limit = budget.limit(promise.key, runtime)
        if limit is not None:
            yield promise, limit


def _check_on(runtime: str, result: TargetResult) -> CrossRuntimeCheck | None:
    return next((check for check in result.cross_runtime if check.runtime == runtime), None)


def _absent(result: TargetResult | None) -> NotMeasured:
    """Why nothing was tried on a further engine."""
    if result is None:
        return NotMeasured("the target was not built")
    why = result.parity.reason if isinstance(result.parity, NotMeasured) else "nobody tried"
    return NotMeasured(f"{result.runtime} gave no pictures to compare with: {why}")


def _named(promise: Promise, found: TargetResult | CrossRuntimeCheck | None) -> str:
    return promise.because(found) if promise.because and found is not None else ""


def _verdict(
    target: str,
    runtime: str,
    promise: Promise,
    limit: float,
    value: Value,
    where: str = "",
    demanded: bool = True,
    because: str = "",
    scale: int = 1,
) -> Verdict:
    what = f"{target}: {promise.what.format(baseline=Yardstick(scale).baseline)}{where}"
    if isinstance(value, NotMeasured):
        sentence = f"{what} was not measured: {value.reason}"
        return Verdict(target, promise.key, runtime, limit, None, Status.NOT_MEASURED, sentence, demanded)
    status = Status.KEPT if promise.holds(value, limit) else Status.MISSED
    bound = "at least" if promise.is_minimum else "at most"
    sentence = f"{what} is {_figure(value, limit)}{promise.unit}, promised {bound} {limit:.15g}{promise.unit}"
    if because and status is Status.MISSED:
        sentence += f": {because}"
    return Verdict(target, promise.key, runtime, limit, value, status, sentence)


def _figure(value: float, limit: float) -> str:
    """`value` in four digits, or in as many as it takes to stand on its own side of `limit`."""
    value += 0.0  # no "-0"
    texts = (f"{value:.{digits}g}" for digits in range(4, 18))
    return next(text for text in texts if _side(float(text), limit) == _side(value, limit))


def _side(value: float, limit: float) -> tuple[bool, bool]:
    """Above, or below; NaN is neither."""
    return value > limit, value < limit
