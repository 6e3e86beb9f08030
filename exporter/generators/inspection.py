"""What bites when a network of the user's own goes into inference: found by looking, not by guessing.

Known architectures say it themselves (`load_warnings`); these checks are for `package.module:Class`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

from exporter.errors import CheckpointError
from exporter.generators.asked_values import READ, Answers, true_answers
from exporter.generators.instead import instead_of, spelled
from exporter.generators.network_file import bare
from exporter.generators.operator_places import Place, modules_noted
from exporter.generators.steadiness import require_steady
from exporter.generators.users_code import FAILS_WITH, said_by

if TYPE_CHECKING:
    from collections.abc import Mapping


def inspect_network(network: nn.Module, shape: tuple[int, ...], state: Mapping[str, Tensor] | None = None) -> list[str]:
    """One line per thing about `network` in eval mode that the user should know. Runs it twice at `shape`.

    `state` is the checkpoint it was filled from: tensors stored under two names are told from it.

    Raises CheckpointError when its shapes or its path through the code depend on pixel values, PlanError when it is
    random.
    """
    not_followed = _refuse_data_dependence(network, shape)
    require_steady(network, torch.linspace(0, 1, math.prod(shape)).reshape(shape))
    looks = (
        _mode_lines(network),
        [not_followed] if not_followed else _dead_or_not_followed(network, shape),
        _alias_lines(state or {}),
    )
    return [line for look in looks for line in look]


def _alias_lines(state: Mapping[str, Tensor]) -> Iterator[str]:
    pairs = aliased_tensors(state)
    if pairs:
        yield f"{len(pairs)} tensors of the checkpoint are stored under two names ({' = '.join(pairs[0])} …)"


def aliased_tensors(state: Mapping[str, Tensor]) -> list[tuple[str, str]]:
    """Pairs of names in `state` for one and the same tensor."""
    first: dict[tuple[int, tuple[int, ...]], str] = {}
    pairs = []
    for key, value in state.items():
        if value.numel():
            place = (value.data_ptr(), tuple(value.shape))
            if (before := first.setdefault(place, key)) != key:
                pairs.append((before, key))
    return pairs


def _mode_lines(network: nn.Module) -> Iterator[str]:
    modules = list(network.modules())
    dropouts = sum(isinstance(module, _DropoutNd) and module.p > 0 for module in modules)
    if dropouts:
        yield f"{dropouts} dropout layers are off in inference; GAN code that leaves them on gives other pictures"
    stored = sum(
        isinstance(module, _InstanceNorm) and module.track_running_stats and not _is_untouched(module)
        for module in modules
    )
    if stored:
        yield (
            f"{stored} instance norms use stored statistics in eval mode; where official inference runs in train mode "
            "(each picture's own statistics), set track_running_stats=False after loading"
        )
    fresh = [module for module in modules if isinstance(module, (_BatchNorm, _InstanceNorm)) and _is_untouched(module)]
    if fresh:
        yield (
            f"{len(fresh)} norms hold the statistics they were built with (mean 0, variance 1): nobody ever estimated "
            "them, so official inference runs in train mode; set track_running_stats=False after loading"
        )
    without = sum(isinstance(module, _BatchNorm) and not module.track_running_stats for module in modules)
    if without:
        yield f"{without} batch norms have no stored statistics: every picture is normalised by its own, INT8 suffers"


def _is_untouched(norm: _BatchNorm | _InstanceNorm) -> bool:
    mean, variance = norm.running_mean, norm.running_var
    return mean is not None and variance is not None and not mean.any() and bool((variance == 1).all())


def _refuse_data_dependence(network: nn.Module, shape: tuple[int, ...]) -> str:
    """Run on tensors that have shapes but no values: whoever asks for a value is found out.

    Returns a line when that cannot be done at all, with numpy in between for instance, or when a value is asked for
    that does not matter.
    """
    try:
        asked = _value_asked_for(network, shape)
        if asked is None:
            return ""
        answers = true_answers(network, shape)
        if answers is None:
            raise _depends(network, asked)
        _without_values(network, shape, Answers(lambda n, _: answers[n]))
    except _NeedsValues as error:
        raise _depends(network, error.place) from None
    except CheckpointError:
        raise
    except Exception as error:  # of code that meets tensors without values; with values it has just run
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return f"whether pixel values decide its path or its shapes could not be found out: {reason}"
    return "it asks for pixel values, for a warning or a check, and gives the same picture whatever they are"


class _NeedsValues(Exception):
    """Tensors without values do not do at `place`."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.place = place


def _depends(network: nn.Module, place: Place) -> CheckpointError:
    what, operator = type(bare(network)).__name__, spelled(place.operator)
    return CheckpointError(
        f"{what}: its shapes or its path through the code depend on pixel values: {operator} in {place}",
        hint=instead_of(place.operator) or "a static file needs one path for all pictures",
    )


def _value_asked_for(network: nn.Module, shape: tuple[int, ...]) -> Place | None:
    """Where it first asks for the value of a pixel. Raises _NeedsValues where sizes hang on values."""
    try:
        _without_values(network, shape)
    except _NeedsValues as error:
        if f"aten.{error.place.operator}.default" != READ:
            raise
        return error.place
    return None


def _without_values(network: nn.Module, shape: tuple[int, ...], answers: Answers | None = None) -> None:
    from torch._subclasses.fake_tensor import (
        DataDependentOutputException,
        DynamicOutputShapeException,
        FakeTensorMode,
    )

    with modules_noted(network) as modules:
        try:
            with (
                _as_it_was(network),
                FakeTensorMode(allow_non_fake_inputs=True),
                answers or nullcontext(),
                torch.no_grad(),
            ):
                network(torch.empty(shape))
        except (DataDependentOutputException, DynamicOutputShapeException) as error:
            place = modules.place_of_error(error.func.overloadpacket.__name__, error)
            raise _NeedsValues(place) from None


@contextmanager
def _as_it_was(network: nn.Module) -> Iterator[None]:
    """What a forward keeps in its modules, a state or a mask, is gone afterwards: it would have no values."""
    kept = [(module, dict(vars(module)), dict(module._buffers)) for module in network.modules()]
    try:
        yield
    finally:
        for module, attributes, buffers in kept:
            vars(module).clear()
            vars(module).update(attributes)
            module._buffers.clear()
            module._buffers.update(buffers)


def _dead_or_not_followed(network: nn.Module, shape: tuple[int, ...]) -> list[str]:
    try:
        return list(_dead_lines(network, shape))
    except MemoryError:
        raise
    except FAILS_WITH as error:  # a network that no copy can be made of, say
        return [f"which weights reach the result could not be found out: {said_by(error)}"]


def _dead_lines(network: nn.Module, shape: tuple[int, ...]) -> Iterator[str]:
    """Parameters the result does not depend on, found through the gradient's graph, again without values."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    if not named:
        return
    network = deepcopy(network)  # of a layer under two names, functional_call would leave tensors without values
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fakes: dict[str, Any] = {name: mode.from_tensor(value).requires_grad_() for name, value in named}
        result = torch.func.functional_call(network, fakes, (torch.empty(shape),), strict=False)
        if not isinstance(result, Tensor) or not result.requires_grad:
            return
        gradients = torch.autograd.grad(result.sum(), list(fakes.values()), allow_unused=True)
    dead = [(n, p) for (n, p), gradient in zip(named, gradients, strict=True) if gradient is None]
    if dead:
        count = sum(parameter.numel() for _, parameter in dead)
        yield f"{len(dead)} tensors with {count:,} weights do not reach the result ({dead[0][0]} …)"
