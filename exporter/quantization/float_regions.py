"""What of an INT8 file computes in float, whichever format it has: statistics, and what lies between float operators.

A square has twice the decades of what is squared, and a variance is a small number beside many large ones: in steps of
1/256 of the largest nothing is left of a quiet channel, and the norm that divides by it makes noise of it. So squares,
their means, the roots of these and the operator that divides or multiplies by them stay together in float.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Tensor = TypeVar("Tensor", bound=Hashable)

# Kinds as both formats name them, without capitals and underscores.
_REDUCED_SQUARES = frozenset({"reducesumsquare", "reducel2"})
_REDUCTIONS = _REDUCED_SQUARES | {"mean", "sum", "reducemean", "reducesum", "averagepool", "averagepool2d"}
_REDUCTIONS |= {"globalaveragepool"}
_SQUARES = frozenset({"squareddifference", "square", "pow"})
_ROOTS = frozenset({"sqrt", "rsqrt", "reciprocal", "pow"})
_RESHAPES = frozenset({"reshape", "squeeze", "unsqueeze", "expanddims", "identity", "expand", "tile"})
MOVES = _RESHAPES | {"transpose"}
_SUMS = frozenset({"add", "sub"})
_ARITHMETIC = _SUMS | {"mul", "div"}
_NORMS = frozenset({"instancenormalization", "groupnormalization", "layernormalization", "batchnormalization"})
_EXPONENTIALS = frozenset({"exp", "softmax", "logsoftmax"})
_PRODUCTS = frozenset({"matmul", "batchmatmul"})
_LARGEST = frozenset({"reducemax"})  # which a softmax subtracts
_POINTWISE = _ARITHMETIC | _ROOTS | {"max", "min", "maximum", "minimum", "clip", "neg", "square", "squareddifference"}
_FUNCTIONS = (
    frozenset({"relu", "relu6", "leakyrelu", "prelu", "gelu", "hardswish", "logistic", "sigmoid", "mul"}) | MOVES
)

PLANE = 64  # times as many values as statistics of them: planes, not the channels of a pixel


@dataclass(frozen=True, slots=True)
class Step(Generic[Tensor]):
    """One operator: `inputs` are the float activations it reads, as often as it reads them, `outputs` all it makes."""

    kind: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    weighted: bool = False  # has weights of its own, so that int8 is worth two conversions

    @property
    def name(self) -> str:
        return self.kind.replace("_", "").lower()

    @property
    def squares(self) -> bool:
        return self.name in _SQUARES or (self.name == "mul" and len(self.inputs) == 2 and len(set(self.inputs)) == 1)


class FloatRegions(Generic[Tensor]):
    """Asks about a graph: its `steps` in the order they run, and how many `elements` its float tensors have."""

    def __init__(self, steps: Sequence[Step[Tensor]], elements: Mapping[Tensor, int]) -> None:
        self._steps, self._elements = steps, elements
        self._makers = {tensor: place for place, step in enumerate(steps) for tensor in step.outputs}
        self._users: dict[Tensor, list[int]] = {}
        for place, step in enumerate(steps):
            for tensor in dict.fromkeys(step.inputs):
                self._users.setdefault(tensor, []).append(place)

    def statistics(self) -> set[int]:
        """Places of the steps that take means of squares, of what these are taken of, and of what they scale."""
        found = {place for region, _ in self._norms() for place in region}
        return found | self._codes_before(found)

    def normalised(self) -> set[Tensor]:
        """What norms over planes leave, and activation functions of that.

        Its variance is one on every picture; only a flat one with a bright spot reaches far.
        """
        kept = self.statistics()
        found = {
            made
            for region, few in self._norms()
            for place in region
            for made in self._steps[place].outputs
            if self._elements.get(made, 0) >= PLANE * max(few, 1) and not kept.issuperset(self._users.get(made, ()))
        }
        for step in self._steps:
            if step.inputs and step.name in _FUNCTIONS and found.issuperset(step.inputs):
                found.update(step.outputs)
        return found

    def _norms(self) -> Iterator[tuple[set[int], int]]:
        """The region of each, and how many numbers its statistic has."""
        for place, step in enumerate(self._steps):
            few = self._elements.get(step.outputs[0], 0)
            if step.name in _REDUCTIONS and (power := self._power_before(place)):
                region = {place, *power}
                self._follow(step.outputs[0], few, region)
                self._look_back(region, few)
                yield region, few
            elif step.name in _NORMS:
                region = {place}
                self._look_back(region, 0)
                yield region, few if step.name == "layernormalization" else 1

    def exponents(self, kept: Collection[int]) -> set[int]:
        """Places of what is done to a tensor number by number for a softmax or a power among those `kept` in float.

        Steps that hold a mask of -100 are too coarse for scores of 1, and an exponent's step is a factor.
        """
        found: set[int] = set()
        waiting = [place for place in kept if self._steps[place].name in _EXPONENTIALS]
        while waiting:
            step = self._steps[waiting.pop()]
            for place in {self._makers[tensor] for tensor in step.inputs if tensor in self._makers} - found:
                if self._prepares(place):
                    found.add(place)
                    waiting.append(place)
        return found

    def of_probabilities(self) -> dict[int, Tensor]:
        """Places of products of two activations, one of which a softmax gives: what it gives, before it was moved."""
        found: dict[int, Tensor] = {}
        for place, step in enumerate(self._steps):
            if step.name not in _PRODUCTS or len(step.inputs) != len({*step.inputs}) or len(step.inputs) < 2:
                continue
            for tensor in step.inputs:
                maker = self._steps[self._makers[tensor]] if tensor in self._makers else None
                while maker is not None and maker.name in MOVES and maker.inputs:
                    tensor = maker.inputs[0]
                    maker = self._steps[self._makers[tensor]] if tensor in self._makers else None
                if maker is not None and (maker.name == "softmax" or self._is_written_out_softmax(maker)):
                    found[place] = tensor
        return found

    def _is_written_out_softmax(self, step: Step[Tensor]) -> bool:
        makers = {self._steps[self._makers[tensor]].name for tensor in step.inputs if tensor in self._makers}
        return step.name == "div" and "exp" in makers

    def _prepares(self, place: int) -> bool:
        """Whether it changes one tensor by stored numbers, or by the largest of its own."""
        step = self._steps[place]
        makers = [self._steps[self._makers[tensor]].name for tensor in step.inputs if tensor in self._makers]
        alone = len(step.inputs) == 1 or not _LARGEST.isdisjoint(makers)
        return step.name in _LARGEST | _RESHAPES or (step.name in _ARITHMETIC and alone)

    def enclosed(self, kept: Collection[int], outputs: Collection[Tensor]) -> set[int]:
        """Steps without weights that lie between steps `kept` in float only, such as an attention's bias and softmax.

        int8 there costs two conversions and precision, and gains nothing; `outputs` are the graph's.
        """
        inside = {place for place, step in enumerate(self._steps) if place not in kept and not step.weighted}
        while True:
            known = inside | set(kept)
            leaking = {place for place in inside if not self._is_closed(place, known, outputs)}
            if not leaking:
                return inside
            inside -= leaking

    def _is_closed(self, place: int, known: set[int], outputs: Collection[Tensor]) -> bool:
        step = self._steps[place]
        return (
            all(self._makers.get(tensor) in known for tensor in step.inputs)
            and all(user in known for tensor in step.outputs for user in self._users.get(tensor, ()))
            and not set(step.outputs) & set(outputs)
        )

    def _power_before(self, place: int) -> set[int]:
        """Where the square, cube or fourth power is made that the reduction at `place` sums up; itself when it squares;
        nothing where it sums up something else."""
        step = self._steps[place]
        while step.name not in _REDUCED_SQUARES:
            maker = self._makers.get(step.inputs[0]) if step.inputs else None
            if maker is None:
                return set()
            place, step = maker, self._steps[maker]
            if power := self._power_at(place):
                return power
            if step.name not in _RESHAPES:
                return set()
        return {place}

    def _power_at(self, place: int) -> set[int]:
        step = self._steps[place]
        squares = {
            maker for t in step.inputs if (maker := self._makers.get(t)) is not None and self._steps[maker].squares
        }
        if step.squares:
            return {place, *squares}
        bases = {t for maker in squares for t in self._steps[maker].inputs}
        return {place, *squares} if step.name == "mul" and bases & set(step.inputs) else set()

    def _follow(self, tensor: Tensor, few: int, region: set[int], rooted: bool = False) -> None:
        """Add what is computed of a statistic of `few` numbers, up to what it scales."""
        for place in self._users.get(tensor, ()):
            step = self._steps[place]
            if place in region or step.name not in _POINTWISE | _REDUCTIONS | _RESHAPES:
                continue
            region.add(place)
            made, root = step.outputs[0], step.name in _ROOTS
            others = [t for t in step.inputs if t != tensor and self._makers.get(t) not in region]
            if self._elements.get(made, 0) > few or (rooted and not root and others):
                region |= set(self._factors(made))
            else:
                self._follow(made, few, region, rooted or root or step.name == "div")

    def _factors(self, tensor: Tensor) -> Iterator[int]:
        """The stored factors and shifts that a norm ends with."""
        passed: list[int] = []
        while len(users := self._users.get(tensor, [])) == 1:
            step = self._steps[users[0]]
            if step.name in _RESHAPES:
                passed.append(users[0])
            elif step.name in _ARITHMETIC and len(step.inputs) == 1:
                yield from (*passed, users[0])
                passed = []
            else:
                return
            tensor = step.outputs[0]

    def _codes_before(self, region: Collection[int]) -> set[int]:
        """Stored factors and shifts of what a region reads: with them an int8 tensor has a code per channel."""
        found: set[int] = set()
        waiting = [tensor for place in region for tensor in self._steps[place].inputs]
        while waiting:
            place = self._makers.get(waiting.pop())
            if place is None or place in region or place in found:
                continue
            step = self._steps[place]
            stored = step.name in _ARITHMETIC and len(step.inputs) == 1
            known = {*region, *found}
            if (stored or step.name in MOVES) and known.issuperset(self._users.get(step.outputs[0], ())):
                found.add(place)
                waiting += step.inputs
        return found

    def _look_back(self, region: set[int], few: int) -> None:
        """Add the means that a region reads, what is computed of them, and the difference from them."""
        waiting = list(region)
        while waiting:
            for tensor in self._steps[waiting.pop()].inputs:
                place = self._makers.get(tensor)
                if place is not None and place not in region and self._belongs(place, few):
                    region.add(place)
                    waiting.append(place)

    def _belongs(self, place: int, few: int) -> bool:
        step = self._steps[place]
        if step.name in _REDUCTIONS:
            return True
        made = self._elements.get(step.outputs[0], 0)
        if step.name in _POINTWISE and made <= few < max(self._elements.values(), default=0):
            return True
        if step.name in _RESHAPES:
            return any(map(self._is_mean, step.inputs))
        means = [self._is_mean(tensor) for tensor in step.inputs]
        return (step.name in _SUMS and any(means)) or (step.name in _ARITHMETIC and bool(means) and all(means))

    def _is_mean(self, tensor: Tensor) -> bool:
        """Whether a reduction made it, perhaps written once for each plane of a group."""
        maker = self._makers.get(tensor)
        while maker is not None and self._steps[maker].name in _RESHAPES and self._steps[maker].inputs:
            maker = self._makers.get(self._steps[maker].inputs[0])
        return maker is not None and self._steps[maker].name in _REDUCTIONS
