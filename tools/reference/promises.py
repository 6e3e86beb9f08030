"""promises.md: every promise of a budget, what is measured for it, and what is made of it."""

from __future__ import annotations

from functools import partial
from inspect import getdoc

from exporter.judge.budget import PROMISES, Promise
from exporter.judge.versions import PROMISE as OF_VERSIONS
from exporter.judge.versions import TOLERANCE_DB
from exporter.recipes.options import Option, options_of
from exporter.recipes.promises import ELSEWHERE
from tools.reference.markdown import code, page, prose, section, table

INTRODUCTION = """
What `budget` of a recipe promises of all targets, and `budget` of a target lays over it. A promise that is left out is
not made. Figures are measured on the pictures of `data.evaluation`.
"""
OUTCOMES = """
- **kept**: the figure is within the limit, which counts as within. Exit code 0.
- **missed**: it is not, or is no number (NaN). Exit code 1; the bundle is written as `NAME-VERSION.missed/`, so that
  nothing under the release's name has missed a promise.
- **not measured**: there is no figure, and the sentence says why. Exit code 3, unless the promise is one of
  `also_on` or `verify.versions` on an engine that is not installed, which `verify.demand_all: true` demands, too.

`exporter verify BUNDLE` judges the figures of the bundle's report again, by the same rules.
"""


def promises_page() -> str:
    options = {option.key.removeprefix("budget."): option for option in options_of("recipe")}
    rows = [
        (f"[{code(promise.key)}](#{promise.key})", promise.what.format(baseline="the input"), _limit(promise))
        for promise in PROMISES
    ]
    overview = table(("promise", "figure", "kept when it is"), rows)
    outcomes = section("How a promise ends", OUTCOMES.strip())
    each = [_promise(promise, options[promise.key]) for promise in PROMISES]
    return page("Promises", INTRODUCTION, [overview, outcomes, *each, _versions()])


def _promise(promise: Promise, option: Option) -> str:
    values = ", ".join(filter(None, (option.values, promise.unit.strip())))
    lines = [
        f"{prose(option.what)}. *{prose(option.when)}.*\n",
        f"- values: {values}",
        f"- kept: when the figure is {_limit(promise)}",
        f"- not measured: {_unmeasured(promise)}",
        f"- holds: {_where(promise)}",
    ]
    return section(promise.key, "\n".join(lines))


def _limit(promise: Promise) -> str:
    if promise.key.startswith("forbid_"):
        return "0"
    return f"{'at least' if promise.is_minimum else 'at most'} the limit"


def _where(promise: Promise) -> str:
    also = ", and on each of `also_on`" if promise.key in ELSEWHERE else ""
    return f"on the target's `runtime`{also}"


def _unmeasured(promise: Promise) -> str:
    """What the function that takes the figure from a result says of it."""
    function = promise.value.func if isinstance(promise.value, partial) else promise.value
    text = " ".join((getdoc(function) or "").split())
    return text.removeprefix("Not measured ").removesuffix(".")


def _versions() -> str:
    limits = ", ".join(f"{limit:g} dB for {precision}" for precision, limit in TOLERANCE_DB.items())
    text = f"""
Made by `verify.versions`, not by a budget: on every LiteRT release that it names a .tflite gives the same picture as on
the release that measured it, as nearly as the file's numbers let kernels round: at least {limits}. A release that
cannot run the file has missed; one that is not installed is not measured.
"""
    return section(OF_VERSIONS, text.strip())
