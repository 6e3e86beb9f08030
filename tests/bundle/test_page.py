"""The page of a bundle in a real browser: what it shows is, pixel for pixel, what `exporter run` writes."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.bundle.manifest import read_manifest
from exporter.cli import main
from exporter.commands.serve import table_of
from exporter.data.colour import in_colour, to_look_at
from exporter.data.images import read_pixels, to_uint8
from exporter.engines.litert_web import LiteRtWebEngine
from tests.browser.visitor import visiting
from tests.conftest import picture
from tests.installed import put_together


@pytest.fixture
def engine() -> None:
    put_together(LiteRtWebEngine())


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """77×101 px: no multiple of anything, 4×6 tiles."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray((picture(5, 77, 101) * 255).astype(np.uint8)).save(path)
    return path


def visit(bundle: Path):
    return visiting(table_of(bundle, read_manifest(bundle)))


def run(bundle: Path, file: str, source: Path, target: Path) -> np.ndarray:
    (model,) = (bundle / "models").glob(f"*.{file}.tflite")
    assert main(["run", "--model", str(model), str(source), str(target)]) == 0
    return read_pixels(target)


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_a_dropped_photograph_becomes_what_run_makes_of_it(pristine: Path, photo: Path, tmp_path: Path) -> None:
    with visit(pristine) as visitor:
        visitor.arrive()
        names = visitor.browser.evaluate("[...document.getElementById('model').options].map(o => o.text)")
        assert len(names) == 3, "the .onnx is not offered"
        assert names[int(visitor.browser.evaluate("document.getElementById('model').value"))].endswith(".int8.tflite")
        visitor.drop(photo)
        assert np.array_equal(visitor.restored, run(pristine, "int8", photo, tmp_path / "int8.png"))
        assert visitor.text("status").startswith("101×77 px in ") and "24 tiles of 32×32 px" in visitor.text("status")
        assert "threads" in visitor.text("engine") and "relaxed SIMD" in visitor.text("engine")
        for place, name in enumerate(names):
            visitor.select("model", str(place))
            file = name.split(".")[-2]
            made, wanted = visitor.restored, run(pristine, file, photo, tmp_path / f"{file}.png")
            assert np.abs(made.astype(int) - wanted).max() <= (0 if file == "int8" else 1), file
        assert visitor.complaint == "" and visitor.violations == []
        assert all(address.startswith((visitor.address, "blob:")) for address in visitor.requests)
        assert not np.array_equal(visitor.restored, read_pixels(photo)), "the network does something"


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_keyboard_phone_and_mistakes(pristine: Path, photo: Path, tmp_path: Path) -> None:
    no_picture = tmp_path / "notes.png"
    no_picture.write_text("these are words")
    with visit(pristine) as visitor:
        visitor.arrive(width=390, height=844)
        visitor.drop(no_picture)
        assert visitor.complaint == "notes.png cannot be opened as a picture here: PNG, JPEG, WebP or BMP would do."
        visitor.choose(photo)
        assert visitor.complaint == "" and visitor.restored.shape == (77, 101, 3)
        assert visitor.browser.evaluate("document.documentElement.scrollWidth") == 390, "nothing is wider than a phone"
        reached = []
        visitor.browser.evaluate("document.activeElement.blur()")
        for _ in range(6):
            visitor.press("Tab")
            reached.append(visitor.browser.evaluate("document.activeElement.id"))
        assert [name for name in reached if name] == [
            name for name in ("model", "accelerator", "file", "slider", "zoom", "save") if name in reached
        ] and {"model", "file", "slider", "save"} <= set(reached)
        visitor.browser.evaluate("document.getElementById('slider').focus()")
        visitor.press("ArrowRight")
        assert visitor.browser.evaluate("document.getElementById('frame').style.getPropertyValue('--at')") == "50.5%"


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_no_script_but_its_own(pristine: Path) -> None:
    with visit(pristine) as visitor:
        visitor.arrive()
        visitor.browser.evaluate(
            "(() => { const own = document.createElement('script'); own.textContent = 'globalThis.ran = 1';"
            " document.body.append(own);"
            " const other = document.createElement('img'); other.src = 'http://127.0.0.2:9/x.png';"
            " document.body.append(other); })()"
        )
        assert visitor.browser.evaluate("globalThis.ran") is None
        visitor.browser.wait_for("true")
        assert len(visitor.violations) >= 2


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_another_file_than_the_manifest_names_is_not_run(bundle: Path, photo: Path) -> None:
    (model,) = (bundle / "models").glob("*.int8.tflite")
    (other,) = (bundle / "models").glob("*.fp16.tflite")
    model.write_bytes(other.read_bytes())
    with visit(bundle) as visitor:
        visitor.arrive()
        visitor.drop(photo)
        assert visitor.complaint.endswith("is not the file that manifest.json names: its digest is another.")


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_a_file_for_frames_is_refused_with_the_reason(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    tree = json.loads((bundle / "manifest.json").read_text())
    for model in tree["models"]:
        model["input"]["frames"] = 5
    table = table_of(bundle, manifest) | {"/manifest.json": json.dumps(tree).encode()}
    with visiting(table) as visitor:
        visitor.arrive()
        assert "does not take photographs: it takes several frames at a time." in visitor.complaint


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_channels_are_made_as_everywhere(pristine: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    pixels[:16] = pixels[:16, :, :1]  # grey ones
    rgba = np.dstack([pixels, np.full((64, 64), 255, np.uint8)])
    text = base64.b64encode(rgba.tobytes()).decode()
    with visit(pristine) as visitor:
        visitor.arrive()
        for colour in ("rgb", "rgba", "grey", "y"):
            answer = visitor.browser.evaluate(
                f"""import('/web/colours.js').then(({{ inColour, lookAt }}) => {{
                    const {{ pixels, channels }} = inColour(Uint8Array.fromBase64('{text}'), '{colour}');
                    const values = Float32Array.from(pixels, (pixel) => pixel / 255);
                    const seen = new Uint8Array(64 * 64 * 4);
                    lookAt(values, 0, channels, '{colour}', seen, 0, 64 * 64);
                    return [pixels.toBase64(), seen.toBase64()];
                }})"""
            )
            given, seen = (np.frombuffer(base64.b64decode(part), np.uint8).reshape(64, 64, -1) for part in answer)
            wanted = in_colour(pixels.astype(np.float32) / 255, colour)
            shown = to_uint8(to_look_at(wanted, colour))
            # Sums of products may be rounded in another order there: a code at most, and of few pixels.
            for made, right in ((given, to_uint8(wanted)), (seen[..., :3], shown)):
                assert np.abs(made.astype(int) - right).max() <= 1 and (made != right).mean() < 0.01, colour


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_the_command_serves_until_it_is_interrupted(pristine: Path) -> None:
    words = [sys.executable, "-m", "exporter", "serve", str(pristine), "--no-browser"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None and serving.stderr is not None
        line = serving.stdout.readline()
        address = line.split(" at ")[1].split(",")[0]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address) as page:
            assert b"page.js" in page.read()
        taken = address.split(":")[2].split("/")[0]
        assert main(["serve", str(pristine), "--no-browser", "--port", taken]) == 2
        serving.send_signal(signal.SIGINT)
        assert serving.wait(timeout=20) == 0 and serving.stderr.read() == ""


def test_what_cannot_be_served_is_a_sentence(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(tmp_path / "nowhere"), "--no-browser"]) == 2
    assert "is not a folder" in capfd.readouterr().err
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path / "engines"))
    monkeypatch.setattr("exporter.engines.npm._npm", lambda *_: ["false"])
    assert main(["serve", str(bundle), "--no-browser"]) == 3
    assert "the page's engine is not here, and could not be fetched: npm cannot get" in capfd.readouterr().err
    (bundle / "README.md").write_text("changed")
    assert main(["serve", str(bundle), "--no-browser"]) == 2
    assert "README.md was changed" in capfd.readouterr().err
