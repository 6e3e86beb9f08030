"""files.md: every file of a bundle, and the JSON ones key by key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from exporter.bundle.documents import LARGEST_BYTES
from exporter.bundle.golden_file import GOLDEN, GoldenFile
from exporter.bundle.manifest import Manifest
from exporter.bundle.report_file import REPORT
from exporter.bundle.sums import OPENSSF, PROVENANCE, SBOM, SIGNATURE, SUMS
from exporter.recipes.described import unit_of
from exporter.recipes.schema import schema_of
from exporter.report.document import schema as report_schema
from tools.reference.markdown import code, page, prose, section, table

Schema = dict[str, Any]
FILES = {
    "models/": "the files to ship: `.tflite`, `.onnx`, `.engine` with its `.json`, `.safetensors`",
    GOLDEN: "golden vectors: inputs and expected outputs as `.npy`, with tolerances; see below",
    "report/index.html": "the report for people: one page that loads nothing",
    REPORT: "everything that was measured, for programs; see below",
    "report/junit.xml": "the promises as test cases, for CI servers",
    "README.md": "the runtime card, for whoever builds the models into an app",
    "manifest.json": "what is in the bundle, for programs; see below",
    SBOM: "bill of materials, CycloneDX 1.6",
    PROVENANCE: "in-toto statement with SLSA's provenance, which signatures sign",
    SUMS: "SHA-256 of every file but itself and the signatures; `sha256sum --check` reads it",
    SIGNATURE: "signature of the provenance as a DSSE envelope; written by `exporter sign`",
    OPENSSF: "signature as OpenSSF's model-signing has it; written by `exporter sign --openssf`",
    "web/": "the page of `exporter serve` with its engine, with `bundle.web: true`",
}
INTRODUCTION = f"""
What lies in `dist/NAME-VERSION/`. JSON files hold finite numbers, each key once, and at most {LARGEST_BYTES >> 20} MiB;
a reader refuses another `schema_version`, which is raised when a reader of the former one could misread the new one.
Of a key that is not marked *may be absent* a file always has one.
"""
KINDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}


def files_page() -> str:
    rows = [(code(name), what) for name, what in FILES.items()]
    report = "Its JSON Schema (draft 2020-12) is `exporter/report/schema.json` of the package, and is more exact."
    return page(
        "Files of a bundle",
        INTRODUCTION,
        [
            table(("file", "what it is"), rows),
            section("manifest.json", *_model(Manifest)),
            section(GOLDEN, *_model(GoldenFile)),
            section(REPORT, report, *_parts(report_schema())),
        ],
    )


def _model(model: type[BaseModel]) -> Iterator[str]:
    return _parts(schema_of(model))


def _parts(schema: Schema) -> Iterator[str]:
    """The table of a document, then one for each object in it."""
    yield _keys(schema)
    for name, part in schema.get("$defs", {}).items():
        if part.get("properties") and name != "Processing":
            about = part.get("description", "")
            yield section(code(name.strip("_")), prose(_sentence(about)) if about else "", _keys(part), level=3)


def _keys(part: Schema) -> str:
    return table(("key", "value", "what it is"), _rows(part, ""))


def _rows(part: Schema, before: str) -> Iterator[tuple[str, str, str]]:
    """Every key of an object, those of objects without a name of their own below it: `targets[].name`."""
    needed = part.get("required", ())
    for key, value in part["properties"].items():
        kind = _kind(value) + ("" if key in needed else ", *may be absent*")
        yield code(before + key), kind, prose(_sentence(_about(key, value)))
        for inner, where in ((value, "."), (value.get("items"), "[].")):
            if isinstance(inner, dict) and "properties" in inner:
                yield from _rows(inner, f"{before}{key}{where}")


def _about(key: str, value: Schema) -> str:
    return str(value.get("description", "")).removesuffix(f" [{unit_of(key)}]")


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".removesuffix(".") + "." if text else ""


def _kind(value: Schema) -> str:
    """The type in words; `NAME` of an object is that of its section."""
    if "$ref" in value:
        return code(value["$ref"].rpartition("/")[2].strip("_"))
    for several in ("anyOf", "oneOf"):
        if several in value:
            return " or ".join(dict.fromkeys(map(_kind, value[several])))
    if "const" in value or "enum" in value:
        return " or ".join(code(str(one)) for one in value.get("enum", [value.get("const")]))
    kind: Any = value.get("type", "object")
    if isinstance(kind, list) and "string" in kind and "number" in kind:
        kind = "string"  # as recipes take it; a document writes text
    if isinstance(kind, list):
        return " or ".join(KINDS.get(one, str(one)) for one in kind)
    if kind == "array":
        return f"list of {_kind(value['items'])}" if isinstance(value.get("items"), dict) else _several(value)
    if kind == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"name → {_kind(value['additionalProperties'])}"
    return KINDS.get(kind, str(kind))


def _several(value: Schema) -> str:
    inner = value.get("prefixItems", [])
    return f"{len(inner)} × {_kind(inner[0])}" if inner else "list"
