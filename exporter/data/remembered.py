"""What was read last stays in memory, as far as it is small enough: pictures are of any size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
MOST_BYTES = 1 << 30


def remembered(most: int, most_bytes: int = MOST_BYTES) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what a function of hashable arguments gave last, an array or a tuple of such: at most so many, and bytes."""

    def keeping(read: Callable[P, R]) -> Callable[P, R]:
        kept: OrderedDict[Hashable, R] = OrderedDict()
        lock, held_bytes = Lock(), 0

        @wraps(read)
        def recalling(*args: P.args, **kwargs: P.kwargs) -> R:
            nonlocal held_bytes
            key: Hashable = (args, tuple(sorted(kwargs.items())))
            with lock:
                if key in kept:
                    kept.move_to_end(key)
                    return kept[key]
            value = read(*args, **kwargs)  # others may read meanwhile
            with lock:
                if key not in kept:
                    kept[key] = value
                    held_bytes += _bytes_of(value)
                while kept and (len(kept) > most or held_bytes > most_bytes):
                    held_bytes -= _bytes_of(kept.popitem(last=False)[1])
            return value

        return recalling

    return keeping


def _bytes_of(value: Any) -> int:
    return sum(map(_bytes_of, value)) if isinstance(value, tuple) else int(value.nbytes)
