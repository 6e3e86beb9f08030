"""The report as a whole: what it loads, what it escapes, that it is the same twice."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from exporter.errors import DiskFull
from exporter.files.plain_json import plain
from exporter.inspect.npu.lint import NpuRefusal, NpuVerdict
from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import Status
from exporter.measure.load import Load
from exporter.measure.results import Picture, Tiled
from exporter.not_measured import NotMeasured
from exporter.report import write_report
from exporter.report.document import schema
from exporter.report.opening import shipped
from tests.report.demo_outcome import demo_outcome

HOSTILE = "<script>alert(1)</script>--> \"'&$\\frac{x}$ ]]>\x07"


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return demo_outcome(tmp_path_factory.mktemp("run"), missed=True)


@pytest.fixture(scope="module")
def page(outcome: Outcome, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_report(outcome, tmp_path_factory.mktemp("page")).read_text(encoding="utf-8")


class Loads(HTMLParser):
    """Everything a browser would fetch or run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.scripts = 0
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        for key, value in attrs:
            if key in ("src", "href", "xlink:href", "srcset", "data", "poster", "action"):
                self.urls.append(value or "")
            if key == "id":
                self.ids.append(value or "")
            if key.startswith("on"):
                self.handlers.append(key)


def test_the_page_loads_nothing(outcome: Outcome, tmp_path: Path) -> None:
    page = write_report(outcome, tmp_path).read_text(encoding="utf-8")
    loads = Loads(page)
    assert len(loads.urls) > 20, "the photographs are in the page"
    assert [url for url in loads.urls if not url.startswith(("data:", "#"))] == []
    outside = [url for url in re.findall(r"url\(([^)]*)\)", page) if not url.strip("'\"").startswith(("#", "data:"))]
    assert outside == []
    assert "@import" not in page
    assert loads.scripts == 1


def test_every_reference_inside_the_page_has_its_element_and_ids_are_unique(outcome: Outcome, tmp_path: Path) -> None:
    page = write_report(outcome, tmp_path).read_text(encoding="utf-8")
    loads = Loads(page)
    wanted = {url[1:] for url in loads.urls if url.startswith("#")} | set(re.findall(r"url\(#([^)]*)\)", page))
    assert wanted <= set(loads.ids)
    assert len(loads.ids) == len(set(loads.ids))


def test_report_json_fits_the_published_schema(outcome: Outcome, tmp_path: Path) -> None:
    write_report(outcome, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(report, schema())
    assert report["verdict"] == "missed"
    assert report["exit_code"] == 1
    assert report["counts"] == {"kept": 8, "missed": 1, "not_measured": 2, "excused": 1}
    assert report["headline"] == "1 missed, 2 not measured of 11"
    named = [(promise["target"], promise["promise"], promise["runtime"]) for promise in report["promises"]]
    assert len(set(named)) == len(named) and ("tflite_int8", "min_parity_db", "litert_arm") in named
    old = next(t for t in report["targets"] if t["name"] == "tflite_int8_old")
    assert "not installed" in old["latency"]["not_measured"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(report | {"verdict": "splendid"}, schema())


def test_what_npus_would_take_is_told_to_people_and_programs(outcome: Outcome, tmp_path: Path) -> None:
    depth = NpuRefusal(3, "DEPTH_TO_SPACE", "t", "its plugin has no such operator")
    mediatek = NpuVerdict("mediatek", "MediaTek", (depth,), 24, 25, 2, 1.0)
    audit = replace(outcome.targets[2].audit, int8_mac_share=0.0, int16_mac_share=1.0)
    artifact = replace(outcome.targets[2].artifact, precision="int16x8")
    told = replace(outcome.targets[2], artifact=artifact, audit=audit, npu=(mediatek,))
    page = write_report(replace(outcome, targets=(told,)), tmp_path).read_text(encoding="utf-8")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema())
    assert report["targets"][0]["npu"][0]["refused"][0]["kind"] == "DEPTH_TO_SPACE"
    assert "24 of 25" in page and "DEPTH_TO_SPACE: its plugin has no such operator" in page


def test_numbers_json_cannot_say_stay_readable(outcome: Outcome, tmp_path: Path) -> None:
    perfect = replace(outcome.targets[0].parity, worst_psnr_db=float("inf"), mean_psnr_db=float("nan"))
    strange = replace(outcome, targets=(replace(outcome.targets[0], parity=perfect),))
    page = write_report(strange, tmp_path).read_text(encoding="utf-8")
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema())
    assert report["targets"][0]["parity"]["worst_psnr_db"] == "inf"
    assert "∞ dB" in page


def test_no_path_of_the_building_machine_is_in_the_report(outcome: Outcome, tmp_path: Path) -> None:
    write_report(outcome, tmp_path)
    folder = str(outcome.targets[0].artifact.path.parent)
    for file in ("report.json", "junit.xml", "index.html"):
        assert folder not in (tmp_path / file).read_text(encoding="utf-8"), file


