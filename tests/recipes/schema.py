"""A recipe file held against a schema by the library that editors' checks are like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from exporter.files.yaml_text import read_yaml


def mistakes_in(recipe: str | Path, schema: dict[str, Any]) -> list[str]:
    """`path: message` of everything that the schema refuses in a recipe, a file or its text."""
    text = recipe if isinstance(recipe, str) and "\n" in recipe else Path(recipe).read_text()
    Draft202012Validator.check_schema(schema)
    return [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(read_yaml(text)[0])
    ]
