from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporter.report import drawings, pictures, write_report
from exporter.report.drawings import Drawings
from tests.report.demo_outcome import demo_outcome


def refuse(*_: object, **__: object) -> str:
    raise AssertionError("drawn again")


@pytest.mark.slow
def test_a_second_page_draws_nothing_and_is_the_same_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, kept = demo_outcome(tmp_path / "run"), tmp_path / "page.json"
    first = write_report(outcome, tmp_path / "a", kept).read_bytes()
    assert first == write_report(outcome, tmp_path / "b").read_bytes(), "a page that keeps nothing"
    whole = kept.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr("exporter.report.charts.as_svg", refuse)
        patched.setattr("PIL.Image.fromarray", refuse)
        assert write_report(outcome, tmp_path / "c", kept).read_bytes() == first
    kept.write_bytes(whole[:-100])
    assert write_report(outcome, tmp_path / "d", kept).read_bytes() == first
    assert kept.read_bytes() == whole, "a damaged record is mended"


def test_other_pixels_numbers_code_and_drawers_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, record = np.zeros((8, 8, 3), np.uint8), tmp_path / "page.json"
    first = Drawings(record)
    zero = first.picture(pictures.data_uri, pixels)
    first.keep()
    assert Drawings(record).picture(refuse_or(pictures.data_uri.__name__), pixels) == zero
    for other in (pixels + 1, np.zeros((4, 16, 3), np.uint8), np.zeros((8, 24), np.uint8)):
        with pytest.raises(AssertionError, match="drawn again"):
            Drawings(record).picture(refuse_or(pictures.data_uri.__name__), other)
    monkeypatch.setattr(drawings, "installed_version", lambda name: "another")
    with pytest.raises(AssertionError, match="drawn again"):
        Drawings(record).picture(refuse_or(pictures.data_uri.__name__), pixels)


def refuse_or(name: str):  # type: ignore[no-untyped-def]
    def encode(pixels: object) -> str:
        return refuse(pixels)

    encode.__name__ = name
    return encode


def test_only_what_the_last_page_showed_is_kept(tmp_path: Path) -> None:
    record = tmp_path / "page.json"
    for value in (1, 2):
        shown = Drawings(record)
        shown.picture(pictures.data_uri, np.full((8, 8, 3), value, np.uint8))
        shown.keep()
    assert len(Drawings(record)._known) == 1
