"""Every option of a recipe as one line of a table, or one word of a command line: read from the schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exporter.recipes.described import unit_of, what_and_when
from exporter.recipes.schema import KINDS, Schema, schema_of
from exporter.stages import Stage

_KINDS = {"integer": "whole number", "number": "number", "string": "text", "object": "key: value"}
_BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "multipleOf": "multiple of",
}


@dataclass(frozen=True, slots=True)
class Option:
    """`key` is dotted; `kind` and `range` are words; `default` is None where it has to be given or nothing is meant."""

    key: str
    kind: str
    range: str
    unit: str
    default: Any
    required: bool
    choices: tuple[str, ...]
    what: str
    when: str


def options_of_stage(stage: type[Stage]) -> tuple[Option, ...]:
    """What a recipe, or `stage.option=value`, can set of a stage: its own options, then those it shares with others."""
    schema, own = schema_of(stage), stage.__annotations__
    found = _options(schema, schema.get("$defs", {}), "")
    return tuple(sorted(found, key=lambda option: option.key.partition(".")[0] not in own))


def options_of(kind: str) -> tuple[Option, ...]:
    """What an override of a "recipe" or of "train" can set, but for lists of stages and named parts."""
    schema = schema_of(KINDS[kind])
    return tuple(option for option in _options(schema, schema["$defs"], "") if option.key != "stages")


def options_of_part(kind: str, part: str) -> tuple[Option, ...]:
    """Those of a part that has a name of the user's: "Target"."""
    parts = schema_of(KINDS[kind])["$defs"]
    return tuple(option for option in _options(parts[part], parts, "") if option.key != "stages")


def _options(schema: Schema, parts: Schema, before: str) -> Iterator[Option]:
    for key, written in schema.get("properties", {}).items():
        value = _plain(written)
        text = written.get("description", "")
        needed = key in schema.get("required", ())
        if "$ref" in value:
            inner = parts[value["$ref"].rpartition("/")[2]]
            yield from _options(inner, parts, f"{before}{key}.")
            continue
        what, when = what_and_when(text.removesuffix(f" [{unit_of(key)}]"))
        yield Option(
            key=before + key,
            kind=_kind(value),
            range=_range(value),
            unit=unit_of(key),
            default=written.get("default"),
            required=needed,
            choices=_choices(value),
            what=what,
            when=when,
        )


def _plain(value: Schema) -> Schema:
    """The one form of several that is no `null`; all of them where there are several."""
    forms = [form for form in value.get("anyOf", ()) if form.get("type") != "null"]
    return forms[0] if len(forms) == 1 else value


def _kind(value: Schema) -> str:
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_kind(form) for form in value["anyOf"]))
    if choices := _choices(value):
        return ", ".join(choices)
    kind = value.get("type", "")
    if kind == "array":
        several = value.get("prefixItems") or [value.get("items", {})]
        inner = _kind(_plain(several[0])) or "values"
        return f"{len(several)} × {inner}" if "prefixItems" in value else f"list of {inner}"
    return _KINDS.get(kind if isinstance(kind, str) else "string", "")


def _choices(value: Schema) -> tuple[str, ...]:
    if value.get("type") == "boolean":
        return ("true", "false")
    return tuple(map(str, value.get("enum", (value["const"],) if "const" in value else ())))


def _range(value: Schema) -> str:
    inner = value.get("prefixItems", [value])[0]
    return ", ".join(f"{sign} {inner[word]:g}" for word, sign in _BOUNDS.items() if word in inner)
