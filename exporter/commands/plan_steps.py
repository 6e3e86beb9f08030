"""The steps of a plan in the order in which they run: for which targets, whether done, and how long by earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.commands.words import show, show_table
from exporter.figures import counted, time_word
from exporter.recipes.plan import Chain
from exporter.runs.times import VERIFY, title


@dataclass(frozen=True, slots=True)
class Step:
    """`usually_s`: as in earlier runs, None where it never ran; `done`: an export takes what is kept of it."""

    name: str
    targets: tuple[str, ...]
    done: bool
    usually_s: float | None


def steps_of(
    chains: Sequence[Chain], kept: Mapping[str, Sequence[str]], usually_s: Mapping[str, float]
) -> tuple[Step, ...]:
    """Each stage once, whichever targets share it, and the verification. `kept`: finished stages by target."""
    found: dict[tuple[str, ...], Step] = {}
    for chain in chains:
        before: tuple[str, ...] = ()
        for place, stage in enumerate(chain.stages):
            before = (*before, f"{stage.name} {stage.model_dump_json()}")
            targets = (*(found[before].targets if before in found else ()), chain.target)
            name, done = title(stage), place < len(kept.get(chain.target, ()))
            found[before] = Step(name, targets, done, usually_s.get(name))
    everyone = tuple(chain.target for chain in chains)
    return (*found.values(), Step(VERIFY, everyone, False, usually_s.get(VERIFY)))


def show_steps(steps: Sequence[Step], everyone: Sequence[str]) -> None:
    """A table of them, and how long all that is left takes."""
    rows = []
    for number, step in enumerate(steps, 1):
        targets = "every target" if len(step.targets) == len(everyone) > 1 else ", ".join(step.targets)
        rows.append((f"{number} {step.name}", targets, _when(step)))
    show_table("", ("step", "for", "takes"), rows)
    left = [step for step in steps if not step.done]
    known_s = [step.usually_s for step in left if step.usually_s is not None]
    if known_s:
        others = f", without {counted(len(left) - len(known_s), 'step')} that took no time or never ran here"
        show(f"about {time_word(sum(known_s))} by earlier runs{others * (len(known_s) < len(left))}")


def _when(step: Step) -> str:
    if step.done:
        return "done, kept"
    return "not known yet" if step.usually_s is None else f"about {time_word(step.usually_s)}"
