"""LiteRT's releases as runtimes. Those of our own environment need nothing; the others are put together, slowly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exporter.artifact import Artifact
from exporter.engines.litert_versions import LiteRtVersions, write_abs
from exporter.errors import EngineError
from exporter.runtimes import LITERT_VERSIONS, runtime
from exporter.runtimes.base import Runtime
from exporter.runtimes.installed import version_of
from tests.installed import put_together
from tests.runtimes.tiny_models import TinyFiles, photo

HERE = ("litert_2.1.0", "tensorflow_lite")
IMAGES = [photo(10), photo(11)]


def agrees(member: Runtime, file: Artifact, dtype: type) -> None:
    """It gives our own LiteRT's very codes, and pictures as the folder protocol has them."""
    with runtime("litert_cpu").open(file, 2) as session:
        wanted, pictures = session.stored_all(IMAGES), session.infer_all(IMAGES)
    with member.open(file, 2) as session:
        given = session.stored_all(IMAGES)
        assert all(np.array_equal(a[0], b[0]) for a, b in zip(given, wanted, strict=True))
        assert all(np.array_equal(a, b) for a, b in zip(session.infer_all(IMAGES), pictures, strict=True))
        assert len(session.time_ms(IMAGES[0], runs=3, warmup=1)) == 3
    assert given[0][0].dtype == dtype
    assert not np.array_equal(given[0][0], given[1][0])


@pytest.mark.parametrize("name", HERE)
def test_the_release_of_our_own_environment_needs_no_folder(
    name: str, tiny: TinyFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    assert runtime(name).missing() is None
    agrees(runtime(name), tiny.tflite("int8"), np.int8)


@pytest.mark.parametrize("name", ["litert_2.1.6", "litert_2.3.0", "litert_compiled_cpu"])
def test_a_release_that_is_not_here_says_what_to_type(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    assert "is not put together: exporter runtimes --install litert" in str(runtime(name).missing())


def test_the_device_says_release_and_api() -> None:
    lines = {member.name: member.device(2) for member in LITERT_VERSIONS}
    assert lines["litert_2.1.6"].startswith("LiteRT 2.1.6 XNNPACK, 2 threads, ")
    assert lines["litert_compiled_cpu"].startswith("LiteRT 2.3.0 CompiledModel XNNPACK, 2 threads, ")
    assert lines["tensorflow_lite"].startswith(f"TensorFlow {version_of('tensorflow')} XNNPACK, 2 threads, ")


@pytest.mark.slow
@pytest.mark.extra("old-runtime")
@pytest.mark.parametrize("member", LITERT_VERSIONS, ids=lambda member: member.name)
@pytest.mark.parametrize("kind", ["fp32", "int8"])
def test_every_release_gives_the_same_pictures(member: Runtime, kind: str, tiny: TinyFiles) -> None:
    put_together(LiteRtVersions())
    if (member.name, kind) != ("tflite_runtime", "int8"):  # its kernels round in other places
        agrees(member, tiny.tflite(kind), np.int8 if kind == "int8" else np.float32)


@pytest.mark.slow
def test_compiled_model_names_the_operator_that_it_lacks(tiny: TinyFiles, tmp_path: Path) -> None:
    put_together(LiteRtVersions())
    lacking = replace(tiny.tflite(), path=write_abs(tmp_path / "model.tflite", 99))
    with (
        pytest.raises(EngineError, match="'ABS' version '99'"),
        runtime("litert_compiled_cpu").open(lacking, 1) as session,
    ):
        session.infer(photo(0, 8, 8))
