"""Which few layers stay in float where int8 keeps too little of the picture: found by trying, in a bounded number of
files.

What int8 costs adds up nearly: the error of a picture is the sum of what each run of layers alone in int8 does to it.
So the run that costs most is halved again and again until single layers are known that cost it. Those that cost most
for the fewest multiply-accumulates go back to float until the picture is kept; what turns out not to be needed returns
to int8. Nothing is timed: the same files decide the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

Layers = frozenset[str]
ErrorOf = Callable[[Layers], float]  # layers in float -> mean squared error of the worst picture, full scale 1

LEAST_DB = 36.0  # parity on calibration pictures, a little more than other pictures are to keep
MOST_FLOAT = 0.5  # of all multiply-accumulates: with more in float it is no INT8 file
WORTH_DB = 2.0  # what a change must win that does not reach LEAST_DB
USEFUL_DB = 30.0  # what float layers must reach: below it they are no help
_NO_WORK = 0.005  # of all multiply-accumulates, the price of a layer without any: a pass over the picture
_UNSEEN = 0.25  # of the error allowed: runs of layers that cost less together are looked at no closer
_MOST_ERROR, _USEFUL_ERROR, _WORTH = (10 ** (-each / 10) for each in (LEAST_DB, USEFUL_DB, WORTH_DB))


def is_kept(error: float) -> bool:
    """Whether a mean squared error, full scale 1, is small enough."""
    return error <= _MOST_ERROR  # NaN is not


def is_worth(error: float, plain_error: float) -> bool:
    """Whether a change of the file pays that leaves `error` of `plain_error`."""
    return is_kept(error) or error <= _WORTH * plain_error


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive layers, and the error of the picture with them alone in int8."""

    names: tuple[str, ...]
    error: float


class FloatFallback:
    """Of layers `macs`: names in the order they run, and multiply-accumulates; at most `trials` files are tried."""

    def __init__(self, macs: Mapping[str, int], error_of: ErrorOf, trials: int) -> None:
        self._macs, self._error_of, self._left = macs, error_of, trials
        self._every: Layers = frozenset(macs)
        self._total = max(sum(macs.values()), 1)
        self.errors: dict[Layers, float] = {}

    def search(self, plain_error: float) -> Layers:
        """The layers to keep in float; none where that gains too little. `plain_error`: with all in int8."""
        self.errors[frozenset()] = plain_error
        ranked = self._ranked(self._runs(plain_error))
        chosen = self._shortest(ranked)
        chosen = self._spared(chosen)
        found = frozenset(name for run in chosen for name in run.names)
        error = self.errors.get(found, plain_error)
        return found if error <= _USEFUL_ERROR and is_worth(error, plain_error) else frozenset()

    def _error(self, in_float: Layers) -> float:
        if in_float not in self.errors:
            self._left -= 1
            self.errors[in_float] = self._error_of(in_float)
        return self.errors[in_float]

    def _runs(self, plain_error: float) -> list[_Run]:
        """All layers in runs, halved where they cost most, as long as half of the trials last."""
        runs, keep = [_Run(tuple(self._macs), plain_error)], self._left // 2
        while self._left >= keep + 2:
            long = [run for run in runs if len(run.names) > 1]
            if sum(run.error for run in long) <= _UNSEEN * _MOST_ERROR:
                break
            worst = max(long, key=lambda run: run.error)
            middle = len(worst.names) // 2
            place = runs.index(worst)
            runs[place : place + 1] = [self._alone(worst.names[:middle]), self._alone(worst.names[middle:])]
        return runs

    def _alone(self, names: tuple[str, ...]) -> _Run:
        return _Run(names, self._error(self._every - set(names)))

    def _share(self, runs: Sequence[_Run]) -> float:
        """Of all multiply-accumulates."""
        return sum(self._macs[name] for run in runs for name in run.names) / self._total

    def _ranked(self, runs: Sequence[_Run]) -> list[_Run]:
        """Those that cost most for the work they do first, as many as may be float."""
        order = sorted(runs, key=lambda run: (-run.error / (_NO_WORK + self._share([run])), run.names))
        found: list[_Run] = []
        for run in order:
            if self._share([*found, run]) <= MOST_FLOAT:
                found.append(run)
        return found

    def _shortest(self, ranked: Sequence[_Run]) -> list[_Run]:
        """The shortest beginning of `ranked` that keeps the picture, as far as trials last; else the best one tried."""
        low, high, count = 0, len(ranked) + 1, 1
        while high - low > 1 and self._left > 0:
            middle = min(count, len(ranked)) if high > len(ranked) else (low + high) // 2
            if is_kept(self._error(_names(ranked[:middle]))):
                high = middle
            else:
                low, count = middle, 2 * count
        if high <= len(ranked):
            return list(ranked[:high])
        tried = [ranked[:count] for count in range(len(ranked) + 1) if _names(ranked[:count]) in self.errors]
        return list(min(tried, key=lambda runs: self.errors[_names(runs)]))

    def _spared(self, chosen: list[_Run]) -> list[_Run]:
        """What is left when all that is not needed is int8 again, the least costly first, long runs in halves."""
        waiting = sorted(chosen, key=lambda run: (run.error, run.names))
        while waiting and self._left > 0:
            run = waiting.pop(0)
            left = [other for other in chosen if other is not run]
            if left and is_kept(self._error(_names(left))):
                chosen = left
            elif len(run.names) > 1:
                middle = len(run.names) // 2
                halves = [_Run(run.names[:middle], run.error), _Run(run.names[middle:], run.error)]
                chosen, waiting = [*left, *halves], [*waiting, *halves]
        return chosen


def _names(runs: Iterable[_Run]) -> Layers:
    return frozenset(name for run in runs for name in run.names)
