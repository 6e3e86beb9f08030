"""`exporter diff` with limits runs both bundles: what is worse is exit 1, what cannot be compared is exit 2."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from exporter.artifact import Artifact
from exporter.bundle.manifest import read_manifest
from exporter.cli import main
from exporter.commands.measured_diff import LIMITS
from exporter.errors import EngineError, Incomparable
from exporter.measure.evaluation import Renderings
from exporter.releases import compare
from exporter.releases.pictures import open_pictures
from exporter.releases.results import Limits
from exporter.runtimes import runtime

OLD, NEW, OTHER = "dist/tiny-1.0", "dist/tiny-1.1", "dist/tiny-2.0"
Capture = pytest.CaptureFixture[str]


def diff(*words: str) -> int:
    """Times are noise here; what they may do, test_measure.py tests."""
    return main(["diff", *words, "--max-slower", "inf"])


def found(capsys: Capture, *words: str) -> dict[str, Any]:
    capsys.readouterr()
    diff(*words, "--json")
    tree: dict[str, Any] = json.loads(capsys.readouterr().out)
    return tree


def psnr_db(bundle: str) -> float:
    report = json.loads((Path(bundle) / "report" / "report.json").read_text())
    return float(report["targets"][0]["quality"]["psnr_db"])


def worse_last() -> tuple[str, str]:
    """The two releases, the better one first."""
    return (OLD, NEW) if psnr_db(OLD) > psnr_db(NEW) else (NEW, OLD)


def test_the_options_are_the_limits() -> None:
    assert Limits(**{field: default for field, default, *_ in LIMITS.values()}) == Limits()


def test_a_release_is_not_worse_than_itself(at_releases: Path, capsys: Capture) -> None:
    assert diff(OLD, OLD, "--max-loss-db", "0") == 0
    said = capsys.readouterr().out
    assert "the same file" in said
    assert said.splitlines()[-1] == "exit code 0: nothing is worse than the limits allow"


def test_what_is_lost_is_measured_anew_on_the_same_pictures(at_releases: Path, capsys: Capture) -> None:
    better, worse = worse_last()
    (target,) = found(capsys, better, worse)["targets"]
    quality = target["quality"]
    assert quality["loss_db"] == pytest.approx(psnr_db(better) - psnr_db(worse), abs=1e-6)
    assert quality["crop"]["loss_db"] >= quality["loss_db"] > 0
    assert target["pace"]["old_ms"] > 0
    (back,) = found(capsys, worse, better)["targets"]
    assert back["quality"]["loss_db"] == pytest.approx(-quality["loss_db"])
    assert diff(worse, better, "--max-loss-db", "0") == 0


def test_a_worse_release_is_red_and_says_where(at_releases: Path, tmp_path: Path, capsys: Capture) -> None:
    better, worse = worse_last()
    files = ["--markdown", str(tmp_path / "d.md"), "--html", str(tmp_path / "d.html")]
    assert diff(better, worse, "--max-loss-db", "0", *files) == 1
    crop = found(capsys, better, worse)["targets"][0]["quality"]["crop"]
    where = f"most in {crop['picture']}"
    text, page = (tmp_path / "d.md").read_text(), (tmp_path / "d.html").read_text()
    assert text.startswith("<!-- exporter diff -->\n### ❌ tiny ")
    assert "- **worse**: torch: load\\_generator" in text, "the stage that made the file"
    assert where in text and f"64×64 px from ({crop['x']}, {crop['y']})" in text
    assert where in page and page.count('<img src="data:image/webp;base64,') == 4
    assert "http" not in page.replace("http-equiv", ""), "nothing from a network"
    assert diff(better, worse, "--max-loss-db", "inf") == 0


def test_a_larger_file(at_releases: Path, capsys: Capture) -> None:
    assert diff(OLD, NEW, "--max-loss-db", "inf", "--max-bigger", "0.9") == 1
    assert "times as large, allowed 0.9" in capsys.readouterr().out


def test_other_pictures_are_not_compared(at_releases: Path, tmp_path: Path, capsys: Capture) -> None:
    files = ["--markdown", str(tmp_path / "d.md"), "--html", str(tmp_path / "d.html")]
    assert diff(OLD, OTHER, *files) == 2
    why = "not comparable: the two bundles were judged by other pictures"
    assert why in capsys.readouterr().out
    assert why in (tmp_path / "d.html").read_text()
    text = (tmp_path / "d.md").read_text().splitlines()
    assert text[1] == "### ⚠️ tiny 1.1 and tiny 1.0 cannot be compared"
    assert text[3].startswith("- **not comparable**: the two bundles were judged by other pictures")
    assert text[-1] == "Nothing was run."
    assert diff(OLD, OTHER, "--pictures", "others", "--max-loss-db", "inf") == 0, "both by these"


def test_pictures_that_are_gone_or_were_changed(
    at_releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    old, new = (str(at_releases / bundle) for bundle in (OLD, NEW))
    monkeypatch.chdir(tmp_path)
    assert diff(old, new) == 2
    assert "the pictures that the bundles were judged by are not here: evaluation" in capsys.readouterr().out
    shutil.copytree(at_releases / "others", tmp_path / "evaluation")
    assert diff(old, new) == 2
    assert "evaluation holds other pictures than the bundles were judged by" in capsys.readouterr().out


def test_other_sizes_and_other_noise_are_not_compared(at_releases: Path) -> None:
    old = read_manifest(Path(OLD))
    model = old.models[0]
    larger = model.input.model_copy(update={"shape": (1, 3, 128, 128)})
    for change in (
        {"models": (model.model_copy(update={"input": larger}),)},
        {"recipe": old.recipe | {"data": old.recipe["data"] | {"noise": 25.0}}},
    ):
        with pytest.raises(Incomparable, match="pictures of another size or colour|data.noise or data.protocol"):
            open_pictures(old, old.model_copy(update=change), None)


def test_a_runtime_that_is_not_here(at_releases: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(type(runtime("torch_cpu")), "missing", lambda self: "no torch")
    assert diff(OLD, NEW) == 2
    assert "not comparable: torch: torch_cpu is not on this machine: no torch" in capsys.readouterr().out


@pytest.mark.parametrize(("side", "code"), [(OLD, 2), (NEW, 1)])
def test_a_file_that_cannot_be_run(
    at_releases: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, side: str, code: int
) -> None:
    render = Renderings.of

    def broken(self: Renderings, artifact: Artifact, engine: Any) -> Any:
        if artifact.path.is_relative_to(side):
            raise EngineError("it fell over")
        return render(self, artifact, engine)

    monkeypatch.setattr(compare.Renderings, "of", broken)
    assert diff(OLD, NEW) == code
    assert f"{'OLD' if code == 2 else 'NEW'} cannot be run: it fell over" in capsys.readouterr().out


def test_what_is_damaged_is_not_run(at_releases: Path, tmp_path: Path, capsys: Capture) -> None:
    bundle = Path(shutil.copytree(NEW, tmp_path / "new"))
    (bundle / "README.md").write_text("x")
    assert diff(OLD, str(bundle)) == 2
    assert "README.md was changed" in capsys.readouterr().err


def test_words_that_do_not_fit(at_releases: Path, capsys: Capture) -> None:
    assert diff(OLD, NEW, "--parity-drop", "1") == 2
    assert "--parity-drop is about reports" in capsys.readouterr().err
    assert diff(OLD, NEW, "--target", "torsh") == 2
    assert "did you mean 'torch'?" in capsys.readouterr().err
    assert diff(OLD, NEW, "--max-loss-db", "-1") == 2
