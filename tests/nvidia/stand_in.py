"""Stand-ins for NVIDIA's `tensorrt` module, which cannot be installed here: the parts that differ between versions.

They say nothing about TensorRT itself. What is common to TensorRT and TensorRT-RTX is tested on the real TensorRT-RTX.
"""

from __future__ import annotations

from types import SimpleNamespace


class _Logger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)

    def log(self, severity: int, message: str) -> None: ...


class _Cache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content + b"+"


class _Config:
    """TensorRT's: timing caches, no compute capabilities."""

    def __init__(self) -> None:
        self.flags: list[str] = []

    def create_timing_cache(self, content: bytes) -> _Cache:
        return _Cache(content)

    def set_timing_cache(self, cache: _Cache, ignore_mismatch: bool) -> None:
        self._cache = cache

    def get_timing_cache(self) -> _Cache:
        return self._cache

    def set_flag(self, flag: object) -> None:
        raise AssertionError("a strongly typed network has no precision flags")


def stand_in(version: str, gpu: bool = True) -> SimpleNamespace:
    """`tensorrt` of that version: 8 has no strongly typed networks, 10 still has precision flags, 11 has none."""
    major = int(version.split(".")[0])
    creation = SimpleNamespace(EXPLICIT_BATCH=0) if major < 11 else SimpleNamespace()
    if major >= 10:
        creation.STRONGLY_TYPED = 1
    end = SimpleNamespace(name="input", dtype="DataType.FLOAT", shape=(1, 8, 8, 3))
    network = SimpleNamespace(
        num_inputs=1, num_outputs=1, num_layers=1, get_input=lambda i: end, get_output=lambda i: end
    )
    asked: list[int] = []

    class Builder:
        def __init__(self, logger: _Logger) -> None:
            if not gpu:  # pybind's words for a factory that returns nothing
                raise TypeError("pybind11::init(): factory function returned nullptr")
            self._logger = logger

        def create_network(self, flags: int) -> object:
            asked.append(flags)
            return network

        def create_builder_config(self) -> _Config:
            return _Config()

        def build_serialized_network(self, network: object, config: _Config) -> bytes:
            self._logger.log(_Logger.INFO, "Total Weights Memory: 123 bytes")
            return b"plan"

    class OnnxParser:
        num_errors = 0

        def __init__(self, network: object, logger: _Logger) -> None: ...

        def parse_from_file(self, path: str) -> bool:
            return True

    flags = SimpleNamespace(FP16=1, INT8=2) if major < 11 else SimpleNamespace()
    return SimpleNamespace(
        __version__=version, ILogger=_Logger, NetworkDefinitionCreationFlag=creation, Builder=Builder,
        OnnxParser=OnnxParser, BuilderFlag=flags, asked=asked,
    )  # fmt: skip
