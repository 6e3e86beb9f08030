"""Two files in turns: a pace that another program disturbs once is no regression; a picture of NaN is one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.data.evaluation import Pair
from exporter.errors import EngineError
from exporter.releases.markdown import markdown
from exporter.releases.measure import CALLS, TURNS, compare_pace, compare_quality
from exporter.releases.results import ComparedTarget, Limits, Pace, Releases

SPEC = TensorSpec.image(96, 96)
OLD, NEW = (Artifact(Format.TORCH, Path(name), SPEC, SPEC, name * 16, "fp32", ("x",)) for name in ("olds", "news"))


@dataclass
class Clock:
    """A runtime whose calls take what `ms` says of the file's name and of how often it was asked."""

    ms: Callable[[str, int], float]
    asked: list[str] = field(default_factory=list)
    calls: set[int] = field(default_factory=set)

    def open(self, artifact: Artifact, threads: int) -> Any:
        clock = self

        class Session:
            def time_ms(self, image: object, runs: int, warmup: int) -> list[float]:
                assert warmup > 0
                clock.asked.append(artifact.path.name)
                clock.calls.add(runs)
                return [clock.ms(artifact.path.name, clock.asked.count(artifact.path.name) - 1)] * runs

            def __enter__(self) -> Session:
                return self

            def __exit__(self, *_: object) -> None: ...

        return Session()


def pace(clock: Clock, limit: float = 1.1) -> Pace:
    return compare_pace(OLD, NEW, clock, 2, np.zeros((4, 4, 3), np.float32), limit)  # type: ignore[arg-type]


def test_both_take_turns_and_each_is_first_as_often() -> None:
    clock = Clock(lambda name, turn: 2.0 * (turn + 2) if name == "news" else 1.0 * (turn + 1))
    assert pace(clock, 3.0).ratio == 2.0, "a machine that slows down slows both down"
    assert clock.asked == ["olds", *["olds", "news", "news", "olds"] * (TURNS // 2)], "one to know how long it takes"
    assert clock.calls == {1, CALLS}


def test_slow_calls_are_fewer() -> None:
    clock = Clock(lambda name, turn: 200.0)
    assert pace(clock).old_ms == 200.0
    assert clock.calls == {1, 2}


def test_what_disturbs_one_side_once_is_no_regression() -> None:
    assert pace(Clock(lambda name, turn: 9.0 if name == "news" and turn < TURNS else 1.0)).ratio == 1.0
    assert pace(Clock(lambda name, turn: 9.0 if name == "news" else 1.0)).ratio == 9.0


@pytest.mark.parametrize("nonsense", [0.0, math.nan, math.inf])
def test_times_that_are_none(nonsense: float) -> None:
    with pytest.raises(EngineError, match="unusable timings"):
        pace(Clock(lambda name, turn: nonsense))


class Made:
    """Renderings that are given."""

    def __init__(self, old: np.ndarray, new: np.ndarray, sharp: np.ndarray) -> None:
        self.evaluation = (Pair("flat", sharp, sharp), Pair("one", sharp, sharp))
        self._made = {"olds": (sharp, old), "news": (sharp, new)}

    def of(self, artifact: Artifact, runtime: object) -> Any:
        return self._made[artifact.path.name]


def test_the_crop_lies_where_new_falls_behind_most() -> None:
    sharp = np.full((96, 96, 3), 0.5, np.float32)
    old, new = sharp.copy(), sharp.copy()
    old[:40, :40] += 0.3  # worse than NEW there, and therefore not the place
    old[90, 90] += 0.1
    new[72:88, 80:96] += 0.4
    change = compare_quality(OLD, NEW, None, Made(old, new, sharp))  # type: ignore[arg-type]
    crop = compare_quality(OLD, NEW, None, Made(sharp, new, sharp)).crop  # type: ignore[arg-type]
    assert change.old_psnr_db < change.new_psnr_db and change.crop is None, "no picture loses"
    assert crop is not None and crop.picture == "one"
    assert crop.x <= 80 and crop.x + 64 >= 96 and crop.y <= 72 and crop.y + 64 >= 88
    assert crop.old.shape == crop.new.shape == (64, 64, 3)
    assert crop.new.max() == 230 and crop.old.max() == 128


def test_a_picture_that_is_not_finite_is_a_loss_that_nothing_allows() -> None:
    sharp = np.full((96, 96, 3), 0.5, np.float32)
    new = sharp.copy()
    new[0, 0, 0] = np.nan
    change = compare_quality(OLD, NEW, None, Made(sharp, new, sharp))  # type: ignore[arg-type]
    assert math.isnan(change.loss_db) and not change.loss_db <= math.inf
    assert change.crop is not None and change.crop.picture == "one"


def releases(*targets: ComparedTarget, gone: tuple[str, ...] = ()) -> Releases:
    return Releases("a 1", "a 2", "cpu", Limits(), gone, ("extra",), "set, 3 pictures", targets)


def target(regressions: tuple[str, ...] = (), open: tuple[str, ...] = ()) -> ComparedTarget:
    return ComparedTarget("int8", "litert_cpu", "quantize", True, 1.0, None, None, "", regressions, open)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (releases(target()), 0),
        (releases(target(regressions=("x",))), 1),
        (releases(target(open=("y",))), 2),
        (releases(target(regressions=("x",)), target(open=("y",))), 1),
        (releases(target(), gone=("fp16",)), 1),
        (releases(), 2),
        (replace(releases(target()), incomparable="other pictures"), 2),
    ],
)
def test_exit_codes(found: Releases, code: int) -> None:
    assert found.exit_code == code


def test_markdown_is_text_whatever_names_say() -> None:
    said = markdown(releases(target(regressions=("<img src=x> [a](b) | @all\n# b",))))
    line = next(line for line in said.splitlines() if "worse**" in line)
    assert line == "- **worse**: int8: \\<img src=x\\> \\[a\\](b) \\| @\u200ball \\# b"
    assert "| extra | new | | | | | |" in said.splitlines()
