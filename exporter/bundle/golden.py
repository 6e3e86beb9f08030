"""Golden vectors: what every shipped model gives for known pictures, in files any language can read.

`.npy` version 1.0, C order, little endian: a 10-byte preamble, a text header, then the raw tensor. For an INT8
file the tensors are its raw int8 tensors, for a float file float32, both with the batch axis, exactly as fed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.artifact import Precision, TensorSpec
from exporter.bundle.models import ShippedModel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GOLDEN_SCHEMA_VERSION = 1
LSB = 1 / 255  # one step of an 8-bit picture


@dataclass(frozen=True, slots=True)
class Golden:
    """One vector. `input`: uint8 (H, W, 3) RGB. `expected`: target name → what that target's session gave
    for `input / 255`, float32 (H, W, 3) in 0..1. `signature`: of files of several sizes, where it is not the first."""

    name: str
    input: NDArray[np.uint8]
    expected: Mapping[str, NDArray[np.float32]]
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far an engine may be from the stored output; real values, full scale 1.0, cut to 0..1 as they are shown."""

    max_abs: float
    min_psnr_db: float

    def to_json(self) -> dict[str, float]:
        return {"max_abs": self.max_abs, "min_psnr_db": self.min_psnr_db}


# By precision: (the engine that made the vector, any other engine). INT8 kernels round differently from
# engine to engine, a few steps after tens of layers; fp16 may really be computed in 16 bits elsewhere.
_TOLERANCES: dict[Precision, tuple[Tolerance, Tolerance]] = {
    "fp32": (Tolerance(1e-4, 80.0), Tolerance(1e-3, 70.0)),
    "fp16": (Tolerance(1e-3, 70.0), Tolerance(2e-2, 50.0)),
    "int8": (Tolerance(3 * LSB, 48.0), Tolerance(10 * LSB, 40.0)),
    "int16x8": (Tolerance(LSB / 4, 70.0), Tolerance(2 * LSB, 55.0)),
}


def tolerances(precision: Precision, made_by: str, runtimes: Iterable[str]) -> dict[str, Tolerance]:
    """Runtime name → tolerance, with "other" for engines not known here, such as a GPU delegate."""
    same, other = _TOLERANCES[precision]
    return {name: same if name == made_by else other for name in sorted(set(runtimes))} | {"other": other}


def write_golden(golden: Sequence[Golden], models: Sequence[ShippedModel], folder: Path) -> None:
    """Write golden/golden.json and its .npy files; paths in it are relative to the bundle."""
    vectors = [_vector(i, one, models, folder) for i, one in enumerate(golden)]
    document = {"schema_version": GOLDEN_SCHEMA_VERSION, "vectors": vectors}
    path = folder / "golden" / "golden.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8", newline="\n")


def _vector(index: int, one: Golden, models: Sequence[ShippedModel], folder: Path) -> dict[str, Any]:
    import numpy as np

    clip = models[0].artifact.input.clip
    real = one.input.astype(np.float32) / 255
    name = f"golden/{index}_{_file_name(one.name)}"  # numbered: two names may clean up to one
    entries = []
    for model in models:
        # All targets of one file share its vector; the first that was run stands for it.
        made_by = next((t for t in model.targets if t.name in one.expected), None)
        if made_by is None:
            continue
        artifact = model.artifact.named(one.signature)
        fed = stored(real, artifact.input)
        given = stored(np.asarray(one.expected[made_by.name], np.float32), artifact.output)
        runtimes = [t.runtime for t in model.targets]
        allowed = tolerances(model.artifact.precision, made_by.runtime, runtimes)
        entries.append(
            {
                "model": model.file,
                **({"signature": one.signature} if one.signature else {}),
                "input": _save(fed, f"{name}.{_kind(artifact.input)}.input.npy", folder),
                "output": _save(given, f"{name}.{model.stem}.output.npy", folder),
                "made_by": made_by.runtime,
                "tolerances": {runtime: allowed[runtime].to_json() for runtime in allowed},
            }
        )
    pixels = _save(one_by_one(np.asarray(one.input, np.uint8), clip), f"{name}.pixels.npy", folder)
    return {"name": one.name, "pixels": pixels, "models": entries}


def stored(real: NDArray[np.float32], spec: TensorSpec) -> NDArray[Any]:
    """An image (H, W, 3) of real values as the tensor `spec` holds it, batch axis included.

    Of a clip all its frames, in the order they are fed, along that axis.
    """
    import numpy as np

    images = one_by_one(real, spec.clip) if spec.clip > 1 else real[None]
    images = images.transpose(0, 3, 1, 2) if spec.layout == "NCHW" else images
    dtype = np.dtype(spec.dtype)
    if spec.scale is None:
        return np.ascontiguousarray(images, dtype)
    limits = np.iinfo(dtype)
    steps = np.rint(images / np.float32(spec.scale)) + (spec.zero_point or 0)
    return np.ascontiguousarray(np.clip(steps, limits.min, limits.max).astype(dtype))


def real(tensor: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """The reverse of `stored`: a tensor with batch axis as an image (H, W, 3) of real values."""
    import numpy as np

    tensor = tensor.transpose(0, 2, 3, 1) if spec.layout == "NCHW" else tensor
    image = behind_each_other(tensor)
    if spec.scale is None:
        return np.ascontiguousarray(image, np.float32)
    return np.ascontiguousarray((image.astype(np.float32) - (spec.zero_point or 0)) * np.float32(spec.scale))


def one_by_one(clip: NDArray[Any], frames: int) -> NDArray[Any]:
    """(H, W, T·C) as (T, H, W, C); a picture alone, whose T is 1, as it is."""
    import numpy as np

    if frames == 1:
        return clip
    return np.ascontiguousarray(np.stack(np.split(clip, frames, axis=2)))


def behind_each_other(frames: NDArray[Any]) -> NDArray[Any]:
    """(T, H, W, C) as (H, W, T·C); a picture alone (H, W, C) as it is."""
    import numpy as np

    return np.concatenate(list(frames), axis=2) if frames.ndim == 4 else frames


def _kind(spec: TensorSpec) -> str:
    """Names an input tensor by its contents, so that models with equal inputs share one file."""
    numbers = "" if spec.scale is None else f"_scale{spec.scale:.6g}_zero{spec.zero_point or 0}"
    return f"{spec.dtype}_{spec.layout.lower()}{numbers}"


def _save(tensor: NDArray[Any], file: str, folder: Path) -> str:
    import numpy as np

    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        np.save(out, np.ascontiguousarray(tensor), allow_pickle=False)  # version 1.0, the header being short
    return file


def _file_name(text: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in text) or "_"
