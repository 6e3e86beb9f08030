"""The network to probe, loaded as a recipe loads it, from the user's checkpoint or one of random weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.checkpoints.weights_files import weights_digest
from exporter.errors import PlanError, RecipeError
from exporter.probe.discovery import find_out
from exporter.probe.results import Subject
from exporter.probe.sizes import SIZES, Size
from exporter.probe.wanted import Wanted
from exporter.stages import LoadGenerator
from exporter.stages.base import Workspace

if TYPE_CHECKING:
    from torch import nn

    from exporter.generators.base import GeneratorInfo

SEED = 0
SMALLEST_SIDE_PX = 16  # of a recipe's input
Rooms = Callable[[Artifact], Workspace]  # a workspace with this teacher, and pictures that it takes


@dataclass(frozen=True, slots=True)
class Loaded:
    artifact: Artifact  # a network file
    wanted: Wanted  # with all that was found out
    checkpoint: Path  # that of the user, or random weights
    subject: Subject


def load(wanted: Wanted, folder: Path, rooms: Rooms) -> Loaded:
    """Raises an ExportError for a network that cannot be imported, built, loaded or run."""
    remarks: tuple[str, ...] = ()
    sizes: tuple[Size, ...] = (wanted.size,) if wanted.size else SIZES
    checkpoint = wanted.checkpoint
    if wanted.is_own or checkpoint is None:
        network, info = _built(wanted)
        if wanted.is_own:
            found = find_out(network, wanted)
            wanted, sizes, remarks = found.wanted, ((found.rule.height, found.rule.width),), found.remarks
        if checkpoint is None:
            checkpoint = random_weights(network, info, wanted, folder)
    artifact = _first_that_fits(_stage(wanted), checkpoint, sizes, rooms)
    if wanted.usual_px and not wanted.size:
        artifact = _first_that_fits(_stage(wanted), checkpoint, _usual_sizes(artifact, wanted.usual_px), rooms)
    return Loaded(artifact, wanted, checkpoint, _described(artifact, wanted, remarks))


def _usual_sizes(artifact: Artifact, usual_px: int) -> tuple[Size, ...]:
    """What gives a picture of `usual_px`, as near as the network's multiple allows; else what the network ran at."""
    from exporter.generators.description import read_description

    ran = (artifact.input.height, artifact.input.width)
    multiple = read_description(artifact.path).multiple
    side = usual_px * ran[0] // artifact.output.height // multiple * multiple
    return ((side, side), ran) if side >= SMALLEST_SIDE_PX else (ran,)


def _built(wanted: Wanted) -> tuple[nn.Module, GeneratorInfo]:
    import torch

    from exporter.generators.build import build_network, generator_info
    from exporter.generators.signature import arch_problem

    assert wanted.arch is not None
    info = generator_info(wanted.arch, wanted.range, wanted.multiple or 1)
    if problem := arch_problem(info.network):
        raise RecipeError(problem)
    torch.manual_seed(SEED)
    return build_network(info, wanted.kwargs).eval(), info


def _stage(wanted: Wanted) -> LoadGenerator:
    return LoadGenerator(
        arch=wanted.arch,
        kwargs=dict(wanted.kwargs),
        range=wanted.range,
        multiple=wanted.multiple or 1,
        output=wanted.output,
        inputs=dict(wanted.inputs),
        extra_channels=wanted.extra_channels,
        colour=wanted.colour,
        frames=wanted.frames,
        states=wanted.states,
        weights=wanted.weights,
    )


def random_weights(network: nn.Module, info: GeneratorInfo, wanted: Wanted, folder: Path) -> Path:
    """A network file with the weights that `network` was built with, those that are zero excepted."""
    from exporter.generators.description import Description
    from exporter.generators.network_file import write_network

    _wake(network)
    path = folder / "random.safetensors"
    multiple = wanted.multiple or 1 if wanted.is_own else getattr(network, "multiple", info.multiple)
    write_network(network, Description(info.name, dict(wanted.kwargs), wanted.range or info.range, multiple), path)
    return path


def _wake(network: nn.Module) -> None:
    """Small random values for weights that start at zero: behind them a whole branch would go untried."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.is_floating_point() and weight.numel() and not name.endswith("bias") and not weight.any():
                inputs = weight.numel() // weight.shape[0] if weight.ndim else 1
                weight.copy_(torch.randn(weight.shape, generator=generator) * (0.5 / math.sqrt(inputs)))


def _first_that_fits(stage: LoadGenerator, checkpoint: Path, sizes: tuple[Size, ...], rooms: Rooms) -> Artifact:
    """The network file at the first size that the network takes."""
    digest = weights_digest(checkpoint)
    named = frozenset(filter(None, {stage.arch}))
    for height, width in sizes[:-1]:
        try:
            return _loaded(stage, checkpoint, digest, named, (height, width), rooms)
        except PlanError:
            continue
    return _loaded(stage, checkpoint, digest, named, sizes[-1], rooms)


def _loaded(
    stage: LoadGenerator, checkpoint: Path, digest: str, named: frozenset[str], size: Size, rooms: Rooms
) -> Artifact:
    spec = TensorSpec.image(*size)
    source = Artifact(Format.CHECKPOINT, checkpoint, spec, spec, digest, user_classes=named)
    return stage.run(source, rooms(source))


def _described(artifact: Artifact, wanted: Wanted, remarks: tuple[str, ...]) -> Subject:
    from exporter.generators.description import read_description
    from exporter.generators.network_file import read_network

    described = read_description(artifact.path)
    network = read_network(artifact.path, artifact.user_classes)
    return Subject(
        network=described.arch,
        checkpoint=wanted.checkpoint.name if wanted.checkpoint else None,
        height=artifact.input.height,
        width=artifact.input.width,
        colour=artifact.input.colour,
        frames=artifact.input.frames,
        multiple=described.multiple,
        range=described.range,
        kwargs=described.kwargs,
        scale=artifact.output.height // artifact.input.height,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        remarks=remarks,
    )
