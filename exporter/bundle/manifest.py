"""manifest.json: what is in the bundle, for machines. A bundle that does not fit these types is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from exporter.artifact import (
    CHANNELS,
    COLOUR_IN_WORDS,
    Artifact,
    Colour,
    Format,
    Layout,
    Precision,
    Signature,
    TensorSpec,
)
from exporter.bundle.documents import read_document
from exporter.errors import RecipeError
from exporter.figures import size_word
from exporter.tiling import grid
from exporter.tiling.processing import Processing

MANIFEST_SCHEMA_VERSION = 1  # raised when a reader of the former version could misread the new one
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModelFile = Annotated[str, Field(pattern=r"^models/[^/\\\p{C}]+$")]
Px = Annotated[int, Field(ge=1, le=1 << 20)]
CODES = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767)}  # dtype -> smallest and largest code
FLOATS = ("float32", "float16")
ENDINGS = {
    Format.TFLITE: ".tflite",
    Format.ONNX: ".onnx",
    Format.TORCH: ".safetensors",
    Format.TENSORRT: ".engine",
    Format.NPU: ".tflite",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Tensor(_Part):
    """A tensor as the file names and stores it; a real value is (stored - zero_point) * scale."""

    name: str
    shape: tuple[int, ...]
    layout: Layout
    """NHWC or NCHW."""
    dtype: str
    range: tuple[float, float]
    """Of the real values: black and white."""
    scale: float | None
    zero_point: int | None
    colour: Colour = Field(default="rgb", exclude_if=lambda colour: colour == "rgb")
    frames: int = Field(default=1, ge=1, exclude_if=lambda frames: frames == 1)
    """Pictures one behind the other in the channels; absent: 1."""
    clip: int = Field(default=1, ge=1, le=64, exclude_if=lambda clip: clip == 1)
    """Calls of the model in one golden vector; absent: 1."""

    @model_validator(mode="after")
    def _is_a_picture(self) -> Self:
        channels = self.shape[{"NHWC": 3, "NCHW": 1}[self.layout]] if len(self.shape) == 4 else 0
        if channels != CHANNELS[self.colour] * self.frames or self.shape[0] != 1 or min(self.shape) < 1:
            what = COLOUR_IN_WORDS[self.colour].partition(" (")[0]
            pictures = "picture" if self.frames == 1 else f"picture of {self.frames} frames"
            raise ValueError(f"{list(self.shape)} {self.layout} is no batch of one {what} {pictures}")
        if self.range[0] >= self.range[1]:
            raise ValueError(f"the range {list(self.range)} is empty")
        if (self.scale is None) != (self.zero_point is None):
            raise ValueError("scale and zero_point go together")
        if self.scale is None or self.zero_point is None:
            if self.dtype not in FLOATS:
                raise ValueError(f"a tensor of {self.dtype} needs a scale")
            return self
        low, high = CODES.get(self.dtype, (0, -1))
        if self.scale <= 0 or not low <= self.zero_point <= high:
            raise ValueError(f"scale {self.scale:g} and zero point {self.zero_point} are no code of {self.dtype}")
        return self

    @property
    def spec(self) -> TensorSpec:
        code = (self.dtype, self.range, self.scale, self.zero_point)
        return TensorSpec(self.shape, self.layout, *code, self.colour, self.frames, self.clip)


class State(_Part):
    """An input that is fed, at the next frame, what the output `next` of this one gave, bytes as they are.

    `next` may also be the picture's own input or output. Before the first frame and after every cut it is `fresh`, in
    real values; stored, where there is a scale, as the zero point. Numbers as in Tensor.
    """

    name: str
    next: str
    shape: tuple[int, ...] = Field(min_length=1, max_length=6)
    dtype: str
    scale: float | None
    zero_point: int | None
    fresh: Literal[0]


class Judged(_Part):
    """A target that was measured with this file. Figures that differ from run to run are in report/ only."""

    name: str
    runtime: str
    worst_parity_db: float | None
    """With the float model, on the worst image; null: not measured, as below."""
    psnr_db: float | None
    """Mean, against the sharp truth."""
    ssim: float | None
    gain_db: float | None
    """Mean over what goes in."""
    seam_psnr_db: float | None
    """Its tiles, put together, against its own tile with their seams in the middle."""
    also_on: dict[str, float | None]
    """Further engine → worst parity there, dB; only those that ran."""

    @property
    def is_measured(self) -> bool:
        """Whether its runtime ran the file; when it was not here or was lost, nothing of it is known."""
        return any(figure is not None for figure in (self.worst_parity_db, self.psnr_db, self.ssim, self.gain_db))


class Tiling(_Part):
    """How to run pictures of any size; exporter/tiling/tiles.py says it in code. All lengths in px.

    Tiles start every `tile_px - 2 * halo_px`, rounded down to `multiple_px`; the last ends at the picture's edge, the
    picture's size rounded up to `multiple_px`. What lies beyond the picture is `beyond_picture`. Neighbours meet in
    the middle of their overlap and fade into each other over `blend_px` around it.
    """

    tile_px: tuple[Px, Px]
    """Height, width: the input of every model."""
    multiple_px: Px
    """Of which a re-exported model's height and width must be multiples, too."""
    halo_px: int = Field(ge=0)
    blend_px: int = Field(ge=0)
    """0: a hard edge."""
    beyond_picture: Literal["mirrored"]
    theoretical_halo_px: int | None = Field(ge=0)
    """The receptive field's; tiles with it are exact."""
    unbounded_because: str | None
    psnr_db: float | None
    """Tiles against the whole picture, float network, worst image; null: not measured."""
    max_abs: float | None = Field(ge=0)
    """The same, full scale 1.0."""

    @model_validator(mode="after")
    def _covers_any_picture(self) -> Self:
        try:
            self.grid().check()
        except RecipeError as error:
            raise ValueError(str(error).splitlines()[0]) from None
        return self

    def grid(self) -> grid.Tiling:
        """The same as code uses it."""
        return grid.Tiling(*self.tile_px, self.halo_px, self.multiple_px, self.blend_px)


