"""An edit reruns what it can change and nothing else: shown on a copy of this project's own code."""

import ast
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import exporter
from exporter.artifact import Artifact, Format
from exporter.data.evaluation import EvaluationSet
from exporter.data.manifest import PairManifest
from exporter.generators.table import GENERATORS, ZOO
from exporter.measure import measurements
from exporter.measure.measurements import Built
from exporter.npu.vendors import VENDORS
from exporter.recipes.export import Verification
from exporter.runtimes import RUNTIMES
from exporter.sources import Sources, closure, rules
from exporter.stages import STAGES, LoadGenerator, Stage
from exporter.stages.parts import parts_of
from tests.conftest import artifact_of

OURS = Path(exporter.__file__).parent
TRAINED = {"prune", "distill", "quantize_aware_train"}
INT8_OF_TFLITE = {"quantize_tflite", "quantize_aware_train"}
CALIBRATED = {"load_generator", "reestimate_norm", "quantize_onnx", "onnx_to_tflite", *INT8_OF_TFLITE}
VERIFY = "verify"


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(OURS, folder / "exporter", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def keys(copied: Path, monkeypatch: pytest.MonkeyPatch, narrow_teacher: Path, student_file: Path, make_workspace):
    """What a new process would find the keys to be made of: stage name, or `verify`, → parts."""
    teacher = artifact_of(narrow_teacher, Format.TORCH)
    workspace = make_workspace("work", teacher)
    from exporter.data.calibration import CalibrationSet
    from exporter.data.manifest import ImageManifest

    manifest = ImageManifest.model_construct(images=())
    workspace = replace(workspace, calibration=CalibrationSet(Path(), manifest, 64, 64))
    pairs = EvaluationSet(Path(), PairManifest.model_construct(pairs=()), 64, 64)
    student = artifact_of(student_file, Format.TORCH)

    def found() -> dict[str, dict[str, str]]:
        monkeypatch.setattr(closure, "_here", Sources([copied]))
        parts = {
            stage.name: dict(parts_of(stage(), _source(stage, teacher, student), workspace))
            for stage in (LoadGenerator, *STAGES)
        }
        built = [Built("target", "torch_cpu", (("teacher", teacher), ("distill", student)))]
        return parts | {VERIFY: dict(measurements.parts_of(built, pairs, Verification()))}

    return found


def _source(stage: type[Stage], teacher: Artifact, student: Artifact) -> Artifact:
    """Pruning and teaching begin with the teacher, what comes later has the student."""
    if stage.name in ("prune", "distill"):
        return teacher
    return student if stage.takes == Format.TORCH else replace(teacher, format=stage.takes)


def rerun(keys, copied: Path, path: str, edit: Callable[[str], str]) -> set[str]:
    """Whose keys an edit of one file changes."""
    file, former = copied / "exporter" / path, keys()
    content = file.read_text()
    assert edit(content) != content
    file.write_text(edit(content))
    try:
        new = keys()
    finally:
        file.write_text(content)
    return {name for name, parts in new.items() if parts != former[name]}


@pytest.mark.parametrize(
    ("path", "reruns"),
    [
        ("quantization/tflite/write.py", INT8_OF_TFLITE),
        ("quantization/weights/rounding.py", {"quantize_onnx", *INT8_OF_TFLITE}),
        ("quantization/tflite/fp16_graph.py", {"quantize_tflite"}),
        (
            "convert/convolutions.py",
            {"torch_to_onnx", "onnx_to_tflite"},
        ),  # of two exports the one that translates is taken
        ("passes/onnx/same_padding.py", {"torch_to_onnx"}),
        ("training/losses.py", TRAINED),
        ("stages/distill.py", {"distill"}),
        ("stages/onnx2tf_child.py", {"onnx_to_tflite"}),
        ("data/calibration.py", CALIBRATED | TRAINED),
        ("generators/nafnet.py", set()),
        ("generators/mobilenetv3_student.py", {"distill", "reestimate_norm", "torch_to_onnx", VERIFY}),
        ("measure/parity.py", {VERIFY}),
        ("runtimes/torch_cpu.py", {VERIFY}),
        ("runtimes/android_adb.py", set()),
        ("report/page.py", set()),
        ("report/page.css", set()),
        ("bundle/card.md", set()),
        ("commands/plan.py", set()),
        ("runs/export.py", set()),
        ("errors.py", set()),
        ("stages/__init__.py", set()),
    ],
)
def test_an_edit_reruns_what_it_can_change(keys, copied, path, reruns) -> None:
    assert rerun(keys, copied, path, lambda content: content + "\nedited = True\n") == reruns


def test_a_comment_or_a_docstring_reruns_nothing(keys, copied) -> None:
    for path in ("quantization/ranges/estimators.py", "training/losses.py", "stages/base.py", "artifact.py"):
        assert rerun(keys, copied, path, lambda content: f"# A comment.\n{content}\n# Another.\n") == set()
        assert rerun(keys, copied, path, lambda content: content.replace('"""', '"""Other words: ', 1)) == set()


def test_a_new_architecture_reruns_nothing_and_an_edited_entry_what_runs_it(keys, copied) -> None:
    entry = '    GeneratorInfo(\n        "deblurgan",'
    new = '    GeneratorInfo("mine", "mine:Mine", multiple=1, licence="", summary=""),\n'
    assert rerun(keys, copied, "generators/table.py", lambda content: content.replace(entry, new + entry)) == set()


def test_a_new_version_of_a_package_reruns_who_imports_it(keys, monkeypatch) -> None:
    former = keys()
    for name in former:
        assert "package numpy" in former[name] or name in ("build_tensorrt",), name
    assert "package onnx2tf" in former["onnx_to_tflite"] and "package onnx2tf" not in former["quantize_tflite"]
    assert "package onnxscript" in former["torch_to_onnx"] and "package torch-pruning" in former["prune"]
    assert "package pydantic" not in former["prune"]


@pytest.mark.parametrize("stage", [LoadGenerator, *STAGES], ids=lambda stage: stage.name)
def test_what_a_stage_takes_from_its_workspace_is_what_it_says_it_reads(stage) -> None:
    files = [name for name in Sources([OURS.parent]).code_of(stage.__module__).files if "/stages/" in name]
    trees = [ast.parse((OURS.parent / name).read_text()) for name in files]
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        node.body = [part for part in node.body if getattr(part, "name", "") != "check"]  # tries, makes nothing
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    taken = {node.attr for node in nodes if "workspace" in ast.unparse(node.value)}
    assert taken & {"teacher", "calibration", "training", "seed"} == stage.reads


def test_the_lists_of_exceptions_name_modules_that_are_there() -> None:
    for name in (*rules.INERT, *rules.TABLES, *rules.COMPUTED):
        assert Sources([OURS.parent]).code_of(name) is not None
        path = OURS.parent / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), name


