"""Golden vectors as they lie in a bundle: read, and compared with what the manifest says of the models."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from exporter.artifact import Format
from exporter.bundle.documents import read_document
from exporter.bundle.golden import GOLDEN_SCHEMA_VERSION, Tolerance, behind_each_other, stored, tolerances
from exporter.bundle.manifest import Manifest, Model, Tensor
from exporter.errors import BundleError
from exporter.files.contained import contained
from exporter.files.npy_file import read_npy

if TYPE_CHECKING:
    from numpy.typing import NDArray

GOLDEN = "golden/golden.json"
NO_VECTOR = "no golden vector, its runtime was not measured when this was exported"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Tolerance(_Part):
    """How far an engine's output may be from the stored one."""

    max_abs: float = Field(ge=0)
    """Largest difference of a real value, full scale 1.0, cut to 0..1 as it is shown."""
    min_psnr_db: float
    """Least PSNR of the picture, cut likewise."""

    @property
    def value(self) -> Tolerance:
        return Tolerance(self.max_abs, self.min_psnr_db)


class Expected(_Part):
    """What one model gave for one picture: raw tensors, and how far an engine may be from them."""

    model: str
    """The file in the bundle that it is of."""
    signature: str = ""
    """Of a model of several sizes, where it is not the first."""
    input: str
    """.npy with what is fed to the model: its own dtype and layout."""
    output: str
    """.npy with what it gave."""
    made_by: str
    """The runtime that gave it."""
    tolerances: dict[str, _Tolerance]
    """Runtime → how far its output may be from this one; `other` is for all that are not named."""

    def tolerance(self, runtime: str) -> Tolerance:
        """How far `runtime` may be; an engine without a word of its own is one of the others."""
        return (self.tolerances.get(runtime) or self.tolerances["other"]).value  # both there: `golden_problems`


class Vector(_Part):
    """One picture, and what every model gave for it."""

    name: str
    pixels: str
    """.npy with the picture, uint8, height × width × channels; of a clip its frames one after the other."""
    models: tuple[Expected, ...]
    """What each model gave for it, without those that no runtime ran when this was exported."""


