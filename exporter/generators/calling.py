"""How a network wants to be called, found out by calling it: channels, forms of constants, the picture it gives."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from exporter.artifact import CHANNELS, Colour
from exporter.errors import PlanError, RecipeError
from exporter.failures import in_one_line
from exporter.generators.adapter import Adapter, picture_at, tensors_in
from exporter.generators.carrying import fresh, leaves
from exporter.generators.description import is_known
from exporter.generators.instead import hint_of_words
from exporter.generators.interface import FramesAs, Interface
from exporter.generators.state_search import NoState, settled, starts_from_zeros
from exporter.generators.users_code import FAILS_WITH, place_of
from exporter.suggestions import did_you_mean

TRIED: tuple[Colour, ...] = ("rgb", "grey", "rgba")  # where the recipe does not say; the first that runs is meant
# Channels of the picture that may come out, the likeliest first.
GIVEN: dict[Colour, tuple[int, ...]] = {"rgb": (3, 1), "grey": (1, 3), "y": (1, 3), "rgba": (4, 3), "rggb": (4, 3)}
# A number goes in as a number where `forward` takes one; else as a tensor that says the same of every pixel.
NUMBER_SHAPES: tuple[list[Any], ...] = ([1, 1, 1, 1], [1, 1], [1], [1, 1, "H", "W"])
MOST_SHOWN = 12  # tensors in a sentence
HINT_OF_STATES = (
    "say of each state which output it becomes and of which shape its zeros are, as in input: {state: {h: {output: 1, "
    "shape: [1, 16, H, W/2]}}}; several tensors are a list of shapes, or names with shapes; output: frame is the frame "
    "that went in, output: picture the one that came out"
)


@dataclass(frozen=True, slots=True)
class Call:
    """`picture`: what came out, (1, C, scale·H, scale·W) in the network's own range; `given`: what its channels are."""

    interface: Interface
    colour: Colour
    given: Colour
    scale: int
    picture: Tensor
    remarks: tuple[str, ...] = ()


class _Unfit(Exception):
    """It runs, and gives no picture that can be taken."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem, self.hint = problem, hint


def find_call(network: nn.Module, arch: str, wanted: Interface, colour: Colour | None, x: Tensor) -> Call:
    """How `network` gives one picture for `x`, a (1, 1, H, W) picture in its range of any one value.

    `wanted` is what the recipe says; numbers in its `inputs` get the form that works. Raises RecipeError for arguments
    of `forward` that are not there or not named, PlanError when no call gives a picture.
    """
    wanted = replace(wanted, argument=_argument_of_picture(network, wanted))
    colours = (colour,) if colour else TRIED
    failures: list[tuple[Colour, BaseException]] = []
    for tried, interface in product(colours, _interfaces(wanted)):
        try:
            return _call(network, arch, interface, tried, x.expand(1, CHANNELS[tried] * wanted.frames, -1, -1))
        except MemoryError:
            raise
        except (*FAILS_WITH, _Unfit) as error:
            failures.append((tried, error))
    raise _refusal(network, arch, failures, x, bool(wanted.inputs), bool(wanted.states))


def _call(network: nn.Module, arch: str, interface: Interface, colour: Colour, x: Tensor) -> Call:
    interface = settled(network, interface, x, GIVEN[colour])
    adapter = Adapter(network, interface)
    with torch.no_grad():
        result = adapter.call(x.clone())
    carried = {state.output for state in interface.states if state.output}
    path, remarks = _way_to_picture(result, interface.output, arch, colour, x, carried)
    if interface.states:
        interface = replace(interface, output=path)
        _refuse_wrong_states(network, interface, x)
        remarks = (*remarks, *_lines_on_states(network, interface, x))
    picture = picture_at(result, path)
    given: Colour = colour if picture.shape[1] == CHANNELS[colour] else "rgb" if picture.shape[1] == 3 else "grey"
    scale = picture.shape[2] // x.shape[2]
    return Call(replace(interface, output=path), colour, given, scale, picture, remarks)


def _way_to_picture(
    result: Any, path: tuple[str, ...], arch: str, colour: Colour, x: Tensor, carried: Collection[tuple[str, ...]] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The way to the picture, and what to say of a choice that nobody made. Raises _Unfit.

    `carried`: ways to what goes on to the next frame.
    """
    found = {
        way: tensor
        for way, tensor in tensors_in(result)
        if not any(way[: len(other)] == other for other in carried if other != path)
    }
    if path:
        try:
            chosen = picture_at(result, path)
        except LookupError as error:
            raise _Unfit(f"model.output: {error.args[0]}; {arch} gives {_listed(found)}") from None
        if _rank(chosen, colour, x) is None:
            raise _Unfit(
                f"model.output: {'.'.join(path)} is {tuple(chosen.shape)}, expected {_expected(x)}",
                f"{arch} gives {_listed(found)}",
            )
        return path, ()
    ranks = {way: rank for way, tensor in found.items() if (rank := _rank(tensor, colour, x)) is not None}
    best = [way for way, rank in ranks.items() if rank == min(ranks.values())]
    if not best:
        got = _listed(found) if len(found) > 1 or () not in found else str(tuple(found[()].shape))
        raise _Unfit(f"model.arch: {arch} gives {got if found else type(result).__name__}, expected {_expected(x)}")
    if len(best) > 1:
        raise _Unfit(
            f"model.output: {arch} gives {len(best)} pictures, and nobody says which is meant: {_listed(found)}",
            " or ".join(f"model.output={'.'.join(way)}" for way in best[:MOST_SHOWN]),
        )
    if len(found) == 1:
        return best[0], ()
    return best[0], (f"of {_listed(found)} it is model.output={'.'.join(best[0])} that goes on, the only picture",)


