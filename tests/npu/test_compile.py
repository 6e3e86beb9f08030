"""What `aot_compile` gives is not believed: the real one without any vendor's compiler, stand-ins for the rest."""

from pathlib import Path

import pytest

from exporter.errors import EngineError, MissingTool, Refused, StageError
from exporter.graph.tflite_editor import TfliteGraph
from exporter.npu import compile as compiling
from exporter.npu.compile import DISPATCHED, compile_for
from exporter.npu.vendors import VENDORS
from tests.graph.tflite_files import N, T, write_tflite
from tests.npu.stand_in import stand_in

QUALCOMM = VENDORS["qualcomm"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.tflite"
    write_tflite(path, [T("in"), T("out")], [N("RELU", ("in",), ("out",))])
    return path


@pytest.fixture
def with_compiler(monkeypatch, tmp_path, model):
    """compile_for with a stand-in that behaves as asked, its package installed or not."""

    def compiled(behaviour: str, *, installed: bool = True, soc: str = "SM8750"):
        graph = TfliteGraph(model.read_bytes())
        code = graph.model.operatorCodes[0]
        code.builtinCode, code.deprecatedBuiltinCode, code.customCode = (
            graph.schema.BuiltinOperator.CUSTOM,
            32,
            DISPATCHED,
        )
        package = stand_in(tmp_path / "package", behaviour, graph.to_bytes())
        monkeypatch.setattr(compiling, "litert_folder", lambda version: package)
        monkeypatch.setattr(compiling, "litert_environment", lambda version: {"PYTHONPATH": str(package)})
        monkeypatch.setattr(type(QUALCOMM), "is_installed", property(lambda self: installed))
        return compile_for(QUALCOMM, soc, model, tmp_path / "aot", "9.9.9")

    return compiled


@pytest.mark.parametrize(
    ("vendor", "soc"), [("qualcomm", "SM8750"), pytest.param("google_tensor", "Tensor_G4", marks=pytest.mark.slow)]
)
def test_the_real_one_without_a_compiler_names_the_package(tmp_path, model, vendor, soc):
    with pytest.raises(MissingTool, match=rf"compiled nothing.*\n.*pip install {VENDORS[vendor].package}"):
        compile_for(VENDORS[vendor], soc, model, tmp_path / "aot")


def test_a_chip_that_nobody_knows_is_refused_with_the_known_ones(with_compiler):
    with pytest.raises(Refused, match=r"knows no SM1\n.*SM8750, SM8850"):
        with_compiler("compiles", soc="SM1")


def test_a_compiled_file_says_how_much_of_it(with_compiler):
    made = with_compiler("compiles")
    assert (made.on_npu, made.operators, made.litert) == (3, 4, "9.9.9")
    assert DISPATCHED.encode() in made.content


@pytest.mark.parametrize("behaviour", ["returns nothing", "fails: libQnnSystem.so: cannot open shared object file"])
def test_an_empty_success_is_a_missing_compiler(with_compiler, behaviour):
    with pytest.raises(MissingTool, match=r"not installed: (it returned no model|.*libQnnSystem)"):
        with_compiler(behaviour, installed=False)


def test_a_package_without_its_download_is_a_missing_compiler(with_compiler):
    with pytest.raises(MissingTool, match="without the compiler itself: .*libQnn"):
        with_compiler("fails: Could not load shared library libQnn.so")


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("returns nothing", "compiled nothing: it returned no model and named no failure"),
        ("fails: tensor 7 is odd", "compiled nothing: ERROR: tensor 7 is odd"),
        ("empty file", "a file of 0 bytes that is no .tflite"),
        ("gives the file back", "it takes none of its operators for SM8750"),
        ("takes nothing", "it takes none of its operators for SM8750"),
    ],
)
def test_what_an_installed_compiler_did_not_compile_is_an_error(with_compiler, behaviour, says):
    with pytest.raises(StageError, match=says):
        with_compiler(behaviour)


def test_a_crash_is_the_engines(with_compiler):
    with pytest.raises(EngineError, match="segments everywhere"):
        with_compiler("crashes")


def test_a_release_that_is_not_put_together(tmp_path, model, monkeypatch):
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path / "none"))
    with pytest.raises(MissingTool, match=r"LiteRT 2\.3\.0 is not put together\n.*exporter runtimes --install litert"):
        compile_for(QUALCOMM, "SM8750", model, tmp_path / "aot", "2.3.0")
