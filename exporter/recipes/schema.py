"""JSON Schema (draft 2020-12) of recipes, for editors: made of the models that check them, so it says nothing else.

It is a first look: what files hold, which networks exist and what one key asks of another is `exporter plan`'s to say.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from exporter.recipes.described import descriptions, unit_of
from exporter.recipes.export import Recipe
from exporter.recipes.space import Space
from exporter.recipes.train import TrainRecipe
from exporter.runtimes import RUNTIMES
from exporter.stages import STAGES

Schema = dict[str, Any]
SCHEMA_FILE = "recipe.schema.json"
KINDS: dict[str, type[BaseModel]] = {"recipe": Recipe, "train": TrainRecipe, "space": Space}
STAGE_LIST = "Stages"
EXTENDS = "A recipe, beside this one, to lay it over. Name it for a variant that says only what differs."
_REF = "#/$defs/"


def recipe_schema(kind: str) -> Schema:
    """Of "recipe", what `exporter recipe=…` takes, of "train", `exporter train`, or of "space": a search's."""
    schema = schema_of(KINDS[kind])
    parts = schema["$defs"]
    if kind == "recipe":
        _add_stages(parts)
        for owner in (schema, parts["Target"]):
            stages = owner["properties"]["stages"]
            owner["properties"]["stages"] = {"$ref": _REF + STAGE_LIST, "description": stages["description"]}
        _name_runtimes(parts["Target"]["properties"])
    required = _taken_out(schema, parts)
    schema["properties"]["extends"] = {"type": "string", "description": EXTENDS}
    head = {"$schema": GenerateJsonSchema.schema_dialect, "title": _first_line(KINDS[kind])}
    with_parent = {"if": {"not": {"required": ["extends"]}}, "then": required}
    return head | {key: value for key, value in schema.items() if key not in ("description", "title")} | with_parent


def schema_of(model: type[BaseModel]) -> Schema:
    """Of one part of a recipe, or of a stage's options."""
    return model.model_json_schema(schema_generator=_Generator)


def schema_text(kind: str) -> str:
    """The schema as the file that a recipe's first line names."""
    return json.dumps(recipe_schema(kind), indent=1, ensure_ascii=False) + "\n"


def schema_line(kind: str = "recipe") -> str:
    """The first line of a recipe, by which editors find its schema."""
    return f"# yaml-language-server: $schema={kind}.schema.json"


class _Generator(GenerateJsonSchema):
    """Descriptions from below the fields; no titles, which would only repeat names."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        made.pop("title", None)
        made["description"] = _first_line(schema["cls"])
        for key, text in descriptions(schema["cls"]).items():
            unit = unit_of(key)
            made["properties"][key]["description"] = f"{text} [{unit}]" if unit and unit not in text else text
        return made

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default that is a whole part, or nothing, is of no help."""
        made = super().default_schema(schema)
        return {key: value for key, value in made.items() if key != "default" or value not in (None, {}, [], "")}

    def encode_default(self, dft: Any) -> Any:
        return None if isinstance(dft, BaseModel) else super().encode_default(dft)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """A name that is none is a mistake, too, where pydantic's pattern lets its value pass."""
        made = super().dict_schema(schema)
        for pattern, value in made.pop("patternProperties", {}).items():
            made |= {"propertyNames": {"pattern": pattern}, "additionalProperties": value}
        return made

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """`version: 1.0` is text as it is written."""
        return super().str_schema(schema) | {"type": ["string", "number"]}


def _add_stages(parts: Schema) -> None:
    """A stage is its name, or one `name: {option: value}`."""
    del parts["Stage"]
    options: Schema = {}
    for stage in STAGES:
        made = schema_of(stage)
        parts |= made.pop("$defs", {})
        parts[stage.name] = made
        one = {"anyOf": [{"$ref": _REF + stage.name}, {"type": "null"}]}
        options[stage.name] = one | {"description": made["description"]}
    texts = [parts[stage.name]["description"] for stage in STAGES]
    plain = {"type": "string", "enum": list(options), "enumDescriptions": texts}
    mapping = {"type": "object", "properties": options, "additionalProperties": False}
    mapping |= {"minProperties": 1, "maxProperties": 1}
    parts[STAGE_LIST] = {"type": "array", "items": {"anyOf": [plain, mapping]}}


def _name_runtimes(target: Schema) -> None:
    known = {"type": "string", "enum": sorted(runtime.name for runtime in RUNTIMES)}
    target["runtime"] |= known
    target["also_on"]["items"] = known


def _taken_out(part: Schema, parts: Schema) -> Schema:
    """What `part` and the parts in it require, as a schema: a recipe that extends another need not say it."""
    required = {"required": part.pop("required")} if "required" in part else {}
    below: Schema = {}
    for key, value in part.get("properties", {}).items():
        each = value.get("additionalProperties")
        of_every_name = isinstance(each, dict)
        inner = _of_reference(each if of_every_name else value, parts)
        if inner:
            below[key] = {"additionalProperties": inner} if of_every_name else inner
    return required | ({"properties": below} if below else {})


def _of_reference(value: Schema, parts: Schema) -> Schema:
    return _taken_out(parts[value["$ref"].removeprefix(_REF)], parts) if "$ref" in value else {}


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().partition("\n")[0]
