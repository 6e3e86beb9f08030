"""Which layers leave half precision: predicted from float values, then shown by the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from exporter.engines.arm import HALF_CPUS, ArmEngine
from exporter.errors import DataError
from exporter.inspect.gpu.overflow import predict_overflow
from tests.graph.tflite_net import Net
from tests.inspect.gpu.engine import ask
from tests.installed import put_together

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


def _normed(square: Callable[[Net, int, int, int], Net], axes: tuple[int, ...] = (3,)) -> Net:
    """A norm over `axes` of values in 0..1000; `square` makes the squares of x, its mean, and x - mean."""
    net = Net(SHAPE).scaled(1000)
    picture = net.at
    mean = net.reduce("MEAN", axes).at
    centred = net.op("SUB", [picture, mean], SHAPE, "SubOptions").at
    variance = square(net, picture, mean, centred)
    if variance.shape == SHAPE:
        variance = variance.reduce("MEAN", axes)
    root = variance.on_stored("ADD", np.full((1, 1, 1, 1), 1e-6), "AddOptions").op("RSQRT").at
    return net.op("MUL", [centred, root], SHAPE, "MulOptions").conv(3)


def _product(net: Net, picture: int, mean: int, centred: int) -> Net:
    return net.op("MUL", [centred, centred], SHAPE, "MulOptions")


def _of_tensorflow(net: Net, picture: int, mean: int, centred: int) -> Net:
    return net.op("SQUARED_DIFFERENCE", [picture, mean], SHAPE)


def _power(net: Net, picture: int, mean: int, centred: int) -> Net:
    return net.op("POW", [centred, net.const(np.full((1, 1, 1, 1), 2.0))], SHAPE)


def _moments(net: Net, picture: int, mean: int, centred: int) -> Net:
    """The mean of squares less the square of the mean."""
    squares = net.op("MUL", [picture, picture], SHAPE, "MulOptions").reduce("MEAN", (3,)).at
    square = net.op("MUL", [mean, mean], (*SHAPE[:3], 1), "MulOptions").at
    return net.op("SUB", [squares, square], (*SHAPE[:3], 1), "SubOptions")


def _square_with_two_readers() -> Net:
    net = Net(SHAPE).scaled(400).op("SQUARE")
    squares = net.at
    return net.op("ADD", [squares, net.reduce("MEAN", (3,)).at], SHAPE, "AddOptions").scaled(2**-17)


NETS: dict[str, tuple[Callable[[], Net], list[tuple[str, bool]]]] = {
    "convolutions": (lambda: Net(SHAPE).conv(8).op("RELU").conv(3), []),
    "squares": (_squares, [("SQUARE", True)]),
    "norm of the plane in 0..255": (lambda: _norm_of_the_plane(255, 1 / 255), [("SQUARE", False), ("SUM", True)]),
    "norm, scaled inside the sum": (lambda: _norm_of_the_plane(1 / 16, 16), []),
    "mean of the plane": (lambda: Net(SHAPE).scaled(1000).reduce("MEAN", (1, 2)).scaled(1e-3), []),
    "a sum that cancels": (_sum_that_cancels, [("SUM", False)]),
    "mean of squares": (
        lambda: Net(SHAPE).scaled(400).op("SQUARE").reduce("MEAN", (1, 2)).scaled(2**-17),
        [("SQUARE", True), ("MEAN", False)],
    ),
    "a square with two readers": (_square_with_two_readers, [("SQUARE", True), ("MEAN", True), ("ADD", True)]),
    "layer norm, product": (lambda: _normed(_product), []),
    "layer norm, SQUARED_DIFFERENCE": (
        lambda: _normed(_of_tensorflow),
        [("SQUARED_DIFFERENCE", True), ("MEAN", True), ("ADD", True)],
    ),
    "layer norm, POW": (lambda: _normed(_power), [("POW", True), ("MEAN", True), ("ADD", True)]),
    "layer norm, moments": (
        lambda: _normed(_moments),
        [("MUL", True), ("MEAN", True), ("MUL", True), ("SUB", True), ("ADD", True)],
    ),
    "norm over the plane, product": (
        lambda: _normed(_product, (1, 2)),
        [("MUL", True), ("MEAN", True), ("ADD", True)],
    ),
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


KEPT_BY_CPU = {  # squares and their sum in one kernel: what a GPU loses, XNNPACK does not
    "norm of the plane in 0..255",
    "mean of squares",
    "norm over the plane, product",
}


ENDS_THE_GPU_ENGINE = {"layer norm, moments"}  # SIGABRT while it compiles, in fp32 as well: nothing to compare


def _lost(name: str, engine: str, path: Path) -> bool:
    found = predict_overflow(path, [PICTURE])
    return any(layer.sure and engine in layer.engines for layer in found)


@pytest.mark.parametrize("name", NETS)
def test_engines_differ_by_what_they_sum_in_one_kernel(name: str, tmp_path: Path) -> None:
    path = NETS[name][0]().write(tmp_path / "model.tflite")
    on_gpu = any(sure for _, sure in NETS[name][1])
    assert _lost(name, "gpu", path) is on_gpu
    assert _lost(name, "cpu", path) is (on_gpu and name not in KEPT_BY_CPU)


@pytest.mark.slow
@pytest.mark.parametrize("cpu", HALF_CPUS)
def test_an_arm_cpu_loses_exactly_what_was_predicted(cpu: str, tmp_path: Path) -> None:
    """In native half precision; the same processor in single precision loses nothing."""
    engine = ArmEngine()
    put_together(engine)
    files = {name: make().write(tmp_path / f"{place}.tflite") for place, (name, (make, _)) in enumerate(NETS.items())}
    half, exact = (engine.answers(list(files.values()), cpu, half=half) for half in (True, False))
    for (name, path), low, high in zip(files.items(), half, exact, strict=True):
        assert _alike(low, high) is not _lost(name, "cpu", path), (name, low[:4], high[:4])
        assert low != high, f"{name} was computed in single precision"


def _alike(low: list[float | None], high: list[float | None]) -> bool:
    made, true = (np.array([np.nan if v is None else v for v in values], float) for values in (low, high))
    assert np.isfinite(true).all()
    return bool(np.allclose(made, true, rtol=0.02, atol=5e-3))


@pytest.mark.slow
def test_the_engine_loses_exactly_what_was_predicted(tmp_path: Path) -> None:
    nets = {name: net for name, net in NETS.items() if name not in ENDS_THE_GPU_ENGINE}
    files = [make().write(tmp_path / f"{place}.tflite") for place, (make, _) in enumerate(nets.values())]
    half, exact = ask(*files, precision="fp16"), ask(*files, precision="fp32")
    for (name, (_, layers)), low, high in zip(nets.items(), half, exact, strict=True):
        assert low.accepted and high.accepted, (name, low.reason)
        right = _alike(low.outputs[0], high.outputs[0])
        assert right is not any(sure for _, sure in layers), (name, low.outputs[0][:4], high.outputs[0][:4])
