"""What stays in float in an INT8 file, by which rule, and where in the user's network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

from exporter.graph.module_path import module_path

Rule = Literal["asked", "costly", "coarse", "statistic", "exponent", "probability", "no kernel", "enclosed"]
# Said in this order.
_SAID: dict[Rule, str] = {
    "asked": "kept on request",
    "costly": "{integers} there loses most of what the file loses",
    "coarse": "a norm behind them would amplify their rounding",
    "statistic": "norms and their statistics, of which {integers} leaves too little",
    "exponent": "what an exponential is taken of, whose steps are factors",
    "probability": "probabilities so many that {integers} would round them away",
    "no kernel": "no {integers} kernel",
    "enclosed": "between others in float",
}
NAMED = 3


def float_remarks(operators: Iterable[tuple[Rule, str, str]], integers: str = "int8") -> Iterator[str]:
    """A line for each rule; `operators`: (rule, kind, name) of all that stay in float beside such `integers`."""
    by_rule: dict[Rule, list[tuple[str, str]]] = {}
    for rule, kind, name in operators:
        by_rule.setdefault(rule, []).append((kind, name))
    for rule, why in _SAID.items():
        if found := by_rule.get(rule):
            kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(kind for kind, _ in found).items()))
            yield f"{kinds} in float{_places(name for _, name in found)}: {why.format(integers=integers)}"


def _places(names: Iterable[str]) -> str:
    """The modules, as far as names tell."""
    modules = list(dict.fromkeys(filter(None, map(module_path, names))))
    more = f" and {len(modules) - NAMED} modules more" if len(modules) > NAMED else ""
    return f" in {', '.join(modules[:NAMED])}{more}" if modules else ""
