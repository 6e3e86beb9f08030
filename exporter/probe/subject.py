"""The network to probe, loaded as a recipe loads it, from the user's checkpoint or one of random weights.

What a recipe would say of a network of the user's own (the multiple its sides must be of, the range of its values) is
found out by trying.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.checkpoints.weights_files import weights_digest
from exporter.errors import ExportError, PlanError, RecipeError
from exporter.failures import in_one_line
from exporter.probe.results import Subject
from exporter.probe.sizes import SIZES, Size, SizeRule, find_size
from exporter.stages import LoadGenerator
from exporter.stages.base import Workspace

if TYPE_CHECKING:
    from torch import Tensor, nn

    from exporter.generators.base import GeneratorInfo

SEED = 0
PICTURE_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))  # those of networks in the field


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user named: an architecture, a class or a checkpoint alone, and options of a recipe's `model`."""

    arch: str | None
    checkpoint: Path | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    size: Size | None = None
    range: tuple[float, float] | None = None
    multiple: int | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    artifact: Artifact  # a network file
    subject: Subject


Rooms = Callable[[Size, Artifact], Workspace]  # a workspace for pictures of a size, with a teacher


def load(wanted: Wanted, folder: Path, rooms: Rooms) -> Loaded:
    """Raises an ExportError for a network that cannot be imported, built, loaded or run."""
    is_own = wanted.arch is not None and ":" in wanted.arch
    network, info = _built(wanted) if wanted.arch and (is_own or not wanted.checkpoint) else (None, None)
    rule, bounds = _looked_at(network, wanted) if network is not None and is_own else (None, wanted.range)
    stage = LoadGenerator(
        arch=wanted.arch, kwargs=dict(wanted.kwargs), range=bounds, multiple=rule.multiple if rule else 1
    )
    checkpoint = wanted.checkpoint
    if checkpoint is None:
        assert network is not None and info is not None
        checkpoint = _random_weights(network, info, stage, folder)
    sizes = ((rule.height, rule.width),) if rule else (wanted.size,) if wanted.size else SIZES
    artifact = _first_that_fits(stage, checkpoint, sizes, rooms)
    return Loaded(artifact, _described(artifact, wanted, folder))


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


def _looked_at(network: nn.Module, wanted: Wanted) -> tuple[SizeRule, tuple[float, float] | None]:
    """The size to probe at, the multiple and the range of values of a network nobody has described."""
    import torch

    from exporter.generators.output_bounds import output_bounds
    from exporter.generators.users_code import FAILS_WITH, place_of

    def trial(height: int, width: int) -> str:
        try:
            with torch.no_grad():
                result = network(torch.full((1, 3, height, width), 0.5))
        except MemoryError:
            raise
        except FAILS_WITH as error:
            return f"{in_one_line(error)}{place_of(error)}"
        return _wrong_shape(result, height, width)

    rule = find_size(trial, wanted.size)
    if wanted.multiple:
        rule = SizeRule(rule.height, rule.width, wanted.multiple)
    picture = torch.full((1, 3, rule.height, rule.width), 0.5)
    _refuse_random(network, picture)
    bounds = wanted.range
    if bounds is None:
        found = output_bounds(network, picture)
        bounds = found if found in PICTURE_RANGES else None
    return rule, bounds


def _refuse_random(network: nn.Module, picture: Tensor) -> None:
    """Raises PlanError: no file can be held against a network that gives another picture every time."""
    import torch

    with torch.no_grad():
        difference = float((network(picture) - network(picture)).abs().max())
    if difference > 0:
        raise PlanError(
            f"the network is random: one picture, given twice, comes out {difference:.3g} of full scale apart",
            hint="leave out in eval mode what draws random numbers (rand_like, dropout with training=True)",
        )


def _wrong_shape(result: object, height: int, width: int) -> str:
    import torch

    if not isinstance(result, torch.Tensor):
        return f"it gives {type(result).__name__}, expected one picture"
    shape = tuple(result.shape)
    scale = shape[2] // height if len(shape) == 4 else 0
    if scale < 1 or shape != (1, 3, scale * height, scale * width):
        return f"it gives {shape}, expected one picture of this size or a whole number of times as large"
    return ""


def _random_weights(network: nn.Module, info: GeneratorInfo, stage: LoadGenerator, folder: Path) -> Path:
    from exporter.generators.description import Description
    from exporter.generators.network_file import write_network

    _wake(network)
    path = folder / "random.safetensors"
    multiple = stage.multiple if ":" in info.name else getattr(network, "multiple", info.multiple)
    write_network(network, Description(info.name, stage.kwargs, stage.range or info.range, multiple), path)
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
    for i, (height, width) in enumerate(sizes):
        spec = TensorSpec.image(height, width)
        named = frozenset(filter(None, {stage.arch}))
        source = Artifact(Format.CHECKPOINT, checkpoint, spec, spec, digest, user_classes=named)
        try:
            return stage.run(source, rooms((height, width), source))
        except PlanError:
            if i == len(sizes) - 1:
                raise
    raise ExportError("no size was tried")


def _described(artifact: Artifact, wanted: Wanted, folder: Path) -> Subject:
    from exporter.generators.description import read_description
    from exporter.generators.network_file import read_network

    described = read_description(artifact.path)
    network = read_network(artifact.path, artifact.user_classes)
    return Subject(
        network=described.arch,
        checkpoint=wanted.checkpoint.name if wanted.checkpoint else None,
        height=artifact.input.height,
        width=artifact.input.width,
        multiple=described.multiple,
        range=described.range,
        scale=artifact.output.height // artifact.input.height,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
    )