class GoldenFile(_Part):
    schema_version: Literal[1]
    vectors: tuple[Vector, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _vectors_differ(self) -> Self:
        """One picture twice would count as two."""
        for what in ("name", "pixels"):
            values = [getattr(vector, what) for vector in self.vectors]
            if len(set(values)) < len(values):
                raise ValueError(f"two vectors have the same {what}")
        return self

    def files(self, models: Collection[str] | None = None) -> Iterator[str]:
        """Every file that it names, or those of some models, and of all pictures."""
        for vector in self.vectors:
            yield vector.pixels
            for expected in vector.models:
                if models is None or expected.model in models:
                    yield from (expected.input, expected.output)

    def of(self, model: Model, manifest: Manifest, signature: str = "") -> list[tuple[Vector, Expected]]:
        """The vectors of `model`, at its first size or at that of `signature`; an engine built where nothing could run
        it is held to those of its ONNX file."""
        own = self._of_file(model.file, signature)
        if own or model.format not in (Format.TENSORRT, Format.NPU):
            return own
        sources = [m.file for m in manifest.models if m.history == model.history[:-1]]
        return [pair for file in sources for pair in self._of_file(file, signature)]

    def _of_file(self, file: str, signature: str) -> list[tuple[Vector, Expected]]:
        pairs = ((vector, expected) for vector in self.vectors for expected in vector.models)
        return [(v, expected) for v, expected in pairs if (expected.model, expected.signature) == (file, signature)]


def read_golden(bundle: Path) -> GoldenFile:
    """Raises BundleError when golden.json is missing, not JSON, of another schema version, does not fit, or names a
    file that is not there or not of the bundle."""
    golden = read_document(bundle, GOLDEN, GoldenFile, GOLDEN_SCHEMA_VERSION)
    for file in golden.files():
        contained(bundle, file, named_in="golden.json", error=BundleError)
    return golden


def golden_problems(golden: GoldenFile, manifest: Manifest, bundle: Path) -> Iterator[str]:
    """What of the golden vectors does not fit the models they are for."""
    models = {model.file: model for model in manifest.models}
    for model in manifest.models:
        if any(target.is_measured for target in model.targets) and not golden.of(model, manifest):
            yield f"{GOLDEN} holds no vector for {model.file}"
        for sized in model.signatures[1:]:
            if sized.worst_parity_db is not None and not golden.of(model, manifest, sized.name):
                yield f"{GOLDEN} holds no vector for {model.file} at {sized.name}"
    of_first = [vector for vector in golden.vectors if not any(expected.signature for expected in vector.models)]
    if len({frozenset(expected.model for expected in vector.models) for vector in of_first}) > 1:
        yield f"{GOLDEN}: its vectors are not all for the same models"
    for vector in golden.vectors:
        files = [expected.model for expected in vector.models]
        for expected in vector.models:
            where = f"the golden vector {vector.name!r} of {expected.model}"
            if expected.model not in models:
                yield f"{where}: manifest.json lists no such model"
            elif files.count(expected.model) > 1:
                yield f"{where} is there more than once"
            elif expected.signature not in ("", *(sized.name for sized in models[expected.model].signatures[1:])):
                yield f"{where}: it has no signature {expected.signature} behind its first"
            else:
                model = models[expected.model]
                yield from (f"{where}: {problem}" for problem in _tolerance_problems(expected, model))
                yield from (f"{where}: {problem}" for problem in _array_problems(vector, expected, model, bundle))


def _tolerance_problems(expected: Expected, model: Model) -> Iterator[str]:
    """Tolerances must be no wider than what is written for such a file: a wide one lets every picture pass."""
    runtimes = {target.runtime for target in model.targets}
    if expected.made_by not in runtimes:
        yield f"it was made by {expected.made_by}, on which no target of the file was measured"
        return
    widest = tolerances(model.precision, expected.made_by, runtimes)
    if absent := sorted(widest.keys() - expected.tolerances.keys()):
        yield f"it states no tolerance for {'other engines' if absent == ['other'] else absent[0]}"
    for name, said in expected.tolerances.items():
        allowed = widest.get(name, widest["other"])
        if said.max_abs > allowed.max_abs or said.min_psnr_db < allowed.min_psnr_db:
            yield (
                f"the tolerance for {name}, {said.min_psnr_db:g} dB and {said.max_abs:.2g}, is wider than "
                f"{allowed.min_psnr_db:g} dB and {allowed.max_abs:.2g}, the widest for {model.precision}"
            )


def _array_problems(vector: Vector, expected: Expected, model: Model, bundle: Path) -> Iterator[str]:
    import numpy as np

    try:
        pixels, fed, given = (load_array(bundle, f) for f in (vector.pixels, expected.input, expected.output))
    except BundleError as error:
        yield str(error)
        return
    ends = model.ends(expected.signature)
    source = ends[0].spec
    clip = (source.clip,) if source.clip > 1 else ()
    shape = (*clip, source.height, source.width, source.channels)
    if pixels.dtype != np.uint8 or pixels.shape != shape or not pixels.flags.c_contiguous:
        yield f"its pixels are {_kind(pixels)}, not uint8 {list(shape)}"
        return
    for role, array, said in (("input", fed, ends[0]), ("output", given, ends[1])):
        shape = (said.clip, *said.shape[1:])
        if (array.dtype.name, array.shape) != (said.dtype, shape):
            yield f"its {role} is {_kind(array)}, the model's is {said.dtype} {list(shape)}"
        elif not (array.flags.c_contiguous and array.dtype == np.dtype(said.dtype).newbyteorder("<")):
            yield f"its {role} does not lie in little-endian C order, as readers without a library take it"
        elif not np.isfinite(array).all():
            yield f"its {role} holds NaN or infinity"
        elif role == "input" and not np.array_equal(array, _as_fed(pixels, said)):
            yield "its input is not the tensor of its pixels"


def _as_fed(pixels: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    return stored(behind_each_other(pixels).astype("float32") / 255, tensor.spec)


def load_array(bundle: Path, file: str) -> NDArray[Any]:
    """A golden array. Raises BundleError when it is missing, damaged, or not of numbers."""
    path = contained(bundle, file, named_in=GOLDEN, error=BundleError)
    try:
        return read_npy(path)
    except ValueError as error:
        raise BundleError(f"{file} is not a usable .npy file: {error}") from None


def _kind(array: NDArray[Any]) -> str:
    return f"{array.dtype.name} {list(array.shape)}"
