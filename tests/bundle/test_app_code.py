"""The folder `code/` of a bundle."""

from __future__ import annotations

import ast
from pathlib import Path

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.bundle.app_code import CODE, TILES, write_code
from exporter.bundle.manifest import read_manifest
from exporter.tiling import tiles


def artifact(format: Format = Format.TFLITE, **ends: object) -> Artifact:
    spec = TensorSpec((1, 32, 32, 3), "NHWC", **({"dtype": "float32"} | ends))
    return Artifact(format, Path("x"), spec, spec, "", "fp32", ("x",))


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_bundle_hands_out_what_exporter_run_works_by(pristine: Path) -> None:
    assert CODE in read_manifest(pristine).reproducible
    assert (pristine / TILES).read_bytes() == Path(tiles.__file__).read_bytes()
    found = names(pristine / CODE)
    assert {"python/restore.py", "kotlin/Photographs.kt"} <= found
    assert any(name.endswith("/WholePicture.java") for name in found)
    assert {Path(name).suffix for name in found} == {".py", ".java", ".kt"}


def test_the_tiles_need_numpy_alone() -> None:
    tree = ast.parse(Path(tiles.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    assert imported == {"__future__", "collections.abc", "dataclasses", "typing", "numpy", "numpy.typing"}


def test_only_what_fits_the_files_is_handed_out(tmp_path: Path) -> None:
    for name, models, expected in (
        ("onnx", [artifact(Format.ONNX)], {TILES}),
        ("int16", [artifact(dtype="int16", scale=1 / 32767, zero_point=0)], {TILES}),
        ("frames", [artifact(frames=1, colour="rggb")], {TILES}),
        ("state", [artifact(clip=5)], set()),
    ):
        write_code(tmp_path / name, models)
        assert names(tmp_path / name) == expected