class Sized(_Part):
    """One size of a file that holds several: its signature, the ends it has there, and how tiles of it lie."""

    name: str = Field(pattern=r"^[1-9][0-9]*x[1-9][0-9]*$")
    """Height x width, the signature's name in the file."""
    input: Tensor
    output: Tensor
    tiling: Tiling
    worst_parity_db: float | None
    """With the float model at that size, on the runtime of the file's first target."""

    @model_validator(mode="after")
    def _is_as_named(self) -> Self:
        spec = self.input.spec
        if self.name != size_word((spec.height, spec.width)) or self.tiling.tile_px != (spec.height, spec.width):
            raise ValueError(f"the signature {self.name} takes {spec.height}×{spec.width} px")
        return self


class Model(_Part):
    """One model file."""

    file: ModelFile
    sha256: Sha256
    size_bytes: int = Field(gt=0)
    source_sha256: Sha256
    """Of the pipeline's file, before metadata was written into it."""
    format: Format
    precision: Precision
    input: Tensor
    output: Tensor
    states: tuple[State, ...] = Field(default=(), max_length=64, exclude_if=lambda states: not states)
    signatures: tuple[Sized, ...] = Field(default=(), max_length=64, exclude_if=lambda sized: not sized)
    """Of a .tflite of several sizes, the first, whose ends stand above, and all others."""
    ops: dict[str, int] | None
    """Operator kind -> count; null when the file was not looked into."""
    history: tuple[str, ...] = Field(min_length=1)
    """Every step that led to the file, with its options."""
    targets: tuple[Judged, ...] = Field(min_length=1)
    """What was measured with it."""

    @model_validator(mode="after")
    def _format_is_the_ending(self) -> Self:
        if not self.file.endswith(ENDINGS.get(self.format, "/")):
            raise ValueError(f"{self.file} does not end like a file of the format {self.format}")
        return self

    @model_validator(mode="after")
    def _first_size_is_its_own(self) -> Self:
        names = [sized.name for sized in self.signatures]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.file} has two signatures of one name")
        if self.signatures and (self.signatures[0].input, self.signatures[0].output) != (self.input, self.output):
            raise ValueError(f"the first signature of {self.file} is not its input and output")
        return self

    def ends(self, signature: str = "") -> tuple[Tensor, Tensor]:
        """Input and output at its first size, or at that of `signature`. Raises KeyError for one that it has not."""
        if not signature:
            return self.input, self.output
        sized = {one.name: one for one in self.signatures}[signature]
        return sized.input, sized.output

    @property
    def next_of(self) -> dict[str, str]:
        """The name of each state to that of what it is fed next."""
        return {state.name: state.next for state in self.states}

    @property
    def scale(self) -> int:
        """How much larger the picture that comes out is; 0 when its sides do not agree on a whole number."""
        given, made = self.input.spec, self.output.spec
        scale, rest = divmod(made.height, given.height)
        return 0 if rest or made.width != scale * given.width else scale

    def artifact(self, bundle: Path) -> Artifact:
        """The file as runtimes take it."""
        path = bundle / self.file
        ends = self.input.spec, self.output.spec
        signatures = tuple(Signature(one.name, one.input.spec, one.output.spec) for one in self.signatures)
        return Artifact(self.format, path, *ends, self.sha256, self.precision, self.history, signatures=signatures)


class Manifest(_Part):
    """What is in the bundle."""

    schema_version: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str
    licence: str
    models: tuple[Model, ...] = Field(min_length=1)
    """One for each file of models/."""
    tiling: Tiling
    processing: Processing
    golden: Literal["golden/golden.json"]
    tools: dict[str, str]
    """Package → version, of all that made the bundle."""
    provenance: dict[str, Any]
    """Where weights and image sets come from, their licences and digests."""
    recipe: dict[str, Any]
    """As it ran: `extends`, overrides and defaults written out."""
    reproducible: tuple[str, ...]
    """These come out with the same bytes from the same recipe, data and tools."""
    not_reproducible: dict[str, str]
    """Path -> why."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        files = [model.file for model in self.models]
        targets = [target.name for model in self.models for target in model.targets]
        for what, names in (("the model file", files), ("the target", targets)):
            if twice := [name for i, name in enumerate(names) if name in names[:i]]:
                raise ValueError(f"{what} {twice[0]} is listed twice")
        return self

    @property
    def judged(self) -> dict[str, tuple[Model, Judged]]:
        """Target -> its file and what was measured of it."""
        return {target.name: (model, target) for model in self.models for target in model.targets}


def read_manifest(bundle: Path) -> Manifest:
    """Raises BundleError when manifest.json is missing, not JSON, of another schema version, or does not fit."""
    return read_document(bundle, "manifest.json", Manifest, MANIFEST_SCHEMA_VERSION)
