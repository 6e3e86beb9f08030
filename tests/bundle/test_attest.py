"""Bill of materials and provenance: valid by their standards, whole, and held against the bundle by `verify`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from exporter.bundle import verify_bundle
from exporter.bundle.attest import write_attestations
from exporter.bundle.attest.licences import library_licences, licence_choice
from exporter.bundle.sums import PROVENANCE, SBOM, SUMS, digests, read_sums, sums_text
from exporter.errors import BundleError
from tests.bundle.changes import Change, drop, edit, put


def parts(bundle: Path, kind: str) -> dict[str, dict[str, Any]]:
    """Components of the bill of materials of one type, by name."""
    listed = json.loads((bundle / SBOM).read_text())["components"]
    return {component["name"]: component for component in listed if component["type"] == kind}


def test_the_bill_of_materials_is_valid_by_cyclonedx_own_schema(pristine: Path) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    text = (pristine / SBOM).read_text()
    assert validator.validate_str(text) is None
    spoiled = text.replace('"performanceMetrics"', '"performanceMetric"')
    assert validator.validate_str(spoiled) is not None, "the schema knows model cards"


def test_everything_has_its_place_and_its_licence(pristine: Path) -> None:
    models, files = parts(pristine, "machine-learning-model"), parts(pristine, "file")
    named = {name: found["hashes"][0]["content"] for name, found in (models | files).items()}
    sums = {file: sha256 for file, sha256 in read_sums(pristine).items() if file not in (SBOM, PROVENANCE)}
    assert sums.items() <= named.items()
    assert named.keys() - sums.keys() == {"teacher.safetensors"}
    assert models["teacher.safetensors"]["hashes"][0]["content"] == "3f5a" * 16
    assert models["models/mobile_deblur.int8.tflite"]["licenses"] == [{"expression": "Apache-2.0"}]
    assert {name: found["licenses"] for name, found in parts(pristine, "data").items()} == {
        "photos": [{"expression": "MIT"}],
        "pairs": [{"expression": "MIT"}],
    }
    vectors = [found for name, found in files.items() if name.startswith("golden/")]
    assert all(found["licenses"] == [{"expression": "MIT"}] for found in vectors), "crops of the evaluation pictures"
    tools = json.loads((pristine / "manifest.json").read_text())["tools"]
    libraries = {name: found["version"] for name, found in parts(pristine, "library").items()}
    assert libraries and libraries.items() <= tools.items()


def test_the_model_card_has_the_reports_figures(pristine: Path) -> None:
    card = parts(pristine, "machine-learning-model")["models/mobile_deblur.int8.tflite"]["modelCard"]
    metrics = {(m["type"], m["slice"]): m["value"] for m in card["quantitativeAnalysis"]["performanceMetrics"]}
    report = json.loads((pristine / "report" / "report.json").read_text())
    target = next(target for target in report["targets"] if target["name"] == "tflite_int8")
    where = "pairs, 40 images; litert_cpu"
    assert metrics["PSNR, mean", where] == f"{target['quality']['psnr_db']:.3f} dB"
    assert metrics["parity with the float model (PSNR), worst", where] == f"{target['parity']['worst_psnr_db']:.3f} dB"
    latency = target["latency"]
    assert metrics["latency of one call, median", latency["device"]] == f"{latency['p50_ms']:.3f} ms"
    assert "scale 0.00392156886, zero point -128" in card["modelParameters"]["inputs"][0]["format"]
    limits = card["considerations"]["technicalLimitations"]
    assert any("on litert_arm was not measured" in line for line in limits), "what is not kept stands there"


def test_the_provenance_names_all_files_but_itself_and_the_sums(pristine: Path) -> None:
    statement = json.loads((pristine / PROVENANCE).read_text())
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    named = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    assert named == {file: sha256 for file, sha256 in read_sums(pristine).items() if file != PROVENANCE}
    assert SBOM in named and SUMS not in named
    definition = statement["predicate"]["buildDefinition"]
    manifest = json.loads((pristine / "manifest.json").read_text())
    assert definition["externalParameters"]["recipe"] == manifest["recipe"]
    inputs = {entry["name"]: entry.get("digest") for entry in definition["resolvedDependencies"]}
    assert inputs["exporter"] == {"gitCommit": "ab" * 20}
    assert inputs["model.checkpoint"] == {"sha256": "3f5a" * 16}
    assert inputs["calibration"] == {"sha256": "9c01" * 16}
    assert statement["predicate"]["runDetails"]["builder"]["id"] == "pkg:generic/exporter@0.1.0"


@pytest.mark.extra("model-signing")
def test_in_totos_own_library_takes_the_provenance(pristine: Path) -> None:
    from google.protobuf import json_format
    from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
    from in_toto_attestation.v1 import statement_pb2
    from in_toto_attestation.v1.statement import Statement

    text = (pristine / PROVENANCE).read_text()
    Statement.copy_from_pb(json_format.Parse(text, statement_pb2.Statement())).validate()
    predicate = json.loads(text)["predicate"]  # unknown fields are errors
    parsed = json_format.ParseDict(predicate, provenance_pb2.Provenance())
    assert parsed.build_definition.build_type == "urn:exporter:recipe:v1"
    assert "model.checkpoint" in {entry.name for entry in parsed.build_definition.resolved_dependencies}


def test_they_are_a_function_of_the_other_files(bundle: Path) -> None:
    before = {file: (bundle / file).read_bytes() for file in (SBOM, PROVENANCE)}
    for file in before:
        (bundle / file).unlink()
    write_attestations(bundle)
    assert {file: (bundle / file).read_bytes() for file in before} == before


INT8 = "file:models/mobile_deblur.int8.tflite"


def component(ref: str, change: Change) -> Change:
    return lambda tree: change(next(each for each in tree["components"] if each["bom-ref"] == ref))


def without(ref: str) -> Change:
    def change(tree: dict[str, Any]) -> None:
        tree["components"] = [each for each in tree["components"] if each["bom-ref"] != ref]

    return change


def invented(tree: dict[str, Any]) -> None:
    tree["components"].append({"type": "file", "bom-ref": "file:x", "name": "x"})


CHANGES = [
    ("a model", SBOM, without(INT8), r"does not name models/mobile_deblur\.int8\.tflite"),
    ("a file", SBOM, without("file:report/junit.xml"), r"does not name report/junit\.xml"),
    ("weights", SBOM, without("weights:model.checkpoint"), r"does not name teacher\.safetensors"),
    ("a set", SBOM, without("set:evaluation"), r"does not name pairs \(set:evaluation\)"),
    ("a library", SBOM, without("library:onnx"), r"does not name onnx \(library:onnx\)"),
    ("an invented file", SBOM, invented, r"names file:x, which this bundle does not know"),
    ("a digest", SBOM, component(INT8, put("hashes", 0, "content", "0" * 64)), r"another hashes of models/"),
    ("a licence", SBOM, component("set:calibration", put("licenses", [])), r"another licenses of photos"),
    ("a version", SBOM, component("library:onnx", put("version", "9")), r"another version of onnx"),
    (
        "a figure",
        SBOM,
        component(INT8, put("modelCard", "quantitativeAnalysis", "performanceMetrics", 0, "value", "99 dB")),
        r"another modelCard of models/mobile_deblur\.int8\.tflite",
    ),
    ("one twice", SBOM, lambda tree: tree["components"].append(tree["components"][0]), r"lists file:README\.md twice"),
    ("the release", SBOM, put("metadata", "component", "version", "9"), r"another metadata than the bundle"),
    ("a subject", PROVENANCE, drop("subject", 0), r"intoto\.json does not name README\.md"),
    ("its digest", PROVENANCE, put("subject", 0, "digest", "sha256", "0" * 64), r"another sha256 of README\.md"),
    ("the commit", PROVENANCE, put("predicate", "runDetails", {}), r"another predicate than manifest\.json"),
    ("its type", PROVENANCE, put("_type", "x"), r"is no in-toto statement v1"),
]


@pytest.mark.parametrize(("file", "change", "says"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_what_they_leave_out_or_say_otherwise_is_refused(bundle: Path, file: str, change: Change, says: str) -> None:
    edit(bundle, file, change)
    (bundle / SUMS).write_text(sums_text(digests(bundle)))
    with pytest.raises(BundleError, match=says):
        verify_bundle(bundle)


@pytest.mark.parametrize("file", [SBOM, PROVENANCE])
def test_a_bundle_needs_both(bundle: Path, file: str) -> None:
    (bundle / file).unlink()
    (bundle / SUMS).write_text(sums_text(digests(bundle)))
    with pytest.raises(BundleError, match=f"{file} is missing: a bundle needs it"):
        verify_bundle(bundle)


def test_a_file_that_all_of_them_name_still_belongs_to_nothing(bundle: Path, resign: Callable[[Path], None]) -> None:
    (bundle / "models" / "more.bin").write_bytes(b"x")
    resign(bundle)
    assert "models/more.bin" in parts(bundle, "file")
    with pytest.raises(BundleError, match=r"models/more\.bin belongs to nothing in this bundle"):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ((), []),
        (("mit",), [{"expression": "MIT"}]),
        (("MIT", "Apache-2.0 OR BSD-3-Clause"), [{"expression": "MIT AND (Apache-2.0 OR BSD-3-Clause)"}]),
        (("MIT", "ask us"), [{"license": {"name": "MIT"}}, {"license": {"name": "ask us"}}]),
    ],
)
def test_licences_are_spdx_expressions_where_they_can_be(names: tuple[str, ...], says: list[object]) -> None:
    assert licence_choice(names) == says


def test_a_package_of_another_version_says_no_licence() -> None:
    from importlib.metadata import version

    assert library_licences("pyyaml", version("pyyaml")) == ("MIT",)
    assert library_licences("pyyaml", "0.1") == ()
    assert library_licences("no-such-package", "1") == ()


@pytest.mark.extra("mlflow")
def test_licences_are_found_beside_a_library_that_reads_metadata_in_another_way() -> None:
    from importlib.metadata import version

    import importlib_metadata  # once imported, it answers for importlib.metadata: a field that is not there raises

    assert importlib_metadata.version("pyyaml") == version("pyyaml")
    assert library_licences("pyyaml", version("pyyaml")) == ("MIT",)