@pytest.mark.slow
def test_the_page_says_what_tiles_cost(outcome: Outcome, tmp_path: Path) -> None:
    page = " ".join(write_report(outcome, tmp_path / "a").read_text(encoding="utf-8").split())
    assert "tiles of 256×256 px with a halo of 48 px, blended over 48 px" in page
    assert "The network sees 288 px far, so the halo is cut short." in page
    assert isinstance(outcome.tiled, Tiled)
    exact = replace(outcome, tiled=replace(outcome.tiled, theoretical_halo_px=48))
    assert "tiles are exact" in write_report(exact, tmp_path / "b").read_text(encoding="utf-8")
    unmeasured = replace(outcome, tiled=NotMeasured("it runs at one size only"))
    assert "it runs at one size only" in write_report(unmeasured, tmp_path / "c").read_text(encoding="utf-8")


def test_the_layer_that_ruins_int8_is_named_charted_and_shown(outcome: Outcome, tmp_path: Path) -> None:
    page = write_report(outcome, tmp_path).read_text(encoding="utf-8")
    section = page[page.index('id="layers"') : page.index('id="latency"')]
    assert "CONV_2D &#39;/network/body.6/Conv_output_0&#39; loses 16.8 dB" in section
    assert "clips 3.1 % of the values" in section
    assert section.count("<svg") == 1, "two targets run one file"
    assert section.count("data:image/webp") == 3
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    int8 = next(t for t in report["targets"] if t["name"] == "tflite_int8")
    assert int8["layers"]["culprit"] == 6 and "maps" not in int8["layers"]


def test_the_page_says_what_to_ship_where(outcome: Outcome, tmp_path: Path) -> None:
    page = write_report(outcome, tmp_path).read_text(encoding="utf-8")
    assert "LiteRT, 4: ship fp16: INT8 is not faster here (8.8 ms against 9.0 ms)" in page
    assert "ship fp16, unless the time counts more than the picture" in page
    assert "Every file on every runtime" in page
    assert "Every file on every runtime" not in write_report(replace(outcome, timings=()), tmp_path).read_text("utf-8")


def test_hostile_names_are_text(outcome: Outcome, tmp_path: Path) -> None:
    stage = outcome.stages[0]
    hostile = replace(
        outcome,
        name=HOSTILE,
        version=HOSTILE,
        stages=(replace(stage, name=HOSTILE), *outcome.stages[1:]),
        targets=tuple(replace(t, name=HOSTILE + t.name) for t in outcome.targets),
        verdicts=tuple(replace(v, target=HOSTILE, sentence=HOSTILE) for v in outcome.verdicts),
        pictures=(Picture(HOSTILE, outcome.pictures[0].files),),
        recipe={HOSTILE: HOSTILE},
        provenance={HOSTILE: {HOSTILE: HOSTILE}},
        environment={HOSTILE: HOSTILE},
        stage_seconds={HOSTILE: 1.0},
        notes={HOSTILE: {HOSTILE: HOSTILE}},
    )
    page = write_report(hostile, tmp_path).read_text(encoding="utf-8")
    loads = Loads(page)
    assert loads.scripts == 1
    assert loads.handlers == []
    assert page.count("<script>") == 1
    assert "alert(1)" in page
    jsonschema.validate(json.loads((tmp_path / "report.json").read_text(encoding="utf-8")), schema())


