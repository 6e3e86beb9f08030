"""Who lost the 0.4 dB? Quality and parity of every step of every chain, on the same real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exporter.artifact import INTEGERS, Artifact, Format
from exporter.errors import EngineError, MissingTool
from exporter.measure.evaluation import Renderings
from exporter.measure.parity import measure_parity
from exporter.measure.quality import measure_quality
from exporter.measure.results import Parity, Quality, StageAccuracy
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Runtime, engine_call

Chain = Sequence[tuple[str, Artifact]]  # a stage's name and its output, "teacher" first


def measure_stages(
    chains: Sequence[Chain], renderings: Renderings, runtimes: Mapping[Format, Runtime]
) -> tuple[StageAccuracy, ...]:
    """One entry per distinct artifact, in order of first appearance.

    `runtimes`: where each format runs; an artifact of a format without an entry is left out. A file that its engine
    does not run is a stage that was not measured, with the reason, and so is one whose float model does not run.
    Raises MissingTool when a runtime of the mapping is not installed.
    """
    stages: dict[str, StageAccuracy] = {}
    for chain in chains:
        for position, (name, artifact) in enumerate(chain):
            if artifact.sha256 not in stages and artifact.format in runtimes:
                reference = float_reference(chain[: position + 1])
                stages[artifact.sha256] = _stage(name, artifact, reference, renderings, runtimes)
    return tuple(stages.values())


def float_reference(chain: Chain) -> Artifact:
    """What a file is compared with: the last fp32 torch model of its chain."""
    floats = [a for _, a in chain if a.format == Format.TORCH and a.precision == "fp32"]
    if not floats:
        raise ValueError("a chain begins with a float torch model")
    return floats[-1]


def count_parameters_and_macs(artifact: Artifact) -> tuple[int, int]:
    """Of a TORCH artifact: weights, and multiply-accumulates (convolutions and products) for one image.

    Raises EngineError when PyTorch does not run it.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from exporter.generators.network_file import read_network

    network = read_network(artifact.path, artifact.user_classes).eval()
    counter = FlopCounterMode(display=False)
    with engine_call("PyTorch", artifact), torch.no_grad(), counter:
        network(torch.zeros(artifact.input.shape))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2


def _stage(
    name: str,
    artifact: Artifact,
    reference: Artifact,
    renderings: Renderings,
    runtimes: Mapping[Format, Runtime],
) -> StageAccuracy:
    runtime = runtimes[artifact.format]
    if why := runtime.missing():
        raise MissingTool(f"{name} cannot be measured: {why}")
    quality, parity = _measured(artifact, reference, renderings, runtimes)
    parameters, macs = _cost(artifact)
    return StageAccuracy(name, artifact, runtime.name, quality, parity, parameters, macs)


def _measured(
    artifact: Artifact, reference: Artifact, renderings: Renderings, runtimes: Mapping[Format, Runtime]
) -> tuple[Quality | NotMeasured, Parity | NotMeasured | None]:
    """Quality and parity; the reference itself has no parity, whether it was measured or not."""
    is_reference = artifact.sha256 == reference.sha256
    try:
        pictures = renderings.of(artifact, runtimes[artifact.format])
        expected = renderings.of(reference, runtimes[Format.TORCH])
    except EngineError as error:
        why = NotMeasured.because(error)
        return why, None if is_reference else why
    quality = measure_quality(pictures, expected, renderings.evaluation)
    if is_reference:
        return quality, None
    int8 = artifact.precision in INTEGERS
    clip = artifact.input.clip
    return quality, measure_parity(expected, pictures, renderings.names, ends_at_range=int8, clip=clip)


def _cost(artifact: Artifact) -> tuple[int | None, int | None]:
    """Weights and multiply-accumulates, where they can be counted."""
    if artifact.format != Format.TORCH:
        return None, None
    try:
        return count_parameters_and_macs(artifact)
    except EngineError:  # the stage's quality says why
        return None, None
