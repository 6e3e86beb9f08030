"""Videos through a model: the same frames and times, the size that the model gives, sound copied as it is.

The networks see one frame at a time, so frames need no overlap in time: a clip is worked off in chunks of a few frames,
which bounds memory however long it is, and shares each engine job among them.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from exporter.errors import DataError, MissingTool
from exporter.failures import pass_on
from exporter.files.atomic import write_atomically
from exporter.progress import Progress
from exporter.tiling.restore import Pixels
from exporter.tiling.restorer import Restores

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi"})
# What a file is, its content says, not its name: a playlist called .mp4 would have FFmpeg open whatever it lists.
_OPENED = {"format_whitelist": "mov,matroska,avi", "protocol_whitelist": "file"}
CHUNK_BYTES = 64 << 20  # decoded frames kept at a time
LARGEST_CHUNK = 8
_LIMITED_RANGE, _FULL_RANGE = 1, 2  # FFmpeg's numbers: luma 16..235, and 0..255
_OF_STREAMS = (errno.EIO, errno.EPERM, errno.ERANGE, errno.EDOM)  # what FFmpeg says of damaged ones, too
_CODECS = {".webm": "libvpx-vp9"}  # all others: H.264
_QUALITY = {"libx264": {"crf": "16", "preset": "fast"}, "libvpx-vp9": {"crf": "24", "b": "0"}}


@dataclass(frozen=True, slots=True)
class Restored:
    """What was written: frames, their size in px, and how long it took."""

    frames: int
    width: int
    height: int
    seconds: float

    @property
    def fps(self) -> float:
        """Frames restored per second, decoding and encoding included."""
        return self.frames / self.seconds if self.seconds else 0.0


def missing_video() -> str | None:
    """What to install before videos can be read and written; None when nothing."""
    from exporter.runtimes.installed import not_installed

    return not_installed("av", "pip install 'exporter[video]'")


def restore_video(source: Path, target: Path, restorer: Restores, progress: Progress) -> Restored:
    """Restore every frame of the first video stream in `source` and write `target`; its name appears when it is whole.

    Frames stand as their rotation says, which the new file therefore no longer holds; 8 bits per channel. Raises
    DataError for a file without readable video, MissingTool without PyAV or an encoder, EngineError.
    """
    if why := missing_video():
        raise MissingTool(why)
    import av

    with write_atomically(target) as new:
        try:
            with ExitStack() as stack:
                reading = stack.enter_context(_opened(source))
                writing = stack.enter_context(av.open(str(new), "w"))
                restored = _Clip(reading, writing, _CODECS.get(target.suffix, "libx264")).restore(restorer, progress)
        except av.error.FFmpegError as error:
            pass_on(error, source, but=_OF_STREAMS)
            raise DataError(f"{source} cannot be restored: {error}", hint="is it a whole video file?") from None
        if not restored.frames:
            raise DataError(f"{source} holds no frame that can be decoded")
    return restored


def _opened(source: Path) -> Any:
    import av

    if not source.is_file():
        raise DataError(f"{source} is not a readable video: it is no plain file")
    try:
        reading = av.open(f"file:{source}", options=_OPENED)  # so that no name is taken for a protocol
    except (OSError, ValueError) as error:  # FFmpeg's own errors are among them
        pass_on(error, source, but=_OF_STREAMS)
        raise DataError(f"{source} is not a readable video: {error}") from None
    if not reading.streams.video:
        reading.close()
        raise DataError(f"{source} holds no video")
    return reading


class _Clip:
    """A clip between its two containers: video decoded, restored, encoded; sound copied packet by packet."""

    def __init__(self, reading: Any, writing: Any, codec: str) -> None:
        self._reading, self._writing, self._codec = reading, writing, codec
        self._source = reading.streams.video[0]
        self._sounds = {s.index: writing.add_stream_from_template(s) for s in reading.streams.audio}
        self._target: Any = None
        self._waiting: list[Any] = []

    def restore(self, restorer: Restores, progress: Progress) -> Restored:
        started_s, frames, height, width = monotonic(), 0, 0, 0
        with progress.task("restore the video", self._total()) as task:
            for chunk in self._chunks():
                pictures = restorer.restore([upright(frame) for frame in chunk])
                for frame, picture in zip(chunk, pictures, strict=True):
                    self._write(frame, picture)
                frames += len(chunk)
                height, width = pictures[0].shape[:2]
                task.advance(len(chunk), f"{frames / (monotonic() - started_s):.1f} frames/s")
        if self._target is not None:
            self._writing.mux(self._target.encode(None))
        return Restored(frames, width, height, monotonic() - started_s)

    def _total(self) -> int:
        """Frames as the file says, or as its length suggests."""
        stream = self._source
        if stream.frames or not stream.duration:
            return int(stream.frames)
        return int(stream.duration * stream.time_base * (stream.average_rate or 0))

    def _chunks(self) -> Iterator[list[Any]]:
        """Frames of one size, a few at a time; sound met on the way goes straight to the new file."""
        chunk: list[Any] = []
        for packet in self._reading.demux(self._source, *self._reading.streams.audio):
            if packet.stream.index in self._sounds:
                self._copy(packet)
                continue
            for frame in packet.decode():
                is_full = len(chunk) >= min(LARGEST_CHUNK, max(1, CHUNK_BYTES // (frame.width * frame.height * 3)))
                if chunk and (is_full or (frame.width, frame.height) != (chunk[0].width, chunk[0].height)):
                    yield chunk
                    chunk = []
                chunk.append(frame)
        if chunk:
            yield chunk

    def _copy(self, packet: Any) -> None:
        if self._target is None:  # no packet may be written before all streams are known
            self._waiting.append(packet)
        elif packet.dts is not None:  # the last packet of a stream is empty
            packet.stream = self._sounds[packet.stream.index]
            self._writing.mux(packet)

    def _write(self, frame: Any, picture: Pixels) -> None:
        import av

        if self._target is None:
            self._open_target(frame, picture)
            for packet in self._waiting:
                self._copy(packet)
            self._waiting.clear()
        made = _converted(
            av.VideoFrame.from_ndarray(picture, format="rgb24"),
            format=self._target.pix_fmt,
            dst_colorspace=_known(self._source.codec_context.colorspace),
            dst_color_range=_LIMITED_RANGE,
        )
        made.pts, made.time_base = frame.pts, frame.time_base
        self._writing.mux(self._target.encode(made))

    def _open_target(self, frame: Any, picture: Pixels) -> None:
        import av

        rate = self._source.average_rate or Fraction(30)
        try:
            stream = self._writing.add_stream(self._codec, rate=rate, options=_QUALITY[self._codec])
        except (ValueError, av.error.FFmpegError):
            raise MissingTool(f"this PyAV has no {self._codec} encoder: pip install 'exporter[video]'") from None
        stream.height, stream.width = picture.shape[:2]
        # Half-resolution colour needs even sizes.
        stream.pix_fmt = "yuv444p" if stream.height % 2 or stream.width % 2 else "yuv420p"
        stream.codec_context.time_base = frame.time_base
        for tag in ("colorspace", "color_primaries", "color_trc"):
            setattr(stream.codec_context, tag, getattr(self._source.codec_context, tag))
        stream.codec_context.color_range = _LIMITED_RANGE
        self._target = stream


def upright(frame: Any) -> Pixels:
    """The frame as RGB (H, W, 3), turned as its display matrix says (counter-clockwise, quarter turns)."""
    space = _known(frame.colorspace)
    pixels = _converted(frame, format="rgb24", src_colorspace=space, dst_color_range=_FULL_RANGE).to_ndarray()
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))


def _converted(frame: Any, **wanted: Any) -> Any:
    """Rounded, with colour at full resolution: FFmpeg's default darkens every conversion by one level."""
    from av.video.reformatter import Interpolation

    exact = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
    return frame.reformat(**wanted, interpolation=Interpolation.BICUBIC | exact)


def _known(colorspace: int) -> int:
    """FFmpeg's number for a YCbCr matrix as its scaler takes it; a file that names none means BT.601 to it."""
    return colorspace if colorspace in (1, 4, 5, 6, 7, 9) else 5
