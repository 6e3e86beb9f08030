"""How a network wants to be called so that one picture goes in and one comes out; read and written without torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

FramesAs = Literal["axis", "channels", "arguments"]  # (N, T, C, H, W), (N, T·C, H, W), or T pictures one by one

Source = Literal["output", "frame", "picture"]

MOST_FRAMES = 64
MOST_STATES = 32
STATE_OR_FRAMES = "state: a network that carries a state takes one frame a call; leave frames out"
LARGEST_CONSTANT = 2**26  # numbers in one constant: a picture of 8K times two
MAP_SIDES = ("H", "W")
_STATE_SIDE = re.compile(r"[HW](?:[/*][1-9]\d?)?")


@dataclass(frozen=True, slots=True)
class Carried:
    """An argument of `forward` that is fed, at the next frame, what this frame has given.

    output: the way to that among what `forward` returns; () where it is not known, or is no output.
    source: "frame" is the picture that went in, "picture" the one that came out.
    shape: of its zeros before the first frame, [1, 16, H, W/2], or a tuple, list, dict or named of such, as in
        {"tuple": [[1, 16, H, W], [1, 16, H, W]]}; None: not known.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    argument: Annotated[str, Field(max_length=100)]
    output: Annotated[tuple[str, ...], Field(max_length=16)] = ()
    source: Source = "output"
    shape: Any = None

    def __post_init__(self) -> None:
        if self.shape is not None and (problem := state_problem(self.shape)):
            raise ValueError(f"{self.argument}: {problem}")


@dataclass(frozen=True, slots=True)
class Interface:
    """What an adapter does around a network; the default is a network that maps one picture to one picture.

    output: the way to the picture among what `forward` returns, keys and indices.
    argument: the argument that takes the picture; "" for the first.
    inputs: further arguments of `forward` by name; {"fill": v, "shape": […]} and {"values": […]} become tensors.
    extra_channels: constant maps put behind the picture's own channels, in the network's own values.
    bgr: the network's channels are blue, green, red; those of the picture stay red, green, blue.
    frames: pictures that lie one behind the other in the channels of what goes in.
    states: arguments of `forward` that go on from frame to frame.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    output: Annotated[tuple[str, ...], Field(max_length=16)] = ()
    argument: Annotated[str, Field(max_length=100)] = ""
    inputs: dict[str, Any] = field(default_factory=dict)
    extra_channels: Annotated[tuple[float, ...], Field(max_length=64)] = ()
    bgr: bool = False
    frames: Annotated[int, Field(ge=1, le=MOST_FRAMES)] = 1
    frames_as: FramesAs = "channels"
    states: Annotated[tuple[Carried, ...], Field(max_length=MOST_STATES)] = ()

    def __post_init__(self) -> None:
        for name, value in self.inputs.items():
            if problem := constant_problem(value):
                raise ValueError(f"{name}: {problem}")

    def to_header(self) -> dict[str, Any]:
        """What differs from a plain picture network; {} when nothing does."""
        return {name: value for name, value in asdict(self).items() if value != _PLAIN[name]}


def constant_problem(value: Any) -> str:
    """What is wrong with a value for an argument of `forward`; "" when nothing is."""
    if value is None or isinstance(value, bool | str):
        return ""
    if isinstance(value, int | float):
        return "" if isfinite(value) else "must be a finite number"
    if isinstance(value, list | tuple):
        return _list_problem(value)
    if isinstance(value, Mapping):
        return _mapping_problem(value)
    return f"must be a number, a list, true, false, null, a word or {{fill: 0.06, shape: [1, 1, H, W]}}, not {value!r}"


def _list_problem(value: list[Any] | tuple[Any, ...]) -> str:
    try:
        shape = shape_of(value)
    except ValueError as problem:
        return str(problem)
    return "" if 0 < _size(shape) <= LARGEST_CONSTANT else "must hold at least one number"


def _mapping_problem(value: Mapping[str, Any]) -> str:
    if set(value) == {"values"} and isinstance(value["values"], list | tuple):
        return _list_problem(value["values"])
    if set(value) != {"fill", "shape"}:
        return f"knows fill and shape, as in {{fill: 0.06, shape: [1, 1, H, W]}}, not {', '.join(map(str, value))}"
    fill, shape = value["fill"], value["shape"]
    if isinstance(fill, bool) or not isinstance(fill, int | float) or not isfinite(fill):
        return f"fill must be a number, not {fill!r}"
    if not isinstance(shape, list | tuple) or len(shape) > 6:
        return f"shape must be a list of at most 6 sides such as [1, 1, H, W], not {shape!r}"
    for side in shape:
        if side not in MAP_SIDES and (isinstance(side, bool) or not isinstance(side, int) or side < 1):
            return f"a side is a whole number, H or W, not {side!r}"
    known = [side for side in shape if isinstance(side, int)]
    return "" if _size(tuple(known)) <= LARGEST_CONSTANT else "shape holds too many numbers"


def state_problem(shape: Any) -> str:
    """What is wrong with the shape of a state, or with a structure of such; "" when nothing is."""
    if isinstance(shape, Mapping):
        if len(shape) != 1 or not set(shape) <= {"tuple", "list", "dict", "named"}:
            return f"a state is a shape, or tuple, list, dict or named of such, not {', '.join(map(str, shape))}"
        ((kind, parts),) = shape.items()
        by_name = kind in ("dict", "named")
        if not isinstance(parts, Mapping if by_name else list | tuple) or not 0 < len(parts) <= MOST_STATES:
            return f"{kind} holds 1 to {MOST_STATES} shapes"
        if kind == "named" and not all(str(name).isidentifier() and not name.startswith("_") for name in parts):
            return "named holds shapes by names of attributes"
        return next(filter(None, map(state_problem, parts.values() if isinstance(parts, Mapping) else parts)), "")
    if not isinstance(shape, list | tuple) or not 0 < len(shape) <= 6:
        return f"shape must be a list of at most 6 sides such as [1, 16, H, W/2], not {shape!r}"
    for side in shape:
        if isinstance(side, bool) or not (
            side > 0 if isinstance(side, int) else isinstance(side, str) and _STATE_SIDE.fullmatch(side)
        ):
            return f"a side is a whole number, H, W, H/2 or H*2, not {side!r}"
    known = [side for side in shape if isinstance(side, int)]
    return "" if _size(tuple(known)) <= LARGEST_CONSTANT else "shape holds too many numbers"


def shape_of(value: Any) -> tuple[int, ...]:
    """Of nested lists of numbers. Raises ValueError when they are ragged or hold something else."""
    if isinstance(value, list | tuple):
        shapes = {shape_of(part) for part in value}
        if len(shapes) > 1:
            raise ValueError("its rows differ in length")
        return (len(value), *(next(iter(shapes)) if shapes else ()))
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise ValueError(f"holds {value!r}, which is no finite number")
    return ()


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


PLAIN = Interface()
_PLAIN = asdict(PLAIN)
