"""The trained generator from its checkpoint: the first stage of every recipe, written there as `model:`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.carried import CLIP_FRAMES
from exporter.generators.interface import Carried
from exporter.stages.base import Stage, Workspace

if TYPE_CHECKING:
    from torch import Tensor, nn

    from exporter.checkpoints.state_dicts import StateDict
    from exporter.generators.base import GeneratorInfo
    from exporter.generators.calling import Call
    from exporter.generators.description import Description


class LoadGenerator(Stage):
    """Check a checkpoint against its architecture and keep it as a network file."""

    name: ClassVar[str] = "load_generator"
    takes: ClassVar[Format] = Format.CHECKPOINT
    gives: ClassVar[Format] = Format.TORCH
    reads: ClassVar[frozenset[str]] = frozenset({"calibration"})  # norm_mode: calibrated

    arch: str | None = None  # None: recognised from the checkpoint, or what a file of ours says
    kwargs: dict[str, Any] = {}
    range: tuple[float, float] | None = None
    multiple: int = 1
    output: tuple[str, ...] = ()  # which of several tensors is the picture
    inputs: dict[str, Any] = {}  # further arguments of forward
    extra_channels: tuple[float, ...] = ()
    colour: Literal["rgb", "bgr", "grey", "y", "rgba", "rggb"] | None = None  # None: found out by trying
    frames: int = 1
    states: tuple[Carried, ...] = ()  # arguments of forward that go on from frame to frame
    weights: str | None = None  # the part of the checkpoint, where it holds several networks

    def networks(self, source: Artifact) -> tuple[str, ...]:
        """The one that is named; to recognise one, all are asked."""
        from exporter.generators.description import is_known, own_description
        from exporter.generators.table import GENERATORS

        described = own_description(source.path)
        arch = self.arch or (described.arch if described and is_known(described.arch) else None)
        return (arch,) if arch else tuple(info.name for info in GENERATORS)

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises CheckpointError for weights that do not fit, PlanError for a size the network cannot run at."""
        from exporter.checkpoints.parts import part_of
        from exporter.checkpoints.read import read_safetensors, read_weights
        from exporter.checkpoints.state_dicts import StateDict
        from exporter.generators.description import own_description
        from exporter.generators.network_file import bare, in_unit_range, write_network

        is_ours = own_description(source.path) is not None  # then it may hold no weights, as a network may
        weights = [StateDict(read_safetensors(source.path))] if is_ours else read_weights(source.path)
        if self.weights:
            weights = part_of(weights, self.weights, source.path)
        info, network, described, lines = self._build(weights, source.path)
        if info.padding == "none":
            _require_size(source, info.name, described.multiple)
        network.eval()
        call = self._find_call(network, info, described, source)
        interface, given = call.interface, source.input
        clip = CLIP_FRAMES if interface.states else 1
        shown = TensorSpec.image(given.height, given.width, "NCHW", call.colour, self.frames, clip)
        source = replace(source, input=shown)
        described, lines = replace(described, interface=interface), [*lines, *call.remarks]
        network = in_unit_range(network, info.range, described.multiple, info.padding, interface).eval()
        if described.kwargs.get("norm_mode") == "calibrated":
            _estimate_statistics(network, workspace)
            call = self._find_call(bare(network), info, described, source)
        workspace.progress.doing(f"{self.name}: the network is looked over and run twice")
        lines += _warnings(network, info.name, source, weights[0].tensors)
        output = _output(call, source, info.name)
        for line in lines:
            workspace.progress.say(f"{source.path.name}: {line}")
        facts = {"arch": info.name, "kwargs": described.kwargs, "warnings": lines}
        (workspace.folder / "facts.json").write_text(json.dumps(facts))
        path = workspace.folder / "generator.safetensors"
        write_network(network, described, path)
        allowed = source.user_classes | {info.name}
        return Artifact.of_file(path, self.gives, like=source, step=str(self), output=output, user_classes=allowed)

    def _find_call(self, network: nn.Module, info: GeneratorInfo, described: Description, source: Artifact) -> Call:
        """How it takes the picture and gives its own; what a file of ours says of that is what the recipe does not."""
        import torch

        from exporter.generators.calling import find_call
        from exporter.generators.interface import Interface

        said = described.interface
        wanted = Interface(
            output=self.output or said.output,
            inputs=self.inputs or said.inputs,
            extra_channels=self.extra_channels or said.extra_channels,
            bgr=self.colour == "bgr" or (self.colour is None and said.bgr),
            frames=self.frames if self.frames > 1 else said.frames,
            states=self.states or said.states,
        )
        colour = "rgb" if wanted.bgr else self.colour
        assert colour != "bgr"
        low, high = info.range
        height, width = source.input.height, source.input.width
        if info.padding != "none":
            height, width = height + -height % described.multiple, width + -width % described.multiple
        grey = torch.full((1, 1, height, width), (low + high) / 2)
        return find_call(network, info.name, wanted, colour, grey)

    def _build(self, weights: list[StateDict], path: Path) -> tuple[GeneratorInfo, nn.Module, Description, list[str]]:
        """The filled network; what the recipe does not say of it, the file's header or the shapes of its weights do."""
        from exporter.checkpoints.reparametrised import fold_network
        from exporter.generators.build import build_network, generator_info
        from exporter.generators.description import Description, is_known, own_description, require_allowed
        from exporter.generators.interface import Interface
        from exporter.generators.recognition import deduced_kwargs, recognise
        from exporter.generators.widths import fit_channels

        lines = []
        described = own_description(path)
        if described and self.arch is None:
            require_allowed(described.arch, path, ())
        if described and self.arch in (None, described.arch):
            multiple = self.multiple if self.multiple > 1 else described.multiple
            info = generator_info(described.arch, self.range or described.range, multiple)
            deduced = described.kwargs
        elif self.arch is None:
            arch, deduced = recognise(weights, path)
            info = generator_info(arch)
        else:
            described, info = None, generator_info(self.arch, self.range, self.multiple)
            deduced = deduced_kwargs(info, weights, path)
        if self.arch is None:
            lines.append(f"recognised as {info.name}")
        kwargs = deduced | self.kwargs
        if is_known(info.name):
            self._require_bounds(info, kwargs, path)
        network = build_network(info, kwargs)
        pruned = described is not None and described.channels_changed
        if described is not None and pruned:
            fold_network(network)  # as it was when it was pruned
            fit_channels(network, weights[0].tensors, described.widths)
        lines += _filled(network, weights, path, info.name)
        if fold_network(network):
            lines.append("weights that its class normalises are folded into plain ones")
        multiple = getattr(network, "multiple", info.multiple)
        interface = described.interface if described else Interface()
        widths = described.widths if described else {}
        return info, network, Description(info.name, kwargs, info.range, multiple, pruned, interface, widths), lines

    def _require_bounds(self, info: GeneratorInfo, kwargs: dict[str, Any], path: Path) -> None:
        """What the file says of its network, with the recipe's changes, must be one that can be built."""
        from exporter.errors import CheckpointError, RecipeError
        from exporter.generators.outline import outline

        try:
            outline(info, kwargs)
        except ValueError as problem:
            if self.kwargs:
                raise RecipeError(f"model.kwargs: {problem}") from None
            raise CheckpointError(f"{path}: {problem}") from None


