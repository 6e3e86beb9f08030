"""stages.md: every stage, what it reads and writes, and each of its options."""

from __future__ import annotations

from inspect import cleandoc

from exporter.recipes.options import options_of_stage
from exporter.stages import STAGES, Stage
from exporter.stages.base import READS
from tools.reference.markdown import code, options_table, page, prose, section, table

INTRODUCTION = """
What may stand in `stages` of a recipe and of its targets, in the order a model usually meets them: a name, or
`name: {option: value}`. On the command line an option is `STAGE.OPTION=value`. `exporter stages NAME` says the same in
a terminal.
"""


def stages_page() -> str:
    rows = [(f"[{stage.name}](#{stage.name})", _models(stage), prose(_first(stage))) for stage in STAGES]
    overview = table(("stage", "reads → writes", "what it does"), rows)
    return page("Stages", INTRODUCTION, [overview, *map(_stage, STAGES)])


def _stage(stage: type[Stage]) -> str:
    paragraphs = [prose(" ".join(text.split())) for text in cleandoc(stage.__doc__ or "").split("\n\n")]
    return section(stage.name, *paragraphs, _reads(stage), options_table(options_of_stage(stage)))


def _reads(stage: type[Stage]) -> str:
    also = [words if " " in words else code(words) for key, words in READS.items() if key in stage.reads]
    resumes = " A run that was interrupted goes on from its last checkpoint." if stage.resumes else ""
    more = f", {', '.join(also)}" if also else ""
    return f"Reads a {stage.takes} model{more}; writes a {stage.gives} model.{resumes}"


def _models(stage: type[Stage]) -> str:
    return f"{stage.takes} → {stage.gives}"


def _first(stage: type[Stage]) -> str:
    return (stage.__doc__ or "").strip().splitlines()[0]
