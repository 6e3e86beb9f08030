"""How deep and how large what a pickle describes is, found by reading it: nothing in it is built.

A pickle says "the same again" in two bytes. A key of thirty tuples, each holding the one before twice, is hashed for
minutes; one of a million tuples, each within the next, is hashed beyond the end of the stack.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import IO, Any

DEEPEST = 100  # checkpoints with optimisers and their options stay below 20
MOST_OPERATIONS = 2_000_000  # of the pickle; the largest checkpoints known here have less than 100 000
MOST_VALUES = 10_000_000  # each counted as often as it is referred to

_GET = frozenset({"GET", "BINGET", "LONG_BINGET"})
_PUT = frozenset({"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"})
_GROWING = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})  # add to what lies lowest
_HASHING = frozenset({"SETITEM", "SETITEMS", "ADDITEMS", "DICT", "FROZENSET"})


@dataclass(frozen=True, slots=True)
class _Value:
    """Something on the pickle's stack: how many values it is made of, and how deep they are nested."""

    count: int = 1
    depth: int = 1


_MARK = _Value(0, 0)


def require_bounded(pickled: bytes | IO[bytes]) -> None:
    """Reads one pickle, to its end. Raises ValueError, saying why, for one that is damaged or beyond the bounds."""
    stack: list[_Value] = []
    memo: dict[Any, _Value] = {}
    collected = 0
    for number, (operation, argument, _) in enumerate(pickletools.genops(pickled)):
        if number > MOST_OPERATIONS:
            raise ValueError(f"its pickle has more than {MOST_OPERATIONS} operations")
        name = operation.name
        try:
            if name in _PUT:
                memo[len(memo) if name == "MEMOIZE" else argument] = stack[-1]
            elif name in _GET:
                stack.append(memo[argument])
            elif name == "DUP":
                stack.append(stack[-1])
            elif name == "MARK":
                stack.append(_MARK)
            else:
                taken = _taken(operation, stack)
                held = taken.pop() if name in _GROWING else _Value(0, 0)
                made = _Value(
                    1 + held.count + sum(value.count for value in taken),
                    max(held.depth, 1 + max((value.depth for value in taken), default=0)),
                )
                collected += made.count - held.count if name in _HASHING else 0
                _require_within(made.depth, max(made.count, collected))
                stack += [made] * len(operation.stack_after)
        except LookupError:
            raise ValueError("its pickle refers to what it does not hold") from None


def _require_within(depth: int, count: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"what it holds is nested more than {DEEPEST} deep")
    if count > MOST_VALUES:
        raise ValueError(f"it describes more than {MOST_VALUES} values")


def _taken(operation: Any, stack: list[_Value]) -> list[_Value]:
    """What the operation takes off the stack, from the top: so many values, or those above the last mark and more."""
    before = operation.stack_before
    taken: list[_Value] = []
    if pickletools.markobject in before:
        while (top := stack.pop()) is not _MARK:
            taken.append(top)
        before = before[: before.index(pickletools.markobject)]
    return taken + [stack.pop() for _ in before]
