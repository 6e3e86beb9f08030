"""Tiles of real files against the whole picture, as verification measures them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from exporter.artifact import Format
from exporter.data.evaluation import Pair
from exporter.judge.budget import Pledge, judge
from exporter.measure.evaluation import Renderings
from exporter.measure.targets import measure_target
from exporter.measure.tiling import measure_seam, measure_tiling
from exporter.not_measured import NotMeasured
from exporter.recipes.promises import Budget
from exporter.runtimes import runtime
from exporter.tiling.grid import Tiling
from tests.runtimes.tiny_models import HEIGHT, WIDTH, TinyFiles, photo

RUNTIMES = {Format.TORCH: "torch_cpu", Format.ONNX: "onnxruntime_cpu", Format.TFLITE: "litert_cpu"}


@pytest.fixture
def renderings() -> Renderings:
    return Renderings([Pair(str(seed), photo(seed), photo(seed)) for seed in range(3)], threads=1)


def test_a_field_that_fits_into_the_tile_is_exact(tiny: TinyFiles, renderings: Renderings):
    tiled = measure_tiling(tiny.torch(), runtime("torch_cpu"), tiny.onnx().path, 1, renderings)
    assert (tiled.tiling, tiled.theoretical_halo_px) == (Tiling(HEIGHT, WIDTH, 2), 2)
    assert tiled.images == 3
    assert tiled.max_abs <= 1e-5
    for artifact in (tiny.torch(), tiny.onnx(), tiny.tflite(), tiny.tflite("int8")):
        seam = measure_seam(runtime(RUNTIMES[artifact.format]), artifact, tiled.tiling, renderings)
        assert seam.max_abs <= (0 if artifact.format == Format.TFLITE else 1e-5), artifact.path.name


def test_without_a_graph_the_halo_is_measured(tiny: TinyFiles, renderings: Renderings):
    tiled = measure_tiling(tiny.torch(), runtime("torch_cpu"), None, 2, renderings)
    assert tiled.theoretical_halo_px is None
    assert "no ONNX file" in tiled.unbounded_because
    assert tiled.tiling == Tiling(HEIGHT, WIDTH, 2, 2, 2), "two convolutions reach two pixels"
    assert tiled.max_abs > 1e-4, "what is blended lies nearer to the edge than the halo"


def test_a_seam_that_shows_is_measured_and_judged(tiny: TinyFiles, renderings: Renderings):
    torch_cpu, artifact = runtime("torch_cpu"), tiny.onnx()
    tiled = measure_tiling(tiny.torch(), torch_cpu, artifact.path, 1, renderings)
    bare = replace(tiled, tiling=replace(tiled.tiling, halo_px=0))
    limits = {"onnx": Pledge("onnxruntime_cpu", Budget(min_seam_db=80))}
    for chosen, status in ((tiled, "kept"), (bare, "missed"), (NotMeasured("it crashed"), "not measured")):
        result = measure_target(
            "onnx", runtime("onnxruntime_cpu"), artifact, tiny.torch(), torch_cpu, renderings,
            threads=1, tiled=chosen,
        )  # fmt: skip
        (verdict,) = judge(limits, {"onnx": result})
        assert verdict.status == status, verdict.sentence


def test_a_network_of_one_size_only_is_not_measured(tiny: TinyFiles, renderings: Renderings):
    """An ONNX file refuses any size but its own, as some torch networks do."""
    reference = tiny.onnx()
    found = measure_tiling(reference, runtime("onnxruntime_cpu"), None, 2, renderings)
    assert isinstance(found, NotMeasured)
    assert "larger size" in found.reason


def test_strides_longer_than_the_tile_leave_no_tiles(tiny: TinyFiles, renderings: Renderings):
    found = measure_tiling(tiny.torch(), runtime("torch_cpu"), None, 2 * HEIGHT, renderings)
    assert isinstance(found, NotMeasured) and f"every {2 * HEIGHT} px" in found.reason


def test_pictures_are_not_changed(tiny: TinyFiles, renderings: Renderings):
    before = [pair.blurred.copy() for pair in renderings.evaluation]
    measure_seam(runtime("onnxruntime_cpu"), tiny.onnx(), Tiling(HEIGHT, WIDTH, 2, 1, 2), renderings)
    assert all(np.array_equal(a, pair.blurred) for a, pair in zip(before, renderings.evaluation, strict=True))
