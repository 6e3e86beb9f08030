"""Every option of a recipe as one line of a table, or one word of a command line: read from the schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from exporter.files.yaml_text import one_line
from exporter.recipes.described import unit_of, what_and_when
from exporter.recipes.schema import KINDS, Schema, schema_of
from exporter.stages import Stage

_KINDS = {"integer": "whole number", "number": "number", "string": "text", "object": "key: value"}
_PLACES = {"path": "file or folder", "file-path": "file", "directory-path": "folder"}
_BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "multiple of {}",
    "maxItems": "at most {} of them",
    "maxProperties": "at most {} of them",
    "maxLength": "at most {} characters",
}


@dataclass(frozen=True, slots=True)
class Option:
    """`key` is dotted; `kind` and `range` are words; `default` is None where it has to be given or nothing is meant.

    `part`: the part it belongs to, where that part may be left out; only with it the option has to be given.
    """

    key: str
    kind: str
    range: str
    unit: str
    default: Any
    required: bool
    choices: tuple[str, ...]
    what: str
    when: str
    part: str = ""

    @property
    def values(self) -> str:
        """What it may be, in words."""
        return ", ".join(filter(None, (self.kind, self.range)))

    @property
    def default_text(self) -> str:
        """What it is when nothing is said, as a recipe would have it; nothing where there is no such value."""
        if self.required:
            return f"has to be given with {self.part}" if self.part else "has to be given"
        return "" if self.default is None else one_line(self.default)


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


def _options(schema: Schema, parts: Schema, before: str, part: str = "") -> Iterator[Option]:
    for key, written in schema.get("properties", {}).items():
        value, place = _plain(written), before + key
        inner = parts[value["$ref"].rpartition("/")[2]] if "$ref" in value else None
        if inner is None or value is not written:  # a part that may be left out has a word of its own
            yield _option(place, value if inner is None else inner, written, key in schema.get("required", ()), part)
        if inner is not None:
            yield from _options(inner, parts, f"{place}.", part if value is written else place)


def _option(place: str, value: Schema, written: Schema, required: bool, part: str) -> Option:
    key = place.rpartition(".")[2]
    what, when = what_and_when(written.get("description", "").removesuffix(f" [{unit_of(key)}]"))
    return Option(
        key=place,
        kind=_kind(value),
        range=_range(value),
        unit=unit_of(key, what),
        default=written.get("default"),
        required=required,
        choices=_choices(value),
        what=what,
        when=when,
        part=part,
    )


def _plain(value: Schema) -> Schema:
    """The one form of several that is no `null`; all of them where there are several."""
    forms = [form for form in value.get("anyOf", ()) if form.get("type") != "null"]
    return forms[0] if len(forms) == 1 else value


def _kind(value: Schema) -> str:
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(_kind(form) for form in value["anyOf"]))
    if choices := _choices(value):
        return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1])))
    kind = value.get("type", "")
    if kind == "array":
        several = value.get("prefixItems") or [value.get("items", {})]
        inner = _kind(_plain(several[0])) or "values"
        return f"{len(several)} × {inner}" if "prefixItems" in value else f"list of {inner}"
    return _PLACES.get(value.get("format", ""), "") or _KINDS.get(kind if isinstance(kind, str) else "string", "")


def _choices(value: Schema) -> tuple[str, ...]:
    if value.get("type") == "boolean":
        return ("true", "false")
    return tuple(map(str, value.get("enum", (value["const"],) if "const" in value else ())))


def _range(value: Schema) -> str:
    inner = value["prefixItems"][0] if "prefixItems" in value else value
    return ", ".join(words.format(_number(inner[key])) for key, words in _BOUNDS.items() if key in inner)


def _number(value: float) -> str:
    """No power of ten; large ones in groups of three digits, the largest as a power of two."""
    if isinstance(value, int) and value > 2**53 and (value & (value + 1)) == 0:
        return f"2^{value.bit_length()} - 1"
    text = f"{value:,.10f}".rstrip("0").removesuffix(".") if isinstance(value, float) else f"{value:,}"
    return text.replace(",", " " if abs(value) >= 100_000 else "")
