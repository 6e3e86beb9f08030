"""A file on several LiteRT releases: real ones that lack an operator or round otherwise, absent ones, lost ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.engines.litert_versions import LiteRtVersions
from exporter.errors import EngineError, LostWorker
from exporter.graph.tflite_editor import TfliteGraph
from exporter.inspect.lint import lint_model
from exporter.measure.results import Agreement, TargetResult, VersionCheck
from exporter.measure.versions import _steps_apart, check_versions, with_versions
from exporter.not_measured import NotMeasured
from exporter.progress import Silent
from exporter.runtimes import LITERT_VERSIONS
from exporter.runtimes.litert_cpu import LiteRtCpu
from tests.installed import put_together
from tests.runtimes.tiny_models import TinyFiles, photo

HERE = [release for release in LITERT_VERSIONS if release.name in ("litert_2.1.0", "tflite_runtime", "tensorflow_lite")]
RELEASES = {release.name: release for release in LITERT_VERSIONS}
GREY = [np.full((8, 8, 3), 0.5, np.float32)]


def one_operator(path: Path, kind: str, version: int, operands: int = 1) -> Artifact:
    graph = TfliteGraph.empty()
    source, target = (graph.add_tensor(name, (1, 8, 8, 3), "FLOAT32") for name in ("input", "output"))
    graph.inputs, graph.outputs = [source], [target]
    graph.operators = [graph.new_operator(kind, version, [source] * operands, [target])]
    path.write_bytes(graph.to_bytes())
    spec = TensorSpec((1, 8, 8, 3), "NHWC")
    return Artifact(Format.TFLITE, path, spec, spec, sha256_of(path))


def refused(checks: tuple[VersionCheck, ...]) -> dict[str, str]:
    return {check.runtime: check.agreement.reason for check in checks if check.refused}


@pytest.mark.extra("old-runtime")
@pytest.mark.parametrize(
    ("kind", "version", "operands", "said"),
    [
        ("LOG", 2, 1, "it has no LOG of version 2 (LOG 'output', operator 1 of 1)"),
        ("STABLEHLO_ADD", 1, 2, "it has no STABLEHLO_ADD (STABLEHLO_ADD 'output', operator 1 of 1)"),
    ],
)
def test_what_one_release_lacks_turns_its_cell_alone(
    kind: str, version: int, operands: int, said: str, tmp_path: Path
) -> None:
    """tflite-runtime 2.14 has LOG, but not of version 2, and has never heard of StableHLO."""
    checks = check_versions(one_operator(tmp_path / "m.tflite", kind, version, operands), HERE, GREY, 1)
    assert refused(checks) == {"tflite_runtime": said}
    others = [check for check in checks if check.runtime != "tflite_runtime"]
    assert [check.agreement.equal for check in others] == [True, True]
    assert {check.against for check in checks} == {"LiteRT 2.1.0"}
    assert not next(check for check in checks if check.refused).agreement.failed, "another run fares no better"


@pytest.mark.extra("old-runtime")
def test_an_older_kernels_codes_and_the_first_operator_that_differs(tiny: TinyFiles) -> None:
    images = [photo(10), photo(11)]
    checks = check_versions(tiny.tflite("int8"), HERE, images, 1)
    found = {check.runtime: check.agreement for check in checks}
    assert found["litert_2.1.0"].equal and found["tensorflow_lite"].equal
    assert found["litert_2.1.0"].first == "" and found["litert_2.1.0"].worst_psnr_db == 200
    old = found["tflite_runtime"]
    assert (old.unit, old.pictures, old.values) == ("steps", 2, 2 * images[0].size)
    assert 0 < old.differing < old.values and 1 <= old.largest < 8
    assert old.first.startswith("CONV_2D '")


def test_a_release_that_is_not_here_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path / "empty"))
    file = one_operator(tmp_path / "m.tflite", "ABS", 1)
    (check,) = check_versions(file, [RELEASES["litert_2.3.0"]], GREY, 1)
    assert not check.installed and not check.refused and check.title == "LiteRT 2.3.0"
    assert "exporter runtimes --install litert" in check.agreement.reason


class Failing:
    """A release that is here and fails with `error`."""

    name, takes = "failing", Format.TFLITE

    def __init__(self, error: EngineError) -> None:
        self.error = error

    def missing(self) -> None:
        return None

    def device(self, threads: int) -> str:
        return "LiteRT 9.9 XNNPACK, 1 thread, a CPU"

    def open(self, artifact: Artifact, threads: int) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "is_refusal"), [(LostWorker("killed"), False), (EngineError("failing:\n the last line"), True)]
)
def test_a_lost_worker_says_nothing_of_the_file(error: EngineError, is_refusal: bool, tmp_path: Path) -> None:
    (check,) = check_versions(one_operator(tmp_path / "m.tflite", "ABS", 1), [Failing(error)], GREY, 1)
    assert check.refused is is_refusal and check.installed
    assert check.agreement.failed and "\n" not in check.agreement.reason


class Otherwise:
    """A release that runs another file: what changes on the way must be found."""

    name, takes = "otherwise", Format.TFLITE

    def __init__(self, change: Callable[[TfliteGraph], None]) -> None:
        self.change = change

    def missing(self) -> None:
        return None

    def device(self, threads: int) -> str:
        return "LiteRT 9.9 XNNPACK, 1 thread, a CPU"

    def open(self, artifact: Artifact, threads: int):
        graph = TfliteGraph(artifact.path.read_bytes())
        self.change(graph)
        path = artifact.path.with_name("changed.tflite")
        path.write_bytes(graph.to_bytes())
        return LiteRtCpu().open(replace(artifact, path=path), threads)


def test_floats_differ_in_ulps(tmp_path: Path) -> None:
    def to_square(graph: TfliteGraph) -> None:
        graph.set_kind(graph.operators[0], "SQUARE", 1)

    (check,) = check_versions(one_operator(tmp_path / "m.tflite", "ABS", 1), [Otherwise(to_square)], GREY, 1)
    agreement = check.agreement
    assert isinstance(agreement, Agreement) and agreement.unit == "ulps"
    assert (agreement.differing, agreement.values) == (192, 192)
    assert agreement.largest == 2**23, "0.5 and its square 0.25 are one binade apart"
    assert agreement.worst_psnr_db == pytest.approx(12.04, abs=0.01)
    assert agreement.first == "ABS 'output', operator 1 of 1"


def test_neighbours_are_one_apart_also_across_zero() -> None:
    values = np.array([1.0, -1.0, 0.0, -0.0, np.inf], np.float32)
    assert _steps_apart(values, values).max() == 0
    assert _steps_apart(values[:2], np.nextafter(values[:2], np.float32(9))).tolist() == [1, 1]
    assert _steps_apart(values[2:3], values[3:4]).tolist() == [0]
    smallest = np.nextafter(np.float32(0), np.float32(1))
    assert _steps_apart(np.array([smallest]), np.array([-smallest])).tolist() == [2]
    assert _steps_apart(np.array([127], np.int8), np.array([-128], np.int8)).tolist() == [255]


def test_a_file_that_two_targets_share_is_run_once(tmp_path: Path) -> None:
    file = one_operator(tmp_path / "m.tflite", "ABS", 1)
    absent, (audit, _) = NotMeasured("nobody looked"), lint_model(file.path)
    first, second = (TargetResult(n, "litert_cpu", file, absent, absent, absent, audit) for n in ("first", "second"))
    found = with_versions([first, second], [RELEASES["litert_2.1.0"]], GREY, 1, Silent())
    assert [len(target.versions) for target in found] == [1, 0]
    assert with_versions([first], [], GREY, 1, Silent()) == (first,)


@pytest.mark.slow
@pytest.mark.extra("old-runtime")
def test_each_release_lacks_what_came_after_it(tmp_path: Path) -> None:
    """The reference is the first release that runs the file: its own may be too old."""
    put_together(LiteRtVersions())
    lacking = {
        ("CAST", 9): {"litert_2.1.0", "litert_2.1.6", "tflite_runtime", "tensorflow_lite"},
        ("MUL", 8): {"litert_2.1.0", "tflite_runtime", "tensorflow_lite"},
        ("SQRT", 2): {"tflite_runtime", "tensorflow_lite"},
        ("LOG", 2): {"tflite_runtime"},
        ("ABS", 1): set(),
    }
    for (kind, version), wanted in lacking.items():
        file = one_operator(tmp_path / f"{kind}.tflite", kind, version, 2 if kind == "MUL" else 1)
        checks = check_versions(file, LITERT_VERSIONS, GREY, 1)
        assert refused(checks).keys() == wanted, kind
        assert all(f"it has no {kind} of version {version}" in said for said in refused(checks).values())
        assert all(check.agreement.equal for check in checks if not check.refused)
        assert {check.against for check in checks} == {
            {"CAST": "LiteRT 2.3.0", "MUL": "LiteRT 2.1.6"}.get(kind, "LiteRT 2.1.0")
        }
