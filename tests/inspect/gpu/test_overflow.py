"""Which layers leave half precision: predicted from float values, then shown by the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exporter.errors import DataError
from exporter.inspect.gpu.overflow import predict_overflow
from tests.graph.tflite_net import Net
from tests.inspect.gpu.engine import ask

SHAPE = (1, 16, 16, 3)
PICTURE = np.random.default_rng(1).random(SHAPE[1:], dtype=np.float32)


def _squares() -> Net:
    return Net(SHAPE).scaled(400).op("SQUARE").scaled(1e-5)


def _norm_of_the_plane(before: float, after: float = 1.0) -> Net:
    """x / √Σ(before·x)², the sum over the plane; right whenever before·after = 1."""
    net = Net(SHAPE).op("RELU")
    picture = net.at
    norm = net.scaled(before).op("SQUARE").reduce("SUM", (1, 2)).op("SQRT").scaled(after).at
    return net.op("DIV", [picture, norm], SHAPE, "DivOptions")


def _sum_that_cancels() -> Net:
    return Net(SHAPE).on_stored("SUB", 0.5, "SubOptions").scaled(4000).reduce("SUM", (1, 2)).scaled(1e-3)


NETS: dict[str, tuple[Callable[[], Net], list[tuple[str, bool]]]] = {
    "convolutions": (lambda: Net(SHAPE).conv(8).op("RELU").conv(3), []),
    "squares": (_squares, [("SQUARE", True)]),
    "norm of the plane in 0..255": (lambda: _norm_of_the_plane(255, 1 / 255), [("SQUARE", False), ("SUM", True)]),
    "norm, scaled inside the sum": (lambda: _norm_of_the_plane(1 / 16, 16), []),
    "mean of the plane": (lambda: Net(SHAPE).scaled(1000).reduce("MEAN", (1, 2)).scaled(1e-3), []),
    "a sum that cancels": (_sum_that_cancels, [("SUM", False)]),
    "near": (lambda: Net(SHAPE).scaled(200).op("SQUARE").scaled(1e-4), [("SQUARE", False)]),
}


@pytest.mark.parametrize("name", NETS)
def test_layers_are_named(name: str, tmp_path: Path) -> None:
    make, expected = NETS[name]
    found = predict_overflow(make().write(tmp_path / "model.tflite"), [PICTURE])
    assert [(layer.kind, layer.sure) for layer in found] == expected
    assert all(layer.tensor and layer.rewrite for layer in found)


def test_a_sum_is_told_how_to_stay_in_range(tmp_path: Path) -> None:
    *_, found = predict_overflow(_norm_of_the_plane(255, 1 / 255).write(tmp_path / "model.tflite"), [PICTURE])
    truth = ((PICTURE.astype(np.float64) * 255) ** 2).sum(axis=(0, 1)).max()
    assert found.largest == pytest.approx(truth, rel=1e-4) and "inside the sum" in found.rewrite


def test_without_pictures_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture"):
        predict_overflow(_squares().write(tmp_path / "model.tflite"), [])


@pytest.mark.slow
def test_the_engine_loses_exactly_what_was_predicted(tmp_path: Path) -> None:
    files = [make().write(tmp_path / f"{place}.tflite") for place, (make, _) in enumerate(NETS.values())]
    half, exact = ask(*files, precision="fp16"), ask(*files, precision="fp32")
    for (name, (_, layers)), low, high in zip(NETS.items(), half, exact, strict=True):
        assert low.accepted and high.accepted, (name, low.reason)
        made, true = (np.array([np.nan if v is None else v for v in a.outputs[0]], float) for a in (low, high))
        assert np.isfinite(true).all(), name
        right = np.allclose(made, true, rtol=0.02, atol=2e-3)
        assert right is not any(sure for _, sure in layers), (name, made[:4], true[:4])
