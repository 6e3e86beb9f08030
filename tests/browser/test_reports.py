"""The pages that exporter writes, in a real browser: the report's slider under mouse, keyboard and finger, its length,
its print, and what axe-core finds in each, light and dark, at the width of a desk and of a phone."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.browser.chromium import Chromium
from exporter.engines.litert_web import LiteRtWebEngine
from exporter.history.page import page as history_page
from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import Status
from exporter.not_measured import NotMeasured
from exporter.releases.page import page as diff_page
from exporter.releases.results import ComparedTarget, Crop, Limits, Pace, QualityChange, Releases
from exporter.report import write_report
from exporter.search.page import page as search_page
from exporter.sweep.report import write_summary
from exporter.sweep.results import sweep_of
from tests.history.test_page import RELEASES
from tests.installed import put_together
from tests.report.demo_outcome import demo_outcome
from tests.search.test_page import found, trial
from tests.sweep.test_report import ended
from tools.toolchains.axe import AxeToolchain

WIDE, PHONE = (1280, 900), (390, 844)
LONGEST_PX = 6000  # at the width of a desk, with the folds closed
MOST_PAGES = 5
RANGE = "document.querySelector('.shown input[type=range]')"


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    put_together(LiteRtWebEngine())
    web = LiteRtWebEngine().web
    with Chromium(web.program, ("--disable-gpu",), web.env) as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each, and reports of runs that missed promises and that could measure nothing."""
    folder = tmp_path_factory.mktemp("pages")
    missed = demo_outcome(folder / "missed", missed=True)
    outcomes = {"kept": demo_outcome(folder / "kept"), "missed": missed, "unmeasured": _unmeasured(missed)}
    written = {name: write_report(outcome, folder / name / "report") for name, outcome in outcomes.items()}
    trials = found(trial(1, 0.4, 0.6), trial(2, 1.1, 1.12), trial(3, 0.9, 0.9, state="missed", reasons=("late",)))
    texts = {
        "search": search_page("demo 1.0", trials),
        "history": history_page(RELEASES, "releases"),
        "diff": diff_page(_compared()),
    }
    for name, text in texts.items():
        written[name] = folder / f"{name}.html"
        written[name].write_text(text, encoding="utf-8")
    ends = [ended("lost", 4, said="its node is gone", losses=("gone",)), ended("refused", 2, said="no such file")]
    written["sweep"] = write_summary(sweep_of("night", "slurm", ends, ["lost", "refused"]), folder / "sweep")
    return written


def _unmeasured(outcome: Outcome) -> Outcome:
    """What is left when every engine crashed."""
    gone = NotMeasured("the engine crashed: signal 11")
    targets = tuple(
        replace(each, parity=gone, quality=gone, latency=gone, audit=gone, seam=gone, layers=gone, residency=gone)
        for each in outcome.targets
    )
    said = "its worst parity was not measured: the engine crashed"
    verdicts = tuple(
        replace(each, status=Status.NOT_MEASURED, value=None, sentence=f"{each.target}: {said}")
        for each in outcome.verdicts
    )
    stages = tuple(replace(stage, quality=gone, parity=None) for stage in outcome.stages)
    return replace(outcome, targets=targets, verdicts=verdicts, stages=stages, pictures=(), tiled=gone)


def _compared() -> Releases:
    """One target that lost too much."""
    pixels = [np.full((64, 64, 3), value, np.uint8) for value in (40, 90, 80, 120)]
    lost = QualityChange(26.1, 26.0, 0.1, 0.02, Crop("maple", 0.4, 8, 16, *pixels))
    said = ("tflite_int8: loses 0.1 dB, allowed are 0.05 dB",)
    target = ComparedTarget("tflite_int8", "litert_cpu", "TFLite INT8", False, 1.0, lost, Pace(3, 3, 1), "", said, ())
    return Releases("a-1.0", "a-1.1", "AMD EPYC", Limits(), pictures="pairs, 40 photos", targets=(target,))


