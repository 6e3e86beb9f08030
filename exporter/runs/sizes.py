"""The further sizes of a chain (`input.sizes`): its conversions again at each, then one file of all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from exporter.artifact import Artifact, Format
from exporter.errors import PlanError, StageError
from exporter.figures import size_word
from exporter.measure.measurements import Built
from exporter.quantization.settings import Int8Settings
from exporter.stages import Stage
from exporter.stages.several_sizes import JoinSizes, Resize

# A stage on a source, from the build folder where it is done; a word for what it is for → its step's name, what it made
RunStage = Callable[[Stage, Artifact, str], tuple[str, Artifact]]


def with_all_sizes(built: Built, stages: Sequence[Stage], sizes: Sequence[tuple[int, int]], run: RunStage) -> Built:
    """`built`, of `stages`, whose last file holds every one of `sizes`; its own is the first.

    Whatever learns, on float networks or for INT8, has been done at the first size and is taken over.
    """
    artifacts = [artifact for _, artifact in built.steps]
    network = next(place for place in reversed(range(len(artifacts))) if artifacts[place].format == Format.TORCH)
    converted = next(place for place, artifact in enumerate(artifacts) if artifact.format == Format.TFLITE)
    files = {size_word(sizes[0]): built.file}
    again, last = stages[network + 1 : converted + 1], stages[converted + 1 :]
    if any(map(_learns, last)):
        last = (Resize.of(artifacts[converted], built.file),)
    for height, width in sizes[1:]:
        word, at_size = size_word((height, width)), artifacts[network].with_size(height, width)
        for stage in (*again, *last):
            with _at(word):
                _, at_size = run(stage, at_size, f"{built.target} {word}")
        files[word] = at_size
    return replace(built, steps=(*built.steps, run(JoinSizes.of(files), built.file, built.target)))


@contextmanager
def _at(size: str) -> Iterator[None]:
    """Says in what a stage refuses at which size that is."""
    try:
        yield
    except (StageError, PlanError) as error:
        problem, _, hint = str(error).partition("\n  hint: ")
        raise type(error)(f"input.sizes, {size}: {problem}", hint=hint) from error


def _learns(stage: Stage) -> bool:
    return isinstance(stage, Int8Settings) and getattr(stage, "precision", "int8") != "fp16"
