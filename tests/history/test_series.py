"""What is joined, and what counts as a move."""

from __future__ import annotations

import pytest

from exporter.history.changes import changes
from exporter.history.page import products
from exporter.history.record import Record
from exporter.history.series import FIGURES, Figure, moves_of, series_of
from tests.history.records import OTHER_CPU, OTHER_PICTURES, record

PSNR, LATENCY, SIZE = FIGURES


def releases(*wished: dict[str, object]) -> list[Record]:
    return [record(f"1.{number}.0", **each) for number, each in enumerate(wished)]


def joined(figure: Figure, records: list[Record]) -> list[list[int]]:
    """The releases of each series."""
    return [[point.release for point in each.points] for each in series_of(figure, records, "onnx")]


def moved(figure: Figure, records: list[Record]) -> list[tuple[int, int]]:
    (series,) = series_of(figure, records, "onnx")
    return [(old.release, new.release) for old, new in moves_of(figure, series)]


def test_other_machines_and_other_pictures_are_never_joined() -> None:
    records = releases({}, {"cpu": OTHER_CPU}, {}, {"pictures": OTHER_PICTURES})
    assert joined(LATENCY, records) == [[0, 2, 3], [1]]
    assert joined(PSNR, records) == [[0, 1, 2], [3]]
    assert joined(SIZE, records) == [[0, 1, 2, 3]]


def test_digests_that_begin_alike_are_other_pictures() -> None:
    assert joined(PSNR, releases({}, {"pictures": "77" * 31 + "78"})) == [[0], [1]]


def test_another_size_noise_runtime_or_number_of_threads_is_a_series_of_its_own() -> None:
    one = record()
    target = one.targets[1]
    assert target.latency is not None
    for change, figure in (
        ({"input": "128×128 px rgb"}, PSNR),
        ({"input": "128×128 px rgb"}, LATENCY),
        ({"runtime": "onnxruntime_cpu"}, LATENCY),
        ({"latency": target.latency.model_copy(update={"threads": 4, "device": "4 threads, x"})}, LATENCY),
    ):
        other = one.model_copy(update={"targets": (target.model_copy(update=change),)})
        assert joined(figure, [one, other]) == [[0], [1]], change
    noisy = one.model_copy(update={"pictures": one.pictures.model_copy(update={"treatment": "noise 25.0"})})
    assert joined(PSNR, [one, noisy]) == [[0], [1]]


def test_what_was_not_measured_is_no_point() -> None:
    assert joined(LATENCY, releases({}, {"p50_ms": None}, {})) == [[0, 2]]
    assert joined(PSNR, releases({"psnr_db": None}, {})) == [[1]]


def test_noise_is_no_move_and_a_step_is_one() -> None:
    assert moved(PSNR, releases(*({"psnr_db": db} for db in (28.0, 28.005, 27.996, 28.2, 28.2)))) == [(2, 3)]
    assert moved(LATENCY, releases(*({"p50_ms": ms} for ms in (6.5, 7.6, 6.0, 12.0, 6.2)))) == [(2, 3), (3, 4)]
    assert moved(SIZE, releases(*({"size_bytes": size} for size in (996_000, 996_100, 1_060_000)))) == [(1, 2)]


def test_small_steps_add_up() -> None:
    assert moved(LATENCY, releases(*({"p50_ms": 6.5 * 1.1**n} for n in range(4)))) == [(0, 3)]


@pytest.mark.parametrize(("each", "moves"), [((26.6, 27.6, 28.6, 29.6), [(0, 1)]), ((28.5, 26.5, 29.5, 27.9), [])])
def test_a_change_within_the_spread_of_the_pictures_is_noise(
    each: tuple[float, ...], moves: list[tuple[int, int]]
) -> None:
    """Both are 0.1 dB better on average; only the first on every picture."""
    old, new = record("1.0.0"), record("1.1.0", psnr_db=28.1)
    assert new.targets[1].quality is not None
    quality = new.targets[1].quality.model_copy(update={"psnr_each_db": each})
    target = new.targets[1].model_copy(update={"quality": quality})
    assert moved(PSNR, [old, new.model_copy(update={"targets": (target,)})]) == moves


def test_what_may_have_moved_it_is_named() -> None:
    old = record("1.0.0", source_commit="a" * 40)
    new = record("1.1.0", source_commit="b" * 40, recipe={"distill.steps": "800"}, tools={}, psnr_db=28.2)
    said = [(change.what, change.old, change.new) for change in changes(old, new)]
    assert said == [
        ("commit", "a" * 10, "b" * 10),
        ("distill.steps", "400", "800"),
        ("torch", "2.13.0", ""),
    ]
    dirty = new.model_copy(update={"exporter": new.exporter.model_copy(update={"modified": True})})
    assert ("exporter", f"0.1.0 at {'ab' * 5}", f"0.1.0 at {'ab' * 5}, changed") in [
        (change.what, change.old, change.new) for change in changes(new, dirty)
    ]
    (product,) = products([old, new])
    (step,) = product.steps
    assert (step.old.version, step.new.version) == ("1.0.0", "1.1.0")
    assert {move.target for move in step.moves} == {"onnx", "tflite_int8"}
    assert [move.status for move in step.moves] == ["kept", "kept"]


@pytest.mark.parametrize(
    ("figure", "better"), [(PSNR, {"psnr_db": 29}), (LATENCY, {"p50_ms": 3}), (SIZE, {"size_bytes": 9})]
)
def test_better_is_better(figure: Figure, better: dict[str, object]) -> None:
    (product,) = products(releases({}, better))
    assert {(move.figure, move.status) for step in product.steps for move in step.moves} == {(figure, "kept")}
    (product,) = products(releases(better, {}))
    assert {(move.figure, move.status) for step in product.steps for move in step.moves} == {(figure, "missed")}
