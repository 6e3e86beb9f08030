"""The search as one page that loads nothing, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.recipes.space import TIME, Objective
from exporter.report.templates import templates_of
from exporter.search.chart import front_chart
from exporter.search.results import OWN, Trial
from exporter.search.search import Found

MARKDOWN_ROWS = 30


def page(title: str, found: Found) -> str:
    """HTML without scripts and without anything from a network."""
    from markupsafe import Markup

    first, *others = found.objectives
    charts = [Markup(front_chart(found, first, other)) for other in others]
    environment = templates_of("exporter.search")
    environment.globals |= {"cells": cells, "why": why, "name": name_of, "state": state_of}
    return environment.get_template("page.html").render(title=title, found=found, charts=[c for c in charts if c])


def markdown(title: str, found: Found) -> str:
    """The sentence, the front, and how many trials ended how."""
    return "\n".join(_lines(title, found)) + "\n"


def _lines(title: str, found: Found) -> Iterator[str]:
    yield f"# Search of {title}"
    yield ""
    yield f"{found.sentence}{f' ({found.ended})' if found.ended else ''}."
    yield ""
    states = [trial.state for trial in found.trials]
    counts = [f"{states.count(state)} {state}" for state in ("kept", "missed", "pruned", "failed")]
    noisy = f", {found.noisy} of the kept too noisy to be trusted" if found.noisy else ""
    yield f"Of the trials {', '.join(counts)}{noisy}. `trials.json` and `trials.csv` hold all, `index.html` shows them;"
    yield "every point of the front has its recipe in `recipes/`."
    yield ""
    columns = ("", *(objective.title for objective in found.objectives), "settings")
    yield f"| {' | '.join(columns)} |"
    yield "|" + " --- |" * len(columns)
    for trial in found.front[:MARKDOWN_ROWS]:
        yield f"| {' | '.join((name_of(trial, found), *cells(trial, found), f'`{trial.command_words}`'))} |"


def name_of(trial: Trial, found: Found) -> str:
    name = "the recipe's own" if trial.number == OWN else f"trial {trial.number}"
    return f"**{name}**" if found.chosen is not None and trial.number == found.chosen.number else name


def cells(trial: Trial, found: Found) -> list[str]:
    """Its objectives; of a time how it compares with the recipe's own."""
    return [_cell(trial, objective) for objective in found.objectives]


def why(trial: Trial, found: Found) -> str:
    """Why it is not on the front, where more can be said than that another is better."""
    return "; ".join(trial.reasons) or trial.untrusted(found.objectives)


def state_of(trial: Trial, found: Found) -> str:
    if any(trial.number == other.number for other in found.front):
        return "front"
    return "noisy" if trial.state == "kept" and trial.untrusted(found.objectives) else trial.state


def _cell(trial: Trial, objective: Objective) -> str:
    value = trial.value(objective)
    if value is None:
        return "–"
    pace = trial.pace.get(objective.target)
    if objective.figure != TIME or pace is None or trial.number == OWN:
        return f"{value:.4g}"
    return f"{value:.4g} (× {pace.ratio:.3f}, {pace.low:.3f} to {pace.high:.3f})"
