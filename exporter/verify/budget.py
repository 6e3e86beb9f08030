"""Judge what was measured against what the recipe promised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from exporter.budget import Budget
from exporter.verify.results import Audit, NotMeasured, Proof, TargetResult, Verdict

Value = float | NotMeasured
_TRANSPOSES = ("TRANSPOSE", "Transpose")


@dataclass(frozen=True, slots=True)
class Promise:
    """`key` is the field of Budget; its prefix says the direction. `what` and `unit` make the sentence."""

    key: str
    what: str
    unit: str
    value: Callable[[TargetResult], Value]

    @property
    def is_minimum(self) -> bool:
        return self.key.startswith("min_")


def _parity(result: TargetResult) -> Value:
    return result.parity if isinstance(result.parity, NotMeasured) else result.parity.worst_psnr_db


def _latency(result: TargetResult) -> Value:
    return result.latency if isinstance(result.latency, NotMeasured) else result.latency.p50_ms


def _size(result: TargetResult) -> Value:
    return result.artifact.size_bytes / 1e6


def _quality(field: str) -> Callable[[TargetResult], Value]:
    def value(result: TargetResult) -> Value:
        if isinstance(result.quality, NotMeasured):
            return result.quality
        return float(getattr(result.quality, field))

    return value


def _audit(figure: Callable[[Audit], float]) -> Callable[[TargetResult], Value]:
    return lambda result: result.audit if isinstance(result.audit, NotMeasured) else figure(result.audit)


def _seam(result: TargetResult) -> Value:
    return result.seam if isinstance(result.seam, NotMeasured) else result.seam.psnr_db


def _transposes(audit: Audit) -> float:
    return sum(op.kind in _TRANSPOSES for op in audit.ops)


def _errors(result: TargetResult) -> Value:
    errors = sum(finding.severity == "error" for finding in result.findings)
    if errors:
        return errors
    for measured in (result.audit, result.parity):  # nobody looked: no errors found means nothing
        if isinstance(measured, NotMeasured):
            return measured
    return 0.0


PROMISES = (
    Promise("min_parity_db", "worst-image parity with the float model", " dB", _parity),
    Promise("max_loss_db", "mean PSNR lost against the float model", " dB", _quality("loss_db")),
    Promise("max_worst_loss_db", "PSNR lost on the worst image", " dB", _quality("worst_loss_db")),
    Promise("min_gain_db", "mean PSNR gained over the blurred input", " dB", _quality("gain_db")),
    Promise("min_psnr_db", "mean PSNR", " dB", _quality("psnr_db")),
    Promise("min_ssim", "mean SSIM", "", _quality("ssim")),
    Promise("min_seam_db", "PSNR along the seams of tiles", " dB", _seam),
    Promise("max_latency_ms", "median model call", " ms", _latency),
    Promise("max_size_mb", "file size", " MB", _size),
    Promise("min_int8_mac_share", "share of MACs in int8", "", _audit(lambda audit: audit.int8_mac_share)),
    Promise("max_float_islands", "float islands", "", _audit(lambda audit: audit.float_islands)),
    Promise("max_transposes", "TRANSPOSE ops", "", _audit(_transposes)),
    Promise("max_rank", "highest tensor rank", "", _audit(lambda audit: audit.max_rank)),
    Promise("forbid_errors", "lint findings of severity error", "", _errors),
)


def judge(
    limits: Mapping[str, Budget], results: Mapping[str, TargetResult], demand_all: bool = False
) -> tuple[Verdict, ...]:
    """One verdict per promise made, target by target, then one per further engine a file was proved on.

    Walks what the recipe promises, not what happened to be measured, and asks `not within` rather than
    `outside`: a target that is absent, a figure that is absent and a NaN are never kept promises.
    """
    promised = [
        _verdict(target, promise, limit, results.get(target))
        for target, budget in limits.items()
        for promise, limit in promises_of(budget)
    ]
    proved = [
        _proof_verdict(target, proof, budget.min_parity_db)
        for target, budget in limits.items()
        for proof in (results[target].proofs if target in results else ())
        if budget.min_parity_db is not None and (proof.installed or demand_all)
    ]
    return (*promised, *proved)


def promises_of(budget: Budget) -> Iterator[tuple[Promise, float]]:
    """The promises this budget makes, with their limits."""
    for promise in PROMISES:
        limit = getattr(budget, promise.key)
        if promise.key == "forbid_errors":
            limit = 0.0 if limit else None
        if limit is not None:
            yield promise, float(limit)


def _proof_verdict(target: str, proof: Proof, limit: float) -> Verdict:
    what = f"{target}: worst-image parity with the float model on {proof.runtime}"
    if isinstance(proof.parity, NotMeasured):
        sentence = f"{what} was not measured: {proof.parity.reason}"
        return Verdict(target, "min_parity_db", limit, None, "not measured", sentence)
    value = proof.parity.worst_psnr_db
    status = "kept" if value >= limit else "missed"
    sentence = f"{what} is {value:.4g} dB, promised at least {limit:g} dB"
    return Verdict(target, "min_parity_db", limit, value, status, sentence)


def _verdict(target: str, promise: Promise, limit: float, result: TargetResult | None) -> Verdict:
    value = NotMeasured("the target was not built") if result is None else promise.value(result)
    if isinstance(value, NotMeasured):
        sentence = f"{target}: {promise.what} was not measured: {value.reason}"
        return Verdict(target, promise.key, limit, None, "not measured", sentence)
    kept = value >= limit if promise.is_minimum else value <= limit
    bound = "at least" if promise.is_minimum else "at most"
    sentence = f"{target}: {promise.what} is {value:.4g}{promise.unit}, promised {bound} {limit:g}{promise.unit}"
    return Verdict(target, promise.key, limit, value, "kept" if kept else "missed", sentence)