def _filled(network: nn.Module, weights: list[StateDict], path: Path, arch: str) -> list[str]:
    """Lines on the weights that `network` was filled with. Raises Misfit, naming the architecture that they are of."""
    from exporter.checkpoints.fit import load_into
    from exporter.errors import CheckpointError, Misfit
    from exporter.generators.recognition import recognise

    try:
        return load_into(network, weights, path, arch)
    except Misfit as error:
        try:
            other, _ = recognise(weights, path)
        except CheckpointError:
            raise error from None
        if other == arch:
            raise
        problem, _, hint = str(error).partition("\n  hint: ")
        raise Misfit(problem, hint=f"it is a checkpoint of {other}: model.arch={other}; {hint}") from None


def _require_size(source: Artifact, arch: str, multiple: int) -> None:
    from exporter.errors import PlanError
    from exporter.generators.size_rule import wrong_size

    for side in ("height", "width"):
        if problem := wrong_size(f"input.{side}", getattr(source.input, side), multiple, arch):
            raise PlanError(problem)


def _warnings(network: nn.Module, arch: str, source: Artifact, state: Mapping[str, Tensor]) -> list[str]:
    """What the network's own class says and, for one that is not ours, what an inspection finds."""
    from exporter.generators.inspection import inspect_network
    from exporter.generators.network_file import bare
    from exporter.generators.table import GENERATORS

    say = getattr(bare(network), "load_warnings", None)
    lines: list[str] = say() if say else []
    ours = any(info.name == arch for info in GENERATORS)
    return lines if ours else lines + inspect_network(network, source.input.shape, state)


def _estimate_statistics(network: nn.Module, workspace: Workspace) -> None:
    """Replace running statistics by the cumulative mean over the calibration images."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    with (
        torch.no_grad(),
        workspace.progress.task("estimate norm statistics", len(workspace.calibration)) as task,
    ):
        for image in workspace.calibration:
            network(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()))
            task.advance()
    network.eval()


def _output(call: Call, source: Artifact, arch: str) -> TensorSpec:
    """What comes out: a picture of the input's size or a whole multiple of it, without what it was filled up with."""
    import torch

    from exporter.errors import CheckpointError

    if not bool(torch.isfinite(call.picture).all()):
        raise CheckpointError(f"{source.path}: {arch} gives NaN or infinite pixels on a grey picture")
    sides = (call.scale * source.input.height, call.scale * source.input.width)
    return TensorSpec.image(*sides, colour=call.given, clip=source.input.clip)