def arrive(browser: Chromium, page: Path, size: tuple[int, int] = WIDE, *, dark: bool = False) -> None:
    width, height = size
    browser.call(
        "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=size is PHONE
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.call("Emulation.setEmulatedMedia", features=[scheme])
    browser.open(page.as_uri())
    assert browser.complaints == []


def said(browser: Chromium) -> str:
    """What a screen reader says of the slider; that the picture shows the same is checked here."""
    text = str(browser.evaluate(f"{RANGE}.getAttribute('aria-valuetext')"))
    at = browser.evaluate("document.querySelector('.shown .frame').style.getPropertyValue('--at')")
    assert f" {at.removesuffix('%')} per cent, " in text
    return text


def place(browser: Chromium, share: float) -> tuple[float, float]:
    """Where the picture is `share` of its width from the left, halfway down."""
    browser.evaluate(f"{RANGE}.scrollIntoView({{ block: 'center' }})")
    x, y, width, height = browser.evaluate(
        f"(({{ x, y, width, height }}) => [x, y, width, height])({RANGE}.getBoundingClientRect())"
    )
    return x + share * width, y + height / 2


@pytest.mark.slow
def test_the_slider_follows_mouse_keyboard_and_finger(browser: Chromium, pages: dict[str, Path]) -> None:
    arrive(browser, pages["kept"])
    assert said(browser) == "Input 50 per cent, TFLite INT8 50 per cent"
    for kind, share in (("mousePressed", 0.5), ("mouseMoved", 0.7), ("mouseReleased", 0.8)):
        x, y = place(browser, share)
        browser.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
    left = int(said(browser).split()[1])
    assert 68 <= left <= 82
    for kind in ("rawKeyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39)
    assert said(browser) == f"Input {left + 1} per cent, TFLite INT8 {99 - left} per cent"

    arrive(browser, pages["kept"], PHONE)
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        for kind, share in (("touchStart", 0.5), ("touchMove", 0.4), ("touchMove", 0.25)):
            x, y = place(browser, share)
            browser.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
        browser.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    finally:
        browser.call("Emulation.setTouchEmulationEnabled", enabled=False)
    assert 18 <= int(said(browser).split()[1]) <= 32


@pytest.mark.slow
def test_the_names_on_the_picture_are_what_is_shown(browser: Chromium, pages: dict[str, Path]) -> None:
    arrive(browser, pages["kept"])
    names = "[...document.querySelectorAll('.shown .tag')].map(tag => tag.textContent)"
    assert browser.evaluate(names) == ["Input 26.76 dB", "TFLite INT8 29.59 dB"]
    browser.evaluate(
        "(() => { const list = document.querySelector('.shown select[data-side=left]');"
        " list.value = 'quantize_tflite'; list.dispatchEvent(new Event('change')); })()"
    )
    assert browser.evaluate(names) == ["TFLite INT8 29.59 dB"] * 2
    assert np.ptp(pixels_of(browser, right_half=True), axis=(0, 1)).min() > 50, "the same on both sides is no grey"
    browser.evaluate("document.querySelector('button[data-photo=\"1\"]').click()")
    assert browser.evaluate("document.querySelector('.shown img.left').alt").endswith(", TFLite INT8")
    browser.evaluate("document.querySelector('nav a[href=\"#layers\"]').click()")
    browser.wait_for("document.getElementById('layers').open")


def pixels_of(browser: Chromium, *, right_half: bool) -> Any:
    """(H, W, 3) as they are on the screen, without the names and the handle."""
    from io import BytesIO

    from PIL import Image

    browser.evaluate("document.querySelectorAll('.half, .handle').forEach(each => each.remove())")
    (x, y), (end, _) = place(browser, 0.55 if right_half else 0.05), place(browser, 0.95 if right_half else 0.45)
    clip = {"x": x, "y": y - 50, "width": end - x, "height": 100, "scale": 1}
    shot = browser.call("Page.captureScreenshot", format="png", clip=clip)["data"]
    return np.asarray(Image.open(BytesIO(base64.b64decode(shot))).convert("RGB"))


@pytest.mark.slow
def test_axe_finds_nothing(browser: Chromium, pages: dict[str, Path]) -> None:
    put_together(AxeToolchain())
    script = AxeToolchain().script.read_text(encoding="utf-8")
    run = "axe.run().then(({ violations }) => violations.map(one => `${one.id}: ${one.nodes[0].html}`))"
    for name, page in pages.items():
        for size in (WIDE, PHONE):
            for dark in (False, True):
                arrive(browser, page, size, dark=dark)
                paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
                assert (max(map(int, re.findall(r"\d+", paper)[:3])) < 60) is dark
                browser.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
                browser.evaluate(f"{script}; 0")
                assert browser.evaluate(run) == [], (name, size, dark)
                assert browser.evaluate("document.documentElement.scrollWidth") == size[0], (name, size)


@pytest.mark.slow
def test_folded_it_is_short_and_prints_on_a_few_pages(browser: Chromium, pages: dict[str, Path]) -> None:
    for name in ("kept", "missed", "unmeasured"):
        arrive(browser, pages[name])
        assert browser.evaluate("document.documentElement.scrollHeight") <= LONGEST_PX, name
        printed = base64.b64decode(browser.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)["data"])
        assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= MOST_PAGES, name
