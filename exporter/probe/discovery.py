"""What a recipe would say of a network of the user's own, found out by trying: size, multiple, range, how it is called.

What cannot be found out (the number that a further argument wants, how many frames) is guessed, and said to be.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from exporter.artifact import CHANNELS, Colour
from exporter.errors import PlanError, RecipeError
from exporter.generators.interface import STATE_OR_FRAMES, Carried
from exporter.probe.sizes import Size, SizeRule, find_size
from exporter.probe.wanted import Wanted

if TYPE_CHECKING:
    from torch import Tensor, nn

    from exporter.generators.calling import Call

PICTURE_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))  # those of networks in the field
GUESSED_NUMBER = 0.06  # a noise level of 15 of 255; strengths and quality factors are of 0..1, too
GUESSED_FRAMES = (3, 5, 7, 2)
SIZE_FOR_FRAMES: Size = (128, 128)
SMALL_PX = 64
NOT_ZEROS = "begins with zeros"  # of what loading says of a state
_STATE = re.compile(  # of recurrent networks
    r"(?:^|_)(?:h|c|hx|cx|hs|hc|hidden|hiddens|states?|mem|memory|recurrent|carry|carried|buf|buffers?|cache|prev|previous"
    r"|last|past|prop|propagated)"
    r"(?:_|\d|$)"
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Discovered:
    """What a recipe would say of the network, the sizes it takes, and what was guessed or chosen, in words."""

    wanted: Wanted
    rule: SizeRule
    remarks: tuple[str, ...]


def find_out(network: nn.Module, wanted: Wanted) -> Discovered:
    """Runs the network a few times. Raises RecipeError when it runs in no way that was tried, or is random."""
    if wanted.states and wanted.frames > 1:
        raise RecipeError(f"input.{STATE_OR_FRAMES}")
    first: RecipeError | None = None
    for guess, remark in _guesses(network, wanted):
        trials = Trials(network, guess)
        try:
            rule = find_size(trials, wanted.size or (SIZE_FOR_FRAMES if guess.frames > wanted.frames else None))
        except RecipeError as error:
            first = first or error
            continue
        picture = trials.small_picture(rule)
        _refuse_random(trials, picture)
        found = replace(
            guess,
            range=wanted.range or _range(trials, picture),
            multiple=wanted.multiple or rule.multiple,
            output=trials.interface.output,
            states=trials.interface.states,
        )
        carried = ", ".join(state.argument for state in found.states)
        said = f"carried from frame to frame, from zeros on: {carried}" if carried else ""
        left = _left_at_none(network, found) if len(found.output) and not carried else ""
        differs = next((line for line in trials.call.remarks if NOT_ZEROS in line), "") if trials.call else ""
        return Discovered(found, rule, tuple(filter(None, (remark, trials.remark, said, differs, left))))
    assert first is not None
    raise first


def _guesses(network: nn.Module, wanted: Wanted) -> Iterator[tuple[Wanted, str]]:
    """What may be meant by what was not said, and the words for it."""
    missing, optional = _further_arguments(network, wanted) if wanted.frames == 1 else ([], [])
    named = [name for name in (*missing, *optional) if _STATE.search(name)]
    if named:
        yield _carrying(wanted, named, [name for name in missing if name not in named])
    if missing:
        yield _with_numbers(wanted, missing)
        yield _carrying(wanted, missing, [])
    else:
        yield wanted, ""
    for frames in GUESSED_FRAMES if wanted.frames == 1 and not wanted.states else ():
        yield replace(wanted, frames=frames), f"guessed: input.frames {frames}"


def _with_numbers(wanted: Wanted, names: list[str]) -> tuple[Wanted, str]:
    guessed = dict.fromkeys(names, GUESSED_NUMBER)
    said = ", ".join(f"{name}: {GUESSED_NUMBER}" for name in names)
    return replace(wanted, inputs={**wanted.inputs, **guessed}), f"guessed: model.inputs {{{said}}}"


def _carrying(wanted: Wanted, states: list[str], numbers: list[str]) -> tuple[Wanted, str]:
    """What goes on from frame to frame."""
    wanted, remark = _with_numbers(wanted, numbers) if numbers else (wanted, "")
    return replace(wanted, states=(*wanted.states, *map(Carried, states))), remark


def _further_arguments(network: nn.Module, wanted: Wanted) -> tuple[list[str], list[str]]:
    """Arguments of `forward` behind the picture that have no value yet: those that need one, those that may be None."""
    try:
        parameters = inspect.signature(network.forward).parameters.values()
    except (TypeError, ValueError):
        return [], []
    said = {*wanted.inputs, *(state.argument for state in wanted.states)}
    free = [p for p in parameters if p.name not in said and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    missing = [p.name for p in free[1:] if p.default is p.empty]
    return missing, [p.name for p in free[1:] if p.default is None]


def _left_at_none(network: nn.Module, found: Wanted) -> str:
    """Of a network that gives more than a picture: what may be a state by another name."""
    _, optional = _further_arguments(network, found) if found.frames == 1 else ([], [])
    return f"left at None: {', '.join(optional)}; what goes on from frame to frame is input.state" if optional else ""


class Trials:
    """Calls the network at any size in one way, whose gaps it fills; `call` is the last one that worked."""

    def __init__(self, network: nn.Module, wanted: Wanted) -> None:
        self.network, self.arch, self.interface = network, wanted.arch or "", wanted.interface
        self._colour: Colour | None = "rgb" if wanted.colour == "bgr" else wanted.colour
        self.remark = ""
        self.call: Call | None = None

    def __call__(self, height: int, width: int) -> str:
        """Why the network cannot run at this size; "" when it can."""
        from exporter.generators.fullest_output import fullest_output

        try:
            self._try(height, width)
        except PlanError as error:
            way = () if self.interface.output else self._with(fullest_output, height, width)
            if not way:
                return str(error)
            self.interface = replace(self.interface, output=way)
            self._try(height, width)
            self.remark = f"of several pictures it takes model.output {'.'.join(way)}, to which most weights lead"
        return ""

    def small_picture(self, rule: SizeRule) -> Tensor:
        """What goes into the network, of a small size that it takes."""
        import torch

        side = max(SMALL_PX // rule.multiple, 1) * rule.multiple
        if side * side >= rule.height * rule.width or self(side, side):
            side = 0
            self(rule.height, rule.width)
        assert self.call is not None
        size = (side, side) if side else (rule.height, rule.width)
        return torch.full((1, CHANNELS[self.call.colour] * self.interface.frames, *size), 0.5)

    def _try(self, height: int, width: int) -> None:
        from exporter.generators.calling import find_call

        self.call = self._with(find_call, height, width)
        self.interface = replace(self.interface, states=self.call.interface.states)  # found out once for all sizes

    def _with(self, find: Callable[..., T], height: int, width: int) -> T:
        import torch

        return find(self.network, self.arch, self.interface, self._colour, torch.full((1, 1, height, width), 0.5))


def _refuse_random(trials: Trials, picture: Tensor) -> None:
    """Raises PlanError: no file can be held against a network that gives another picture every time."""
    from exporter.generators.adapter import Adapter
    from exporter.generators.steadiness import require_steady

    assert trials.call is not None
    require_steady(Adapter(trials.network, trials.call.interface), picture)


def _range(trials: Trials, picture: Tensor) -> tuple[float, float] | None:
    """The range of values that the network's end holds it to, when it is one of those in the field."""
    from exporter.generators.adapter import Adapter
    from exporter.generators.output_bounds import output_bounds

    assert trials.call is not None
    found = output_bounds(Adapter(trials.network, trials.call.interface), picture)
    return found if found in PICTURE_RANGES else None