def test_every_module_of_ours_that_computes_an_import_is_declared() -> None:
    """A new one has to say where what it imports is in the key."""
    from exporter.sources.module import read_module

    modules = [type_.__module__ for type_ in (LoadGenerator, *STAGES, *map(type, RUNTIMES))]
    modules += [measurements.__name__, "exporter.runs.train", "exporter.training.labels", "exporter.data.pool"]
    modules += [info.network.partition(":")[0] for info in (*GENERATORS, ZOO)]
    paths = [OURS.parent / name for name in Sources([OURS.parent]).code_of(*modules).files]
    names = {path: ".".join(path.relative_to(OURS.parent).with_suffix("").parts) for path in paths}
    computing = {
        path: name for path, name in names.items() if path.suffix == ".py" and read_module(path, name).computes
    }
    in_keys = {name.removesuffix(".__init__") for name in computing.values()}
    assert in_keys == set(rules.COMPUTED)


def test_tables_only_list_and_look_up() -> None:
    """A table may be left out of a key only while it does nothing but name things."""
    for name in rules.TABLES:
        stem = OURS.parent / name.replace(".", "/")
        tree = ast.parse((stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")).read_text())
        kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.FunctionDef)
        body = [node for node in tree.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
        assert all(isinstance(node, kinds) for node in body), name


def test_every_import_of_ours_leads_to_a_known_distribution() -> None:
    everything = [".".join(path.relative_to(OURS.parent).with_suffix("").parts) for path in OURS.rglob("*.py")]
    absent = {name for name, version in Sources().code_of(*everything).packages.items() if version == "absent"}
    assert absent <= {
        *(vendor.package for vendor in VENDORS.values()),
        "av",
        "qai_hub",
        "tensorrt",
        "tiles",  # beside bundle/code/python/restore.py, which bundles hand out and nothing of ours imports
        "tensorrt-rtx-cu12-libs",
        "tensorrt-rtx-cu13-libs",
        "tensorrt_rtx",
        "tflite_runtime",
    }


def test_each_architecture_and_runtime_has_code_of_its_own() -> None:
    sources = Sources([OURS.parent])
    for module in {info.network.partition(":")[0] for info in GENERATORS} | {type(r).__module__ for r in RUNTIMES}:
        assert f"{module.replace('.', '/')}.py" in sources.code_of(module).files
