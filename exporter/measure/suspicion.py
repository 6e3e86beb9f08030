"""A GPU's picture that is the CPU's to the last bit was probably made by the CPU: no two engines round alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from exporter.artifact import Artifact
from exporter.errors import EngineError
from exporter.graph.read import read_graph
from exporter.inspect.results import Residency
from exporter.measure.evaluation import Renderings
from exporter.not_measured import NotMeasured
from exporter.runtimes import runtime as runtime_called
from exporter.runtimes.base import Image, Runtime, cpu_twin


def suspected(
    residency: Residency | NotMeasured,
    runtime: Runtime,
    artifact: Artifact,
    pictures: Mapping[int, Image],
    renderings: Renderings,
) -> Residency | NotMeasured:
    """`residency` with what makes it doubtful; `pictures`: by the number of the evaluation image, made on `runtime`."""
    twin = cpu_twin(runtime)
    if isinstance(residency, NotMeasured) or not twin or not pictures or not _computes(artifact):
        return residency
    on_cpu = runtime_called(twin)
    if on_cpu.missing():
        return residency
    try:
        expected = renderings.of(artifact, on_cpu)
    except EngineError:
        return residency
    if not all(np.array_equal(picture, expected[place]) for place, picture in pictures.items()):
        return residency
    why = f"its pictures are those of {twin} to the last bit: {residency.accelerator} probably did not run"
    return replace(residency, suspect=why)


def _computes(artifact: Artifact) -> bool:
    """Whether anything is rounded in it: what only moves pixels gives the same bits everywhere."""
    return any(node.macs for node in read_graph(artifact.path, artifact.signature).nodes)
