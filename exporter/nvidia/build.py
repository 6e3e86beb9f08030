"""ONNX → plan: a serialized engine, built by TensorRT or TensorRT-RTX."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from exporter.errors import StageError
from exporter.nvidia.cache import read_cache, write_cache
from exporter.nvidia.gpu import Gpu, find_gpu
from exporter.nvidia.library import Library

Size = tuple[int, int]  # height, width
_WEIGHTS_LINE = re.compile(r"Total Weights Memory: (\d+) bytes")
_DTYPES = {"float": "float32", "half": "float16", "bf16": "bfloat16"}  # TensorRT's words, and everybody else's
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Profile:
    """The sizes an engine takes; it is fastest at `optimal`."""

    smallest: Size
    optimal: Size
    largest: Size


@dataclass(frozen=True, slots=True)
class End:
    """An input or output as the engine declares it; -1 where a size is open."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    content: bytes
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    profile: Profile | None  # None: the one size in the ONNX file
    weights_bytes: int | None  # what the builder says the weights take; plan sizes say nothing, they carry kernels
    layers: int
    warnings: tuple[str, ...]


def build_plan(library: Library, onnx: Path, profile: Profile | None, compute_capability: str | None) -> Plan:
    """Build for `compute_capability`, such as "8.9"; None: every GPU that TensorRT-RTX knows, or TensorRT's own.

    Raises StageError with the names of the nodes that the engine does not know, or with the builder's last words.
    """
    trt, logger = library.module, library.logger()
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(onnx)):
        raise StageError(f"{library.title} cannot take {onnx.name}: {_refusals(parser)}")
    config = builder.create_builder_config()
    open_ends = -1 in tuple(network.get_input(0).shape)
    if open_ends and profile is not None:
        _add_profile(builder, config, network.get_input(0), profile)
    elif open_ends or profile is not None:
        raise StageError(f"{onnx.name} takes {'any size' if open_ends else 'one size'}, the profile does not fit")
    if compute_capability is not None:
        _set_target(library, config, compute_capability)
    timings = _TimingCache.of(library)
    if timings is not None:
        timings.lay_under(config)
    memory = builder.build_serialized_network(network, config)
    if memory is None:
        words = logger.said(trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR) or ["it gave no reason"]
        raise StageError(f"{library.title} could not build {onnx.name}: {words[-1]}")
    if timings is not None:
        timings.keep(config)
    return Plan(
        content=bytes(memoryview(memory)),
        inputs=tuple(_end(network.get_input(i)) for i in range(network.num_inputs)),
        outputs=tuple(_end(network.get_output(i)) for i in range(network.num_outputs)),
        profile=profile,
        weights_bytes=_weights_bytes(message for _, message in logger.lines),
        layers=network.num_layers,
        warnings=tuple(dict.fromkeys(logger.said(trt.ILogger.WARNING))),
    )


def _refusals(parser: Any) -> str:
    """`ConvInteger '/body/conv' (UNSUPPORTED_NODE …)` for each of the first nodes the parser refused."""
    errors = [parser.get_error(i) for i in range(parser.num_errors)]
    said = []
    for error in errors:
        operator, node = (str(getattr(error, name, str)()) for name in ("node_operator", "node_name"))
        line = " ".join(str(error.desc()).split())
        said.append(f"{operator or 'node'} {node!r} ({line})" if node or operator else line)
    said = list(dict.fromkeys(said))
    more = f"; and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return ("; ".join(said[:_SHOWN]) + more) or "it gave no reason"


def _add_profile(builder: Any, config: Any, tensor: Any, sizes: Profile) -> None:
    profile = builder.create_optimization_profile()
    shape = tuple(tensor.shape)
    shapes = []
    for size in (sizes.smallest, sizes.optimal, sizes.largest):
        lengths = iter(size)
        shapes.append(tuple(next(lengths) if length == -1 else length for length in shape))
    profile.set_shape(tensor.name, *shapes)
    if config.add_optimization_profile(profile) < 0:
        raise StageError(f"the sizes {sizes.smallest} ≤ {sizes.optimal} ≤ {sizes.largest} are no profile")


def _set_target(library: Library, config: Any, compute_capability: str) -> None:
    known = getattr(library.module, "ComputeCapability", None)
    name = f"SM{compute_capability.replace('.', '')}"
    if known is None or not hasattr(config, "set_compute_capability"):
        raise StageError(f"{library.title} builds for the GPU it runs on; leave compute_capability out")
    if not hasattr(known, name):
        names = sorted(each for each in dir(known) if re.fullmatch(r"SM\d+", each))
        raise StageError(f"{library.title} knows no compute capability {compute_capability}: {', '.join(names)}")
    config.num_compute_capabilities = 1
    config.set_compute_capability(getattr(known, name), 0)


def _end(tensor: Any) -> End:
    dtype = str(tensor.dtype).split(".")[-1].lower()
    return End(tensor.name, _DTYPES.get(dtype, dtype), tuple(int(n) for n in tensor.shape))


def _weights_bytes(messages: Any) -> int | None:
    found = [int(match[1]) for message in messages if (match := _WEIGHTS_LINE.search(message))]
    return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class _TimingCache:
    """TensorRT's measurements of its own kernels, good for one version, driver and GPU. TensorRT-RTX keeps none."""

    key: str

    @classmethod
    def of(cls, library: Library) -> _TimingCache | None:
        gpu = find_gpu()
        if library.builds_without_gpu or not isinstance(gpu, Gpu):
            return None
        return cls(f"timing-{sha256(f'{library.title} {gpu}'.encode()).hexdigest()[:16]}")

    def lay_under(self, config: Any) -> None:
        config.set_timing_cache(config.create_timing_cache(read_cache(self.key)), ignore_mismatch=False)

    def keep(self, config: Any) -> None:
        write_cache(self.key, bytes(memoryview(config.get_timing_cache().serialize())))