def _refuse_wrong_states(network: nn.Module, interface: Interface, x: Tensor) -> None:
    """Raises _Unfit when what comes out does not go in again."""
    adapter = Adapter(network, interface)
    try:
        with torch.no_grad():
            before = fresh(adapter.ends, x)
            adapter(x.clone(), *adapter(x.clone(), *before)[1:])
    except MemoryError:
        raise
    except FAILS_WITH as error:
        said = ", ".join(f"{end.name.removeprefix('state_')} {list(end.shape)}" for end in adapter.ends)
        raise _Unfit(f"input.state: what comes out cannot go in again as {said}: {in_one_line(error)}") from error


def _lines_on_states(network: nn.Module, interface: Interface, x: Tensor) -> Iterator[str]:
    """What is carried, in words."""
    for state in interface.states:
        becomes = {"frame": "the frame", "picture": "the picture"}.get(state.source, f"output {'.'.join(state.output)}")
        shapes = ", ".join(f"{list(shape)}" for _, shape in leaves(state.shape))
        yield f"carried from frame to frame: {state.argument}, {shapes}, becomes {becomes}".replace("'", "")
    if not starts_from_zeros(network, interface, x):
        yield (
            "before the first frame the network makes of None something else than zeros: the exported file begins with "
            "zeros, and its first frames differ from the network's own"
        )


def _rank(tensor: Tensor, colour: Colour, x: Tensor) -> int | None:
    """How likely a tensor is the picture, 0 first; None when it cannot be."""
    shape, (height, width) = tuple(tensor.shape), x.shape[2:]
    if len(shape) != 4 or shape[0] != 1 or not tensor.is_floating_point() or shape[1] not in GIVEN[colour]:
        return None
    scale = shape[2] // height
    return GIVEN[colour].index(shape[1]) if scale and shape[2:] == (scale * height, scale * width) else None


def _expected(x: Tensor) -> str:
    return f"one picture {tuple(x.shape)}, or one a whole number of times as large"


