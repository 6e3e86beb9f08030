"""What a recurrent network carries, found out by calling it: which output each state becomes, and what zeros it takes.

Many take None before the first frame and say by what they return what they want; of others shapes are tried, those
first that the network's own complaint and its layers name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from exporter.failures import explained
from exporter.generators.adapter import Adapter, parts_of, tensors_in, value_at
from exporter.generators.carrying import filled, leaves, sides, structure_of, words_for
from exporter.generators.interface import Carried, Interface, Source
from exporter.generators.users_code import FAILS_WITH

SCALES = ("H", "H/2", "H/4", "H/8", "H*2", "H*4")
MOST_CHANNELS, MOST_CALLS = 24, 60
MADE_BY = ("init_hidden", "init_state", "init_states", "initial_state", "zero_state", "get_init_state", "init_memory")
_PREVIOUS = re.compile(r"(?:^|_)(?:prev|previous|last|past|former|pre|old)(?:_|\d|$)|(?:_|^)t_?(?:minus_?)?1$")
_SHOWN = re.compile(r"out|sr|hr|hq|pred|est|res|gt|sharp|clean|high|denois|deblur", re.IGNORECASE)
_GIVEN = re.compile(r"frame|input|lr|lq|img|image|low|noisy|blur|pic|(?:^|_)x(?:_|\d|$)|prev$", re.IGNORECASE)
_WANTS = re.compile(r"to have (\d+) channels, but got (\d+)")
_UNPACKS = re.compile(r"unpack \(expected (\d+)")
_OTHER_SIZE = re.compile(r"must match except in dimension 1|non-singleton dimension [23]")


class NoState(Exception):
    """In no way that was tried does the network run with a state; the words say why."""


def settled(network: nn.Module, interface: Interface, x: Tensor, pictures: tuple[int, ...]) -> Interface:
    """`interface` whose states say all of themselves, for the frame `x`; `pictures`: channels a picture may have.

    Raises NoState, or what the network's own code raises.
    """
    if all(state.shape is not None and (state.output or state.source != "output") for state in interface.states):
        return interface
    return _Search(network, interface, x, pictures).settle()


class _Search:
    def __init__(self, network: nn.Module, interface: Interface, x: Tensor, pictures: tuple[int, ...]) -> None:
        self.interface, self.x, self.pictures = interface, x, pictures
        self.height, self.width = x.shape[2:]
        self.network = network
        self.plain = Adapter(network, replace(interface, states=()))
        self.open = [state.argument for state in interface.states if state.shape is None]
        self.calls = 0
        self._wanted: list[int] = []  # channels that a complaint asked for
        self._trying = self._count = 0
        self._is_other_size = self._is_other_kind = False
        self.failure: BaseException | None = None

    def settle(self) -> Interface:
        for guess in self._guesses():
            for _ in range(3):  # what comes back may be of another shape, and that one is meant
                found = self._with(guess)
                if found is None:
                    break
                if all(found[one] == guess.get(one) for one in found):
                    return self._named(found)
                guess = {**guess, **found}
            if self.calls > MOST_CALLS:
                break
        if isinstance(self.failure, Exception):
            raise self.failure
        raise NoState(f"no shape was found for {', '.join(self.open)}")

    def _with(self, guess: Mapping[str, Any]) -> dict[str, Any] | None:
        """The structures of all states behind a frame that began with those of `guess`; None where it does not run."""
        values = {one: None if shape is None else self._zeros(shape) for one, shape in guess.items()}
        self.calls += 1
        try:
            with torch.no_grad():
                result = self.plain.call(self.x.clone(), values)
            made = self._made(result)
            found = {name: structure_of(value, self.height, self.width) for name, (_, value) in made.items()}
        except MemoryError:
            raise
        except (*FAILS_WITH, LookupError, NoState) as error:
            if explained(error):
                raise
            self.failure = self.failure or error
            self._learn(error)
            return None
        self._result = result
        return found

    def _zeros(self, structure: Any) -> Any:
        shapes = (sides(shape, self.height, self.width) for _, shape in leaves(structure))
        return filled(structure, (torch.zeros(shape) for shape in shapes))

    def _made(self, result: Any) -> dict[str, tuple[Carried, Any]]:
        """What each state becomes, by its argument. Raises NoState."""
        picture = self._picture(result)
        parts = [] if isinstance(result, Tensor) else parts_of(result)
        rest = [key for key, _ in parts if (str(key),) != picture[:1]]
        shown = value_at(result, picture)
        unsaid = [state for state in self.interface.states if state.source == "output" and not state.output]
        given: dict[str, tuple[Carried, Any]] = {}
        for state in self.interface.states:
            if state.source != "output":
                given[state.argument] = state, self.x if state.source == "frame" else shown
            elif state.output:
                given[state.argument] = state, value_at(result, state.output)
        taken = {state.output[0] for state, _ in given.values() if state.output}
        rest = [key for key in rest if str(key) not in taken]
        for state in list(unsaid):
            named = next((key for key in rest if _is_next(str(key), state.argument)), None)
            if named is not None:
                given[state.argument] = self._from(state, result, named, shown)
                unsaid.remove(state)
                rest.remove(named)
        for state in list(unsaid):
            if len(rest) < len(unsaid) and _PREVIOUS.search(state.argument):
                is_shown = bool(_SHOWN.search(state.argument)) or not _GIVEN.search(state.argument)
                named_after: Source = "picture" if is_shown else "frame"
                given[state.argument] = replace(state, source=named_after), shown if is_shown else self.x
                unsaid.remove(state)
        for state, key in zip(list(unsaid), rest, strict=False):
            given[state.argument] = self._from(state, result, key, shown)
            unsaid.remove(state)
        if unsaid:
            raise NoState(f"nothing that forward returns carries {unsaid[0].argument} on")
        self._given = given
        return given

    def _from(self, state: Carried, result: Any, key: Any, shown: Tensor) -> tuple[Carried, Any]:
        value = value_at(result, (str(key),))
        if value is shown:
            return replace(state, source="picture"), value
        return replace(state, output=(str(key),)), value

    def _picture(self, result: Any) -> tuple[str, ...]:
        if self.interface.output:
            return self.interface.output
        carried = {state.output for state in self.interface.states if state.output}
        found = [(way, tensor) for way, tensor in tensors_in(result) if way not in carried and self._is_picture(tensor)]
        direct = [way for way, _ in found if len(way) <= 1]
        if not found:
            raise NoState("it gives no picture")
        return (direct or [found[0][0]])[0]

    def _is_picture(self, tensor: Tensor) -> bool:
        if tensor.dim() != 4 or tensor.shape[0] != 1 or tensor.shape[1] not in self.pictures:
            return False
        scale = tensor.shape[2] // self.height
        return bool(scale) and tuple(tensor.shape[2:]) == (scale * self.height, scale * self.width)

    def _named(self, found: Mapping[str, Any]) -> Interface:
        states = tuple(
            replace(self._given[state.argument][0], shape=found[state.argument]) for state in self.interface.states
        )
        return replace(self.interface, states=states, output=self.interface.output or self._picture(self._result))

    # What to begin with.

    def _guesses(self) -> Iterator[dict[str, Any]]:
        said = {state.argument: state.shape for state in self.interface.states if state.shape is not None}
        if not self.open:
            yield dict(said)
            return
        yield said | dict.fromkeys(self.open)
        previous = [one for one in self.open if _PREVIOUS.search(one)]
        plain = [one for one in self.open if one not in previous]
        yield from (said | dict.fromkeys(self.open, shape) for shape in self._from_methods())
        for shown in self._shapes_of_previous(previous):
            if not plain:
                yield said | shown
                continue
            for shape in self._shapes():
                yield said | shown | dict.fromkeys(plain, shape)

    def _shapes_of_previous(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Of frames and pictures: a picture may be larger, or of other channels."""
        if not names:
            yield {}
            return
        frame = words_for(tuple(self.x.shape), self.height, self.width)
        for scale in ("", "*2", "*4", "*3"):
            for channels in dict.fromkeys((frame[1], *self.pictures)):
                shown = [1, channels, f"H{scale}", f"W{scale}"]
                yield {name: frame if _GIVEN.search(name) and not _SHOWN.search(name) else shown for name in names}

    def _shapes(self) -> Iterator[Any]:
        """One state, or a tuple of several, of every likely size; what a complaint rules out is passed over."""
        self._count = 0
        for count in (1, 2, 3, 4):
            self._is_other_kind = False  # a tensor where a tuple is wanted, whatever its size
            for scale in (*SCALES, ""):
                waiting, tried = list(self._channels()), set[int]()
                self._is_other_size = False
                while waiting and not self._is_ruled_out(count):
                    channels = waiting.pop(0)
                    if channels in tried:
                        continue
                    tried.add(channels)
                    self._trying = channels
                    yield _several([1, channels, *_planes(scale)], count)
                    waiting = self._wanted + waiting
                    self._wanted = []

    def _is_ruled_out(self, count: int) -> bool:
        return self._is_other_size or self._is_other_kind or self._count not in (0, count)

    def _learn(self, error: BaseException) -> None:
        """A convolution says how many channels it wants, and how many it got with those of the guess."""
        words = str(error)
        found = _WANTS.search(words)
        if found and (missing := int(found[1]) - int(found[2])):
            self._wanted += [self._trying + missing] if self._trying + missing > 0 else []
        self._is_other_size = bool(_OTHER_SIZE.search(words))
        is_of_shape = isinstance(error, RuntimeError) or type(error) in (LookupError, NoState)
        self._is_other_kind = not is_of_shape
        if unpacks := _UNPACKS.search(words):
            self._count = int(unpacks[1])

    def _channels(self) -> Iterator[int]:
        """What its layers make and take beside the picture, the commonest first."""
        counts: dict[int, int] = {}
        for module in self.network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                for number in (module.out_channels, module.in_channels - self.x.shape[1]):
                    counts[number] = counts.get(number, 0) + 1
            if isinstance(module, nn.Conv2d):
                rest = module.in_channels - module.out_channels
                counts[rest] = counts.get(rest, 0) + 1
            if isinstance(module, nn.Linear | nn.RNNCellBase):
                number = module.out_features if isinstance(module, nn.Linear) else module.hidden_size
                counts[number] = counts.get(number, 0) + 1
        likely = sorted((number for number in counts if number > 0), key=lambda number: -counts[number])
        yield from likely[:MOST_CHANNELS]

    def _from_methods(self) -> Iterator[Any]:
        """What the network's own method for a first state gives."""
        height, width = self.height, self.width
        ways: tuple[tuple[Any, ...], ...] = ((1, (height, width)), (1, height, width), (height, width), (self.x,), (1,))
        for name in MADE_BY:
            make = getattr(self.network, name, None)
            if not callable(make):
                continue
            for way in ways:
                try:
                    yield structure_of(make(*way), height, width)
                except MemoryError:
                    raise
                except (*FAILS_WITH, LookupError):
                    continue


def _planes(scale: str) -> list[str]:
    """The sides of planes; none of a vector."""
    return [scale, scale.replace("H", "W")] if scale else []


def _several(shape: list[Any], count: int) -> Any:
    return shape if count == 1 else {"tuple": [list(shape) for _ in range(count)]}


def _is_next(key: str, argument: str) -> bool:
    """Whether an output's name says that it is what `argument` becomes."""
    return key in {argument, f"next_{argument}", f"new_{argument}", f"{argument}_next", f"{argument}_new"}


def starts_from_zeros(network: nn.Module, interface: Interface, x: Tensor) -> bool:
    """Whether None, where the network takes it, means a state of zeros; True where it takes no None."""
    adapter = Adapter(network, interface)
    try:
        with torch.no_grad():
            first = adapter.call(x.clone(), dict.fromkeys(state.argument for state in interface.states))
            zeros = adapter.call(x.clone())
            one, other = (value_at(made, interface.output) for made in (first, zeros))
    except MemoryError:
        raise
    except (*FAILS_WITH, LookupError):
        return True
    return bool(torch.allclose(one, other, atol=1e-5, rtol=1e-4))
