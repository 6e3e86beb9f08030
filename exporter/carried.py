"""What a recurrent network carries from frame to frame: how a file says it, and the walk over a clip that carries it.

The ends of a file say it by their names. Behind the picture an input NAME is fed, at the next frame, what the output
`next_NAME` gave; `previous_input` the frame that has gone in, `previous_output` the picture that has come out. Before
the first frame each holds zeros. A clip is one array, (H, W, T·C), its frames one behind the other, the oldest first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

NEXT = "next_"
PREVIOUS_INPUT, PREVIOUS_OUTPUT = "previous_input", "previous_output"
FRAME = -1  # a place that no output has: the frame that went in
CLIP_FRAMES = 5  # a state has been carried several times, and 20 pictures are judged in seconds

T = TypeVar("T")


def next_name(state: str) -> str:
    """What gives the next value of the input `state`: the name of an output, or of the picture's input."""
    return {PREVIOUS_INPUT: "input", PREVIOUS_OUTPUT: "output"}.get(state, f"{NEXT}{state}")


def sources_of(inputs: Sequence[str], outputs: Sequence[str]) -> tuple[int, ...]:
    """For every input behind the picture the place of the output that it is fed next, or FRAME.

    Raises ValueError for ends that say nothing of the kind: a file of somebody else with several inputs.
    """
    places = {name: place for place, name in enumerate(outputs)} | {outputs[0]: 0}
    given = {PREVIOUS_INPUT: FRAME, PREVIOUS_OUTPUT: 0}
    found = []
    for name in inputs[1:]:
        place = given.get(name, places.get(next_name(name)))
        if place is None:
            raise ValueError(f"input {name} is no picture and no state: there is no output {next_name(name)}")
        found.append(place)
    if left := [name for place, name in enumerate(outputs) if place and place not in found]:
        raise ValueError(f"output {left[0]} is no picture, and no input is fed with it")
    return tuple(found)


def walk(
    frames: Sequence[T], fresh: Sequence[T], sources: Sequence[int], call: Callable[[list[T]], Sequence[T]]
) -> list[T]:
    """The picture that `call` makes of each frame, each state fed as `sources` says, from `fresh` on."""
    states, pictures = list(fresh), []
    for frame in frames:
        made = call([frame, *states])
        states = [frame if place == FRAME else made[place] for place in sources]
        pictures.append(made[0])
    return pictures


def frames_of(clip: Any, channels: int) -> list[Any]:
    """The frames of an array whose last axis holds them one behind the other, `channels` each."""
    return [clip[..., place : place + channels] for place in range(0, clip.shape[-1], channels)]