def _listed(found: Mapping[tuple[str, ...], Tensor]) -> str:
    """`0 (1, 3, 16, 16), image.1 (1, 3, 64, 64)`"""
    shown = [f"{'.'.join(way) or 'one'} {tuple(tensor.shape)}" for way, tensor in list(found.items())[:MOST_SHOWN]]
    return ", ".join(shown) + (f" and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else "")


def _interfaces(wanted: Interface) -> Iterator[Interface]:
    """`wanted` with every form that its constants and its frames may have, the simplest first."""
    ways: tuple[FramesAs, ...] = ("axis", "channels", "arguments") if wanted.frames > 1 else ("channels",)
    if wanted.states:  # one step of a network for films may want a film of one frame
        ways = ("channels", "axis")
    names = list(wanted.inputs)
    for way, forms in product(ways, product(*(_forms(wanted.inputs[name]) for name in names))):
        yield replace(wanted, frames_as=way, inputs=dict(zip(names, forms, strict=True)))


def _forms(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [{"values": value}, value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [value]
    return [value, *({"fill": value, "shape": shape} for shape in NUMBER_SHAPES)]


def _argument_of_picture(network: nn.Module, wanted: Interface) -> str:
    """The name of the argument that takes the picture, "" for the first. Raises RecipeError for what does not fit."""
    try:
        parameters = list(inspect.signature(network.forward).parameters.values())
    except (TypeError, ValueError):  # no Python function: only calling it will tell
        return ""
    named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    names, any_name = [p.name for p in named], any(p.kind == p.VAR_KEYWORD for p in parameters)
    forward = f"{type(network).__name__}.forward({', '.join(str(p).partition(':')[0].strip() for p in parameters)})"
    states = {state.argument: "input.state" for state in wanted.states}
    for name, place in (dict.fromkeys(wanted.inputs, "model.inputs") | states).items():
        if name not in names and not any_name:
            raise RecipeError(f"{place}.{name}: {forward} takes no {name!r}{did_you_mean(name, names)}")
    free = [p for p in named if p.name not in wanted.inputs and p.name not in states]
    if named and not free:
        raise RecipeError(f"model.inputs: {forward} has no argument left for the picture")
    missing = [p.name for p in free[1:] if p.default is p.empty]
    if missing and not (wanted.frames > 1 and len(missing) == wanted.frames - 1):
        options = ", ".join(f"{name}: 0.06" for name in missing)
        raise RecipeError(
            f"model.inputs: {forward} needs {' and '.join(missing)} beside the picture",
            hint=f"say what each shall be, a number, a list or {{fill: 0.06, shape: [1, 1, H, W]}}: "
            f"model: {{inputs: {{{options}}}}}; several pictures of a film are input.frames; what goes on from frame "
            f"to frame is input: {{state: {{{missing[0]}: {{output: 1}}}}}}",
        )
    return "" if not free or free[0] is parameters[0] else free[0].name


def _refusal(
    network: nn.Module,
    arch: str,
    failures: list[tuple[Colour, BaseException]],
    x: Tensor,
    has_constants: bool,
    has_states: bool,
) -> BaseException:
    """The failure that says most: one that ran, else one with as many channels as the first convolution has."""
    for _, error in failures:
        if isinstance(error, _Unfit):
            return PlanError(error.problem, hint=error.hint)
    if has_states:
        error = next((error for _, error in failures if isinstance(error, NoState)), failures[0][1])
        said = f"{in_one_line(error)}{place_of(error)}"
        refusal = PlanError(f"input.state: {arch} cannot be run with what it carries: {said}", hint=HINT_OF_STATES)
        refusal.__cause__ = error
        return refusal
    takes = next((m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d)), 3)
    fitting = [error for colour, error in failures if CHANNELS[colour] == takes]
    error = fitting[-1] if fitting else failures[0][1]
    if is_known(arch) and not isinstance(error, RuntimeError):
        return error  # of a network of ours: our own mistake
    height, width = x.shape[2:]
    where = "model.inputs" if has_constants else "input"
    said = f"{in_one_line(error)}{place_of(error)}"
    hint = hint_of_words(said)
    if not (fitting or len({colour for colour, _ in failures}) == 1):
        hint = _hint_of_channels(takes)
    refusal = PlanError(f"{where}: {arch} cannot run at {height}×{width}: {said}", hint=hint)
    refusal.__cause__ = error
    return refusal


def _hint_of_channels(takes: int) -> str:
    """What a network may want whose first convolution takes so many channels."""
    if takes % 3 == 0 and takes > 3:
        frames = takes // 3
        return f"its first convolution takes {takes} channels; {frames} pictures of a film are input.frames={frames}"
    return (
        f"its first convolution takes {takes} channels; constant maps behind the picture's own are "
        "model.extra_channels=[0.06], packed sensor values input.colour=rggb"
    )
