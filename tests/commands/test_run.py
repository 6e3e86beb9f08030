"""`exporter run` on real files: photographs, folders, videos with sound and rotation, mistakes, an interruption."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from exporter.cli import main
from exporter.data.images import read_pixels
from exporter.data.metrics import psnr_db
from exporter.progress import Silent
from exporter.runtimes import runtime
from exporter.tiling import restorer
from exporter.tiling.grid import Tiling
from exporter.tiling.restore import restore
from exporter.tiling.restorer import Restorer
from exporter.tiling.video import restore_video, upright
from tests.conftest import picture
from tests.runtimes.tiny_models import HEIGHT, WIDTH, TinyFiles

FRAMES = 11


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models").onnx().path


def photo_file(path: Path, height: int, width: int, seed: int = 0, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((picture(seed, height, width) * 255).astype(np.uint8)).save(path, **options)
    return path


def expected(model: Path, pixels: np.ndarray) -> np.ndarray:
    from exporter.verify.model_file import artifact_of_file

    with runtime("onnxruntime_cpu").open(artifact_of_file(model), 1) as session:
        return restore([pixels], session.infer_all, Tiling(HEIGHT, WIDTH, 2))[0]


def video_file(path: Path, height: int = 70, width: int = 98, sound: bool = True) -> Path:
    """A clip of a moving picture at 25 frames a second, with a tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "4"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=44100) if sound else None
        still = (picture(2, height, width) * 255).astype(np.uint8)
        for number in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.roll(still, 2 * number, axis=1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            tone = np.sin(np.arange(16384, dtype=np.float32) / 16)[None]
            samples = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            samples.sample_rate = 44100
            container.mux([*audio.encode(samples), *audio.encode(None)])
    return path


def decoded(path: Path) -> tuple[list[np.ndarray], list[Fraction], bytes]:
    """Frames as RGB, their times, and the sound's packets."""
    with av.open(str(path)) as container:
        frames = [(f.to_ndarray(format="rgb24"), f.pts * f.time_base) for f in container.decode(video=0)]
    with av.open(str(path)) as container:
        packets = container.demux(audio=0) if container.streams.audio else ()
        sound = b"".join(bytes(packet) for packet in packets)
    return [image for image, _ in frames], [time for _, time in frames], sound


def distance_db(one: np.ndarray, other: np.ndarray) -> float:
    return psnr_db(one / np.float32(255), other / np.float32(255))


@pytest.mark.parametrize("size", [(101, 77), (20, 30)])
@pytest.mark.parametrize("words", [["--model", "{m}", "{i}", "{o}"], ["model={m}", "input={i}", "output={o}"]])
def test_a_photograph(model, tmp_path, size, words, capfd):
    source, target = photo_file(tmp_path / "in.png", *size), tmp_path / "out.png"
    assert main(["run", *(word.format(m=model, i=source, o=target) for word in words)]) == 0
    assert np.array_equal(read_pixels(target), expected(model, read_pixels(source)))
    assert f"1 pictures, {size[1]}×{size[0]} px" in capfd.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {"in.png", "out.png"}


def test_a_folder_keeps_names_profiles_and_upright_pictures(model, tmp_path, capfd):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a title"  # turn a quarter, clockwise; description
    photo_file(tmp_path / "in" / "a.png", 40, 50)
    photo_file(tmp_path / "in" / "deep" / "b.jpg", 33, 64, 1, exif=exif, icc_profile=b"colours", quality=95)
    assert main(["run", "--model", str(model), str(tmp_path / "in"), str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["pictures"] == 2
    assert read_pixels(tmp_path / "out" / "a.png").shape == (40, 50, 3)
    with Image.open(tmp_path / "out" / "deep" / "b.jpg") as made:
        assert made.size == (33, 64)
        assert made.info["icc_profile"] == b"colours"
        assert dict(made.getexif()) == {0x010E: "a title"}


def test_a_video_keeps_size_times_and_sound(model, tmp_path, capfd):
    source, target = video_file(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    assert main(["run", "--model", str(model), str(source), str(target)]) == 0
    assert "frames/s" in capfd.readouterr().out
    before, after = decoded(source), decoded(target)
    assert after[1] == before[1]
    assert after[2] == before[2] != b""
    assert len(after[0]) == FRAMES
    for image, restored in zip(before[0], after[0], strict=True):
        assert restored.shape == image.shape
        assert distance_db(restored, expected(model, image)) > 28, "H.264 and colour at half resolution take a little"
        assert distance_db(image, expected(model, image)) < 20


def test_a_rotated_video_stands_upright(model, tmp_path):
    source, target = video_file(tmp_path / "in.mp4", sound=False), tmp_path / "out.mp4"
    content = bytearray(source.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 40
    quarter = [0, 1 << 16, 0, -1 << 16, 0, 0, 70 << 16, 0, 1 << 30]  # as a phone held upright writes it
    content[matrix : matrix + 36] = b"".join(number.to_bytes(4, "big", signed=True) for number in quarter)
    lying = decoded(source)[0]
    source.write_bytes(content)
    assert main(["run", "--model", str(model), str(source), str(target)]) == 0
    upright = decoded(target)[0]
    assert upright[0].shape == (98, 70, 3)
    wanted = expected(model, np.ascontiguousarray(np.rot90(lying[0], -1)))
    assert distance_db(upright[0], wanted) > 28
    assert distance_db(upright[0], np.rot90(wanted, 2)) < 20, "the other way round is upside down"


@pytest.mark.parametrize(("space", "range_"), [(2, 0), (1, 1), (5, 2)], ids=["untagged", "bt709", "full range"])
def test_colours_stay(tmp_path, space, range_):
    pixels = cv2.GaussianBlur((picture(6, 96, 128) * 255).astype(np.uint8), (0, 0), 4)
    with av.open(str(tmp_path / "in.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "4"})
        video.width, video.height, video.pix_fmt = 128, 96, "yuv420p"
        video.codec_context.colorspace, video.codec_context.color_range = space, range_
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        container.mux([*video.encode(frame), *video.encode(None)])
    same = Restorer(Same(), Tiling(64, 64, 8, 8))
    assert restore_video(tmp_path / "in.mp4", tmp_path / "out.mp4", same, Silent()).frames == 1
    (before,), (after,) = (upright_frames(tmp_path / name) for name in ("in.mp4", "out.mp4"))
    assert distance_db(before, after) > 38
    assert np.abs(after.mean((0, 1)) - before.mean((0, 1))).max() < 0.5, "not darker, not redder"


class Same:
    """A session that changes nothing."""

    def infer_all(self, tiles):
        return list(tiles)


def upright_frames(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [upright(frame) for frame in container.decode(video=0)]


def test_an_odd_frame_size(model, tmp_path):
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 71, 53, "yuv444p"
        pixels = (picture(1, 53, 71) * 255).astype(np.uint8)
        container.mux([*video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")), *video.encode(None)])
    assert main(["run", "--model", str(model), str(tmp_path / "in.mkv"), str(tmp_path / "out.mp4")]) == 0
    assert decoded(tmp_path / "out.mp4")[0][0].shape == (53, 71, 3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["a.png", "b.png"], "no model was named"),
        (["--model", "{m}", "a.png"], "no output was named"),
        (["--model", "{m}", "a.png", "b.png", "c.png"], "'c.png' is one file too many"),
        (["--model", "{m}", "gone.png", "b.png"], "gone.png: there is no such file"),
        (["--model", "{m}", "a.png", "a.png"], "a.png is the input, too"),
        (["--model", "{m}", "a.png", "b.txt"], "b.txt does not end like a picture"),
        (["--model", "{m}", "a.mp4", "b.png"], "b.png does not end like a video"),
        (["--model", "{m}", "a.mp4", "b.mp4"], "a.mp4 is not a readable video"),
        (["--model", "{m}", "empty", "out"], "empty holds no pictures"),
        (["--model", "{m}", "a.png", "b.png", "--halo", "16"], "a halo of 16 px leaves nothing"),
        (["--model", "{m}", "a.png", "b.png", "--runtime", "litert_cpu"], "litert_cpu runs tflite"),
        (["--model", "{m}", "a.png", "b.png", "--denoise", "99"], "denoise"),
    ],
)
def test_mistakes_are_said_in_one_sentence(model, tmp_path, monkeypatch, capfd, words, says):
    monkeypatch.chdir(tmp_path)
    photo_file(tmp_path / "a.png", 64, 64)
    (tmp_path / "a.mp4").write_bytes(b"no video" * 40)
    (tmp_path / "empty").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    assert main(["run", *(word.format(m=model) for word in words)]) == 2
    assert says in capfd.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["a.png", "a.mp4"])
def test_an_interruption_leaves_nothing_that_looks_finished(model, tmp_path, monkeypatch, capfd, name):
    source = video_file(tmp_path / name) if name.endswith("mp4") else photo_file(tmp_path / name, 64, 64)
    calls = iter(range(99))

    def stopped(*arguments):
        if next(calls) == (1 if name.endswith("mp4") else 0):
            raise KeyboardInterrupt
        return restore(*arguments)

    monkeypatch.setattr(restorer, "restore", stopped)
    assert main(["run", "--model", str(model), str(source), str(tmp_path / f"out{source.suffix}")]) == 130
    assert "nothing half-written was kept" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]
