"""recipe.md, train.md and space.md: every key of the three kinds of recipe."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from exporter.recipes.options import options_of, options_of_part
from exporter.recipes.schema import KINDS, schema_line, schema_of
from tools.reference.markdown import code, options_table, page, prose, section

READ = """
- Values are YAML. Each can be changed on the command line by its key as it stands here: `{example}`.
- A key without a default may be left out.
- `exporter schema{of}` prints the same as JSON Schema. A recipe whose first line is `{line}` is completed and checked
  by editors, with that file beside it.
"""
# Part with a name of the user's → how its keys begin, and the key that holds such parts.
NAMED = {
    "recipe": {"Target": ("targets.NAME.", "targets"), "CarriedState": ("input.state.ARGUMENT.", "input.state")},
    "train": {},
    "space": {"Objective": ("", "objectives"), "Range": ("", "keys")},
}


def recipe_page() -> str:
    introduction = f"""
What `exporter recipe=FILE` reads.

{_how("recipe", "exporter recipe=my.yaml verify.runs=200")}
- `stages` is a list, of the recipe and of each target: [Stages](stages.md) has what may stand in it and every option.
- What `budget` can promise, of all targets or of one, is explained in [Promises](promises.md).
- `extends: other.yaml` lays a recipe over another one.
"""
    return page("Recipe", introduction, _parts("recipe"))


def train_page() -> str:
    introduction = f"""
What `exporter train recipe=FILE` and `exporter prepare` read.

{_how("train", "exporter train recipe=my.yaml training.steps=5000")}
"""
    return page("Training recipe", introduction, _parts("train"))


def space_page() -> str:
    introduction = f"""
What `exporter search recipe=FILE space=FILE` may change of a recipe, and what it is after.
A space lies in `spaces/` beside the recipe, in a file of the recipe's name, and is found there by itself.
`exporter schema --of space` prints the same as JSON Schema; the first line is then `{schema_line("space")}`, with
that file beside it.
"""
    return page("Search space", introduction, _parts("space"))


def _how(kind: str, example: str) -> str:
    of = "" if kind == "recipe" else f" --of {kind}"
    return READ.format(example=example, of=of, line=schema_line(kind)).strip()


def _parts(kind: str) -> Iterator[str]:
    """One section to each key that holds others; those that hold none come first, together."""
    options = options_of(kind)
    has_parts = {option.key.partition(".")[0] for option in options if "." in option.key}
    plain = [option for option in options if option.key.partition(".")[0] not in has_parts]
    yield section("Top level" if has_parts else "Keys", options_table(plain))
    for key, inner in groupby(
        (option for option in options if option not in plain), lambda option: option.key.partition(".")[0]
    ):
        yield section(code(key), _about(kind, key), options_table(inner))
    for part, (before, holder) in NAMED[kind].items():
        own = (option for option in options_of_part(kind, part) if not option.key.startswith("budget."))
        more = "Its `stages` and its `budget` are as the recipe's own." if part == "Target" else ""
        about = prose(schema_of(KINDS[kind])["$defs"][part]["description"])
        yield section(f"One of `{holder}`", f"{about} {more}".strip(), options_table(own, before))


def _about(kind: str, key: str) -> str:
    """The sentence of the part that `key` holds."""
    schema = schema_of(KINDS[kind])
    return prose(schema["properties"][key].get("description", ""))
