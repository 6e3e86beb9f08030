"""The same file on further engines: a GPU, an ARM CPU, an older runtime. A few pictures each, no times.

Such engines are often emulated and slow, so they see only the pictures that are hardest for the file.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.artifact import INTEGERS, Artifact
from exporter.errors import EngineError
from exporter.inspect.residency import ask_residency, residency_of
from exporter.measure.evaluation import Renderings
from exporter.measure.parity import max_difference, measure_parity, parity_db
from exporter.measure.quality import measure_quality
from exporter.measure.results import CrossRuntimeCheck
from exporter.measure.suspicion import suspected
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Image, Runtime

PICTURES = 2


def check_runtimes(
    artifact: Artifact,
    runtimes: Sequence[Runtime],
    own: Sequence[Image],
    expected: Sequence[Image],
    renderings: Renderings,
) -> tuple[CrossRuntimeCheck, ...]:
    """One check per runtime, on the pictures where `own`, the file on its own runtime, is farthest from `expected`.

    `own` and `expected` (the float model) hold one picture per evaluation image. An engine that is not here or that
    fails gives a check with the reason.
    """
    hardest = sorted(range(len(own)), key=lambda i: parity_db(expected[i], own[i]))[:PICTURES]
    return tuple(_prove(artifact, runtime, own, expected, renderings, hardest) for runtime in runtimes)


def _prove(
    artifact: Artifact,
    runtime: Runtime,
    own: Sequence[Image],
    expected: Sequence[Image],
    renderings: Renderings,
    chosen: Sequence[int],
) -> CrossRuntimeCheck:
    if why := runtime.missing():
        absent = NotMeasured(why)
        return CrossRuntimeCheck(runtime.name, "", absent, None, installed=False, residency=absent)
    device = ""
    try:
        device = runtime.device(renderings.threads)
        with runtime.open(artifact, renderings.threads) as session:
            pictures = list(session.infer_all(renderings.evaluation[i].blurred for i in chosen))
            residency = residency_of(session, runtime, artifact)
    except EngineError as error:
        failed, refused = NotMeasured.because(error), ask_residency(runtime, artifact, renderings.threads)
        return CrossRuntimeCheck(runtime.name, device, failed, None, residency=refused)
    parity = measure_parity(
        [expected[i] for i in chosen],
        pictures,
        [renderings.names[i] for i in chosen],
        ends_at_range=artifact.precision in INTEGERS,
        clip=artifact.input.clip,
    )
    apart = max_difference((own[i], new) for i, new in zip(chosen, pictures, strict=True))
    residency = suspected(residency, runtime, artifact, dict(zip(chosen, pictures, strict=True)), renderings)
    lost_db = measure_quality(
        pictures, [expected[i] for i in chosen], [renderings.evaluation[i] for i in chosen]
    ).loss_db
    return CrossRuntimeCheck(runtime.name, device, parity, apart, residency=residency, loss_db=lost_db)
