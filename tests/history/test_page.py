"""The page: one file, nothing from a network, nothing of a stranger's obeyed, and every figure also as text."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from exporter.history.chart import HEIGHT, WIDTH
from exporter.history.page import page
from tests.history.records import OTHER_CPU, OTHER_PICTURES, record

RELEASES = [
    record("1.0.0"),
    record("1.1.0", cpu=OTHER_CPU),
    record("1.2.0", p50_ms=12.0, psnr_db=27.8, recipe={"distill.steps": "800"}, source_commit="c" * 40),
    record("1.3.0", pictures=OTHER_PICTURES),
]


class Balanced(HTMLParser):
    """Counts what is opened and closed; HTML's own parser forgives everything."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """`<circle/>` opens nothing."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_is_whole_and_asks_nobody() -> None:
    text = page(RELEASES, "releases")
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert "<script" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert page(RELEASES, "releases") == text, "the same records, the same bytes"


def test_what_cannot_be_compared_has_a_line_of_its_own() -> None:
    text = page(RELEASES, "releases")
    assert "Points are joined only where they can be compared" in text
    charts = re.findall(r"<figure>.*?</figure>", text, re.DOTALL)
    titles = [re.findall("<figcaption>([^<]*)", chart)[0] for chart in charts]
    assert titles == ["PSNR, dB", "Median call, ms", "File, kB"] * 2
    lines = [[len(line.split()) for line in re.findall(r'<polyline points="([^"]*)"', chart)] for chart in charts]
    assert lines == [[3], [3], [4]] * 2, "three on one set and one machine, the fourth alone; a file's size is its size"
    assert all(len(re.findall("<title>[^→<]*</title>", chart)) == 4 for chart in charts)


def test_moves_are_marked_with_what_changed() -> None:
    text = page(RELEASES, "releases")
    assert "<title>1.0.0 → 1.2.0 (commit cccccccccc)</title>" in text, "on the machine of both"
    assert "<title>1.1.0 → 1.2.0 (commit cccccccccc)</title>" in text, "on the pictures of both"
    step = re.findall(r'<article class="step">.*?</article>', text, re.DOTALL)[1]
    assert "1.1.0 → 1.2.0" in step and "28.00 → 27.80 dB (−0.20)" in step
    assert "distill.steps</b> 400 → 800" in step
    assert "Nothing moved beyond noise in 1 release" in page(RELEASES[:1], "releases")


def test_every_figure_stands_in_a_table_and_every_chart_in_words() -> None:
    text = page(RELEASES, "releases")
    for figure in ("27.80 dB", "12.00 ms", "996 kB", "0.8700"):
        assert f'<td class="num">{figure}</td>' in text
    labels = re.findall(r'role="img" aria-label="([^"]*)"', text)
    assert len(labels) == 6
    assert "28.00 dB in 1.0.0, 27.80 dB in 1.2.0" in labels[0]


def test_nothing_lies_outside_its_chart() -> None:
    records = [record(f"1.{n}.0-release-candidate", psnr_db=20 + n % 7, p50_ms=0.01 * 9**n) for n in range(9)]
    text = page(records, "releases")
    places = re.findall(r'<g transform="translate\(([\d.-]+) ([\d.-]+)\)', text)
    assert len(places) > 9
    assert all(0 < float(x) < WIDTH and 0 < float(y) < HEIGHT for x, y in places)


@pytest.mark.parametrize("psnr_db", [float("inf"), float("nan"), 1e308, -1e308, 1e-308, 99999999.0, 0.0])
@pytest.mark.parametrize("p50_ms", [1e308, 5e-324, float("inf"), 0.0, -1.0])
def test_a_strangers_figures_are_drawn_or_left_out(psnr_db: float, p50_ms: float) -> None:
    odd = record("1.1.0", psnr_db=psnr_db, p50_ms=p50_ms, size_bytes=2**50 - 1)
    text = page([record("1.0.0"), odd, record("1.2.0", size_bytes=1)], "releases")
    for word in re.findall(r'(?:points|c?[xy]|transform)="([^"]*)"', text):
        assert "nan" not in word and "inf" not in word


def test_a_strangers_words_are_text() -> None:
    evil = "</style><script>alert(1)</script>"
    records = [record("1.0.0"), record("1.1.0", recipe={evil: evil}, headline=evil, cpu=evil, psnr_db=25.0)]
    text = page(records, evil)
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_the_base_install_is_enough(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "mobile_deblur@1.0.0.json").write_text(record().model_dump_json())
    heavy = ("torch", "onnx", "matplotlib", "PIL", "scipy", "tensorflow", "fsspec")
    code = f"""import sys
from exporter.cli import main
assert main(["history", {str(tmp_path / "r")!r}, "page", {str(tmp_path / "h.html")!r}]) == 0
assert not [name for name in {heavy} if name in sys.modules]"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert (tmp_path / "h.html").read_text().startswith("<!doctype html>")
