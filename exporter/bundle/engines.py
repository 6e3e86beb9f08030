"""TensorRT engines in a bundle: what the runtime card says of them, and NVIDIA's own command that makes them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from exporter.artifact import Format
from exporter.bundle.manifest import Model
from exporter.nvidia.build import Profile, Size
from exporter.nvidia.library import TITLES
from exporter.nvidia.sidecar import Sidecar, read_sidecar


@dataclass(frozen=True, slots=True)
class EngineCard:
    file: str
    builder: str  # "TensorRT-RTX 1.7.1.116"
    target: str
    sizes: str
    takes_many_sizes: bool
    weights: str
    onnx: str | None  # the bundle's file it was built from
    trtexec: str | None


def engine_cards(models: Sequence[Model], folder: Path) -> tuple[EngineCard, ...]:
    """One for each engine whose files lie in `folder`."""
    sources = {model.source_sha256: model for model in models if model.format == Format.ONNX}
    cards = []
    for model in models:
        if model.format == Format.TENSORRT:
            sidecar = read_sidecar(folder / model.file)
            cards.append(_card(model, sidecar, sources.get(sidecar.onnx_sha256)))
    return tuple(cards)


def _card(model: Model, sidecar: Sidecar, source: Model | None) -> EngineCard:
    share = sidecar.weights_share
    return EngineCard(
        file=model.file,
        builder=f"{TITLES[sidecar.builder]} {sidecar.builder_version}",
        target="every GPU it supports" if sidecar.target == "any" else sidecar.target,
        sizes=_sizes(sidecar.profile) if sidecar.profile else _size((model.input.spec.height, model.input.spec.width)),
        takes_many_sizes=sidecar.profile is not None and sidecar.profile.smallest != sidecar.profile.largest,
        weights="unknown" if share is None else f"{share:.0%} of float32",
        onnx=source.file if source else None,
        trtexec=trtexec(source.file, sidecar) if source else None,
    )


def trtexec(onnx: str, sidecar: Sidecar) -> str:
    """The command line of NVIDIA's tool that builds and times the same engine from the bundle's ONNX file."""
    words = [f"--onnx={onnx}", "--stronglyTyped"]
    if sidecar.profile:
        end = sidecar.inputs[0]
        named = {"min": sidecar.profile.smallest, "opt": sidecar.profile.optimal, "max": sidecar.profile.largest}
        words += [f"--{word}Shapes={end.name}:1x{height}x{width}x3" for word, (height, width) in named.items()]
    stem = Path(onnx).name.removesuffix(".onnx")
    words += [f"--saveEngine={stem}.engine", "--warmUp=500", "--iterations=200", "--useCudaGraph"]
    return "trtexec " + " ".join(words)


def _sizes(profile: Profile) -> str:
    if profile.smallest == profile.largest:
        return _size(profile.smallest)
    return f"{_size(profile.smallest)} to {_size(profile.largest)}, fastest at {_size(profile.optimal)}"


def _size(size: Size) -> str:
    return f"{size[0]}×{size[1]}"
