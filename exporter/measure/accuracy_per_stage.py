"""Who lost the 0.4 dB? Quality and parity of every step of every chain, on the same real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exporter.artifact import Artifact, Format
from exporter.errors import MissingTool
from exporter.measure.evaluation import Renderings
from exporter.measure.parity import measure_parity
from exporter.measure.quality import measure_quality
from exporter.measure.results import Rung
from exporter.runtimes.base import Runtime

Chain = Sequence[tuple[str, Artifact]]  # a stage's name and its output, "teacher" first


def climb(chains: Sequence[Chain], renderings: Renderings, runtimes: Mapping[Format, Runtime]) -> tuple[Rung, ...]:
    """One rung per distinct artifact, in order of first appearance.

    `runtimes`: where each format runs; an artifact of a format without an entry gets no rung.
    Raises MissingTool when a runtime of the mapping is not installed, EngineError when a file does not run.
    """
    rungs: dict[str, Rung] = {}
    for chain in chains:
        for position, (name, artifact) in enumerate(chain):
            if artifact.sha256 not in rungs and artifact.format in runtimes:
                reference = float_reference(chain[: position + 1])
                rungs[artifact.sha256] = _rung(name, artifact, reference, renderings, runtimes)
    return tuple(rungs.values())


def float_reference(chain: Chain) -> Artifact:
    """What a file is compared with: the last fp32 torch model of its chain."""
    floats = [a for _, a in chain if a.format == Format.TORCH and a.precision == "fp32"]
    if not floats:
        raise ValueError("a chain begins with a float torch model")
    return floats[-1]


def count_parameters_and_macs(artifact: Artifact) -> tuple[int, int]:
    """Of a TORCH artifact: weights, and multiply-accumulates (convolutions and products) for one image."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from exporter.generators import load_network

    network = load_network(artifact.path, artifact.user_classes).eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(torch.zeros(1, 3, artifact.input.height, artifact.input.width))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2


def _rung(
    name: str,
    artifact: Artifact,
    reference: Artifact,
    renderings: Renderings,
    runtimes: Mapping[Format, Runtime],
) -> Rung:
    runtime = runtimes[artifact.format]
    if why := runtime.missing():
        raise MissingTool(f"{name} cannot be measured: {why}")
    pictures = renderings.of(artifact, runtime)
    expected = renderings.of(reference, runtimes[Format.TORCH])
    is_reference = artifact.sha256 == reference.sha256
    parameters, macs = count_parameters_and_macs(artifact) if artifact.format == Format.TORCH else (None, None)
    return Rung(
        name=name,
        artifact=artifact,
        runtime=runtime.name,
        quality=measure_quality(pictures, expected, renderings.evaluation),
        parity=None if is_reference else measure_parity(expected, pictures, renderings.names),
        parameters=parameters,
        macs=macs,
    )
