"""`exporter run` on real videos, with sound and rotation; what it needs is the extra of that name."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from exporter.cli import main
from exporter.data.metrics import psnr_db
from exporter.progress import Silent
from exporter.tiling.grid import Tiling
from exporter.tiling.restorer import Restorer
from exporter.tiling.video import restore_video, upright
from tests.commands.test_run import expected, stop_at
from tests.commands.test_run import model as model
from tests.conftest import picture

pytestmark = pytest.mark.extra("video")
FRAMES = 11


def distance_db(one: np.ndarray, other: np.ndarray) -> float:
    return psnr_db(one / np.float32(255), other / np.float32(255))


def video_file(path: Path, height: int = 70, width: int = 98, sound: bool = True) -> Path:
    """A clip of a moving picture at 25 frames a second, with a tone."""
    import av

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
    import av

    with av.open(str(path)) as container:
        frames = [(f.to_ndarray(format="rgb24"), f.pts * f.time_base) for f in container.decode(video=0)]
    with av.open(str(path)) as container:
        packets = container.demux(audio=0) if container.streams.audio else ()
        sound = b"".join(bytes(packet) for packet in packets)
    return [image for image, _ in frames], [time for _, time in frames], sound


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
    import av

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
    import av

    with av.open(str(path)) as container:
        return [upright(frame) for frame in container.decode(video=0)]


def test_an_odd_frame_size(model, tmp_path):
    import av

    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        video = container.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 71, 53, "yuv444p"
        pixels = (picture(1, 53, 71) * 255).astype(np.uint8)
        container.mux([*video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")), *video.encode(None)])
    assert main(["run", "--model", str(model), str(tmp_path / "in.mkv"), str(tmp_path / "out.mp4")]) == 0
    assert decoded(tmp_path / "out.mp4")[0][0].shape == (53, 71, 3)


def test_a_file_that_only_ends_like_a_video(model, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"no video" * 40)
    assert main(["run", "--model", str(model), "a.mp4", "b.mp4"]) == 2
    assert "a.mp4 is not a readable video" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


PLAYLISTS = {
    "concat": "ffconcat version 1.0\nfile secret.mp4\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\nsecret.mp4\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "dash": '<?xml version="1.0"?><MPD type="static"><Period><AdaptationSet><Representation id="1"><BaseURL>secret.mp4'
    "</BaseURL></Representation></AdaptationSet></Period></MPD>",
}


@pytest.mark.parametrize("name", ["list.mp4", "list.mkv", "concat:secret.mp4"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_playlist_opens_no_other_file(model, tmp_path, monkeypatch, capfd, kind, name):
    monkeypatch.chdir(tmp_path)
    video_file(tmp_path / "secret.mp4", sound=False)
    Path(name).write_text(PLAYLISTS[kind])
    assert main(["run", "--model", str(model), name, "out.mp4"]) == 2
    assert f"{name} is not a readable video" in capfd.readouterr().err
    assert not Path("out.mp4").exists()


def test_ffmpeg_would_follow_a_playlist(tmp_path):
    """What the test above guards against is real: the same text, opened without a whitelist, shows the other file."""
    import av

    video_file(tmp_path / "secret.mp4", sound=False)
    (tmp_path / "list.mp4").write_text(PLAYLISTS["concat"])
    with av.open(str(tmp_path / "list.mp4")) as container:
        assert len(list(container.decode(video=0))) == FRAMES


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"])
def test_every_container_by_its_content(tmp_path, ending):
    import av

    source = tmp_path / f"a:b{ending}"
    with av.open(f"file:{source}", "w") as container:
        video = container.add_stream("libvpx-vp9" if ending == ".webm" else "libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray((picture(1, 48, 64) * 255).astype(np.uint8), format="rgb24")
        container.mux([*video.encode(frame), *video.encode(None)])
    same = Restorer(Same(), Tiling(64, 64, 8, 8))
    assert restore_video(source, tmp_path / f"out{ending}", same, Silent()).frames == 1


def test_an_interruption_leaves_nothing_that_looks_finished(model, tmp_path, monkeypatch, capfd):
    source = video_file(tmp_path / "a.mp4")
    stop_at(1, monkeypatch)
    assert main(["run", "--model", str(model), str(source), str(tmp_path / "out.mp4")]) == 130
    assert "nothing half-written was kept" in capfd.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