def test_equal_outcomes_give_equal_bytes(outcome: Outcome, tmp_path: Path) -> None:
    write_report(outcome, tmp_path / "a")
    write_report(outcome, tmp_path / "b")
    for file in ("report.json", "junit.xml", "index.html"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_the_headline_and_every_broken_promise_are_on_top(outcome: Outcome, tmp_path: Path) -> None:
    page = write_report(outcome, tmp_path).read_text(encoding="utf-8")
    top = page[page.index("<body>") : page.index("<main>")]
    assert "<strong>1 missed, 2 not measured of 11</strong>" in top
    assert "mean PSNR lost against the float model is 0.14 dB, promised at most 0.12 dB" in top
    assert top.index("promised at most 0.12 dB") < top.index("litert_arm was not measured"), "misses come first"
    assert top.index("tflite-runtime is not installed") < top.index("does not demand") < top.index("on litert_arm")
    kept = write_report(demo_outcome(tmp_path / "run"), tmp_path / "kept").read_text(encoding="utf-8")
    assert "<strong>11 kept, 1 not measured</strong>" in kept
    assert '<span class="badge kept">3 kept, 1 not measured</span>' in kept


def test_the_file_to_ship_stands_first_with_three_figures(outcome: Outcome, page: str) -> None:
    ship = said(page[page.index('<div class="ship missed">') : page.index("<nav")])
    assert ship.startswith("Would be shipped onnx_to_tflite.fp16.tflite 318 kB the file")
    assert re.search(r"\d\.\d ms a picture of 256×256 px, median.*; LiteRT 2.1.0 XNNPACK", ship)
    assert "0.000 dB against the float model; +2.38 dB over input, 40 photos" in ship
    assert "the bundle did not keep all. Ship fp16, unless the time counts more than the picture" in ship
    kept, missed = (
        replace(outcome, verdicts=tuple(replace(verdict, status=status) for verdict in outcome.verdicts))
        for status in (Status.KEPT, Status.MISSED)
    )
    assert shipped(kept).title == "Ship this file" and shipped(kept).file == shipped(outcome).file
    assert (shipped(missed).title, shipped(missed).file) == ("No file to ship", "")
    int8 = replace(kept, targets=kept.targets[1:3])
    fast = replace(int8.targets[1], quality=replace(int8.targets[1].quality, loss_db=0.02))
    told = shipped(replace(int8, targets=(int8.targets[0], fast)))
    assert told.file == "quantize_tflite.tflite" and told.remarks[-1] == "For a phone’s GPU: onnx_to_tflite.fp16.tflite"


def test_only_kept_and_excused_promises_are_folded(page: str) -> None:
    unfolded = re.sub(r"<details(?: class=\"\w+\")?>.*?</details>", "", page[: page.index('id="stages"')], flags=re.S)
    assert unfolded.count("promised at most 0.12 dB") == 2, "on top and at its target, both missed"
    assert unfolded.count("tflite-runtime is not installed") == 2
    assert "promised at least" not in unfolded and "litert_arm" not in unfolded
    assert page.count("promised at least") == 5


def test_what_a_table_or_a_chart_shows_has_a_name(page: str) -> None:
    assert re.findall(r"<th(?![^>]*\bscope=)[ >]", page) == []
    assert page.count("<svg") == len(re.findall(r'<svg role="img" aria-label="[^"]{20,}"', page)) >= 6
    wide = re.findall(r'<div class="wide" role="group" aria-label="([^"]+)" tabindex="0">', page)
    assert page.count('class="wide"') == len(wide) == len(set(wide))


def said(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_metrics_are_named_with_their_protocols(outcome: Outcome, tmp_path: Path) -> None:
    from exporter.data.yardstick import Yardstick

    page = write_report(outcome, tmp_path).read_text(encoding="utf-8")
    protocols = Yardstick(1).protocols
    assert {"psnr_db", "ssim", "parity_db", "ci95"} <= protocols.keys()
    assert all(sentence in page for sentence in protocols.values())


def test_an_outcome_with_nothing_measured_still_makes_a_page(outcome: Outcome, tmp_path: Path) -> None:
    absent = NotMeasured("the engine crashed")
    bare = replace(
        outcome,
        stages=(),
        pictures=(),
        verdicts=(),
        notes={},
        stage_seconds={},
        coverage=replace(outcome.coverage, images=0, brightness=(), sharpness=()),
        targets=(
            replace(outcome.targets[0], parity=absent, quality=absent, latency=absent, audit=absent, findings=()),
        ),
    )
    page = write_report(bare, tmp_path).read_text(encoding="utf-8")
    assert page.count("the engine crashed") >= 2
    jsonschema.validate(json.loads((tmp_path / "report.json").read_text(encoding="utf-8")), schema())


def test_times_of_a_disturbed_machine_are_called_noisy(outcome: Outcome, tmp_path: Path) -> None:
    first, *others = outcome.targets
    disturbed = replace(first, latency=replace(first.latency, load=Load(2, 1.2), attempts=3))
    page = write_report(replace(outcome, targets=(disturbed, *others)), tmp_path).read_text(encoding="utf-8")
    assert f"noisy times of {first.name}: other programs took 1.2 of 2 cores" in page
    assert page.count("noisy</small>") == 2, "in both tables, at the one target that is"
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    jsonschema.validate(report, schema())
    said = [target["latency"].get("noise") for target in report["targets"]]
    assert said[0] == ["other programs took 1.2 of 2 cores"] and not any(said[1:])
    low, high = report["targets"][0]["latency"]["p50_ci95_ms"]
    assert low <= report["targets"][0]["latency"]["p50_ms"] <= high


def test_a_report_that_cannot_be_written_leaves_the_former_one(
    outcome: Outcome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(outcome, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(self: Path, *_: object, **__: object) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DiskFull, match="report.json"):
        write_report(replace(outcome, version="2.0.0"), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_plain_keeps_order_and_types() -> None:
    assert plain({"a": (1, True, None, 1.5, float("-inf"))}) == {"a": [1, True, None, 1.5, "-inf"]}
    assert plain({3: Path("x/y")}) == {"3": "x/y"}
