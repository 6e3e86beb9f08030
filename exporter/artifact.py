"""A model on disk: what every stage takes and gives."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import file_digest
from pathlib import Path
from typing import Any, Literal

Layout = Literal["NCHW", "NHWC"]
Precision = Literal["fp32", "fp16", "int8", "int16x8"]  # the last: activations int16, weights int8
INTEGERS = ("int8", "int16x8")  # precisions whose file is made from a float one with learned ranges
# What the channels of a picture are. grey: BT.601 luma of full range; y: the same in video range, 16 to 235 of 255, as
# super-resolution measures it; rggb: four sensor values of a 2×2 cell, so half as high and wide as the photograph.
Colour = Literal["rgb", "grey", "y", "rgba", "rggb"]
CHANNELS: dict[Colour, int] = {"rgb": 3, "grey": 1, "y": 1, "rgba": 4, "rggb": 4}

COLOUR_IN_WORDS: dict[Colour, str] = {
    "rgb": "RGB",
    "grey": "grey (BT.601 luma of full range)",
    "y": "Y (BT.601 luma of video range, 16 to 235)",
    "rgba": "RGBA",
    "rggb": "packed sensor values (red, green, green, blue of a 2×2 cell)",
}


class Format(StrEnum):
    CHECKPOINT = "checkpoint"  # a weights file as the user has it
    TORCH = "torch"  # safetensors that name their architecture; see generators/network_file.py
    ONNX = "onnx"
    TFLITE = "tflite"
    TENSORRT = "tensorrt"
    NPU = "npu"  # a .tflite that a vendor's compiler made for one chip; nothing else runs it


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """The contract of one tensor: a batch of one image, or of `frames` images one behind the other in its channels.

    A real value is `(stored - zero_point) * scale` when `scale` is given, else `stored` itself;
    real values lie in `range`.
    """

    shape: tuple[int, ...]
    layout: Layout
    dtype: str = "float32"
    range: tuple[float, float] = (0.0, 1.0)
    scale: float | None = None
    zero_point: int | None = None
    colour: Colour = "rgb"
    frames: int = 1
    clip: int = 1  # of a network with a state: how many frames it is shown, one call each, where one picture is judged

    @property
    def channels(self) -> int:
        return self.shape[1 if self.layout == "NCHW" else 3]

    @property
    def height(self) -> int:
        return self.shape[2 if self.layout == "NCHW" else 1]

    @property
    def width(self) -> int:
        return self.shape[3 if self.layout == "NCHW" else 2]

    @property
    def photograph_height(self) -> int:
        """Of what the picture shows, px: a cell of sensor values is two high."""
        return 2 * self.height if self.colour == "rggb" else self.height

    @classmethod
    def image(
        cls, height: int, width: int, layout: Layout = "NCHW", colour: Colour = "rgb", frames: int = 1, clip: int = 1
    ) -> TensorSpec:
        """A float32 image in 0..1."""
        channels = CHANNELS[colour] * frames
        shape = (1, channels, height, width) if layout == "NCHW" else (1, height, width, channels)
        return cls(shape, layout, colour=colour, frames=frames, clip=clip)

    def as_json(self) -> dict[str, Any]:
        """Its fields; of a plain RGB picture without what only others have."""
        plain = {"colour": "rgb", "frames": 1, "clip": 1}
        return {name: value for name, value in asdict(self).items() if name not in plain or plain[name] != value}

    def with_sides(self, height: int, width: int, layout: Layout = "NHWC") -> TensorSpec:
        """A float32 image of the same channels, that large, as files of phones hold it."""
        return TensorSpec.image(height, width, layout, self.colour, self.frames, self.clip)


def picture_layout(shape: tuple[int, ...]) -> Layout | None:
    """How one picture of so many pixels lies in a tensor of that shape; None for no picture."""
    if len(shape) != 4:
        return None
    for channels in (3, 1, 4):
        if channels in (shape[3], shape[1]):
            return "NHWC" if shape[3] == channels else "NCHW"
    if shape[3] % 3 == 0 and 0 < shape[3] < min(shape[1:3]):  # frames
        return "NHWC"
    return "NCHW" if shape[1] % 3 == 0 and 0 < shape[1] < min(shape[2:]) else None


def picture_of_shape(shape: tuple[int, ...], layout: Layout) -> tuple[Colour, int]:
    """What channels nobody described are taken for: (colour, frames)."""
    channels = shape[3 if layout == "NHWC" else 1]
    named: dict[int, Colour] = {1: "grey", 4: "rgba"}
    return (named[channels], 1) if channels in named else ("rgb", channels // 3)


@dataclass(frozen=True, slots=True)
class Signature:
    """One of several sizes in one file. `sha256`, `size_bytes`: of the file of that size alone, which it is made of."""

    name: str
    input: TensorSpec
    output: TensorSpec
    sha256: str = ""
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Artifact:
    """One immutable model file and how it came to be.

    Whatever its format, it maps one image in 0..1 to one image in 0..1; channels, layout and number
    format inside are what `input` and `output` say.
    """

    format: Format
    path: Path
    input: TensorSpec
    output: TensorSpec
    sha256: str
    precision: Precision = "fp32"
    history: tuple[str, ...] = ()  # one line per stage, oldest first
    # Network classes that the recipe or the command line calls its own, so that a network file may ask for them. Never
    # from a file: it is neither written nor read.
    user_classes: frozenset[str] = frozenset()
    signatures: tuple[Signature, ...] = ()  # of a file of several sizes, all of them; `input` is the first one's
    signature: str = ""  # which of them is meant; empty: the first

    def at(self, signature: Signature) -> Artifact:
        """The same file, at another of its sizes."""
        return replace(self, input=signature.input, output=signature.output, signature=signature.name, signatures=())

    def named(self, signature: str) -> Artifact:
        """The same by the signature's name; empty for the first. Raises ValueError for one that it has not."""
        found = [one for one in self.signatures if one.name == signature]
        if signature and not found:
            raise ValueError(f"{self.path.name} has no signature {signature}")
        return self.at(found[0]) if found else self

    def with_size(self, height: int, width: int) -> Artifact:
        """The network that a torch file holds, at another size."""
        given = self.input.with_sides(height, width, self.input.layout)
        made = self.output.with_sides(self.scale * height, self.scale * width, self.output.layout)
        return replace(self, input=given, output=made)

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    @property
    def scale(self) -> int:
        """By how much the tensor that comes out is larger than the one that goes in."""
        return self.output.height // self.input.height

    @property
    def enlarges(self) -> int:
        """The same of photographs, where a cell of sensor values stands for 2×2 px: what quality is measured by."""
        return self.output.photograph_height // self.input.photograph_height

    @classmethod
    def of_file(cls, path: Path, format: Format, *, like: Artifact, step: str, **changes: Any) -> Artifact:
        """The artifact a stage just wrote to `path`, derived from `like`; `changes` override its fields."""
        made = replace(like, format=format, path=path, sha256=sha256_of(path), history=(*like.history, step))
        return replace(made, **changes)

    def to_record(self) -> dict[str, Any]:
        """What the file is as JSON knows it, the path by its name alone: the file lies beside its record."""
        fields = asdict(self) | {"path": self.path.name}
        del fields["user_classes"], fields["signature"]
        if not self.signatures:
            del fields["signatures"]
        return dict(json.loads(json.dumps(fields)))

    @classmethod
    def from_record(cls, raw: dict[str, Any], folder: Path) -> Artifact:
        return cls(
            format=Format(raw["format"]),
            path=folder / raw["path"],
            input=_spec(raw["input"]),
            output=_spec(raw["output"]),
            sha256=raw["sha256"],
            precision=raw["precision"],
            history=tuple(raw["history"]),
            signatures=tuple(
                Signature(**(one | {"input": _spec(one["input"]), "output": _spec(one["output"])}))
                for one in raw.get("signatures", ())
            ),
        )


def _spec(raw: dict[str, Any]) -> TensorSpec:
    return TensorSpec(**(raw | {"shape": tuple(raw["shape"]), "range": tuple(raw["range"])}))


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
