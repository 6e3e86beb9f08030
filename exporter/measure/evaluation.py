"""The evaluation images and what each artifact makes of them, computed once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from exporter.artifact import Artifact
from exporter.data.evaluation import Pair
from exporter.errors import EngineError
from exporter.progress import Progress, Silent
from exporter.runtimes.base import Image, Runtime

Pictures = tuple[Image, ...]  # one per evaluation image, float32 (H, W, 3) RGB


class Renderings:
    """Runs an artifact on the evaluation images the first time it is asked for, and remembers the pictures.

    Stages, targets and the report look at the same pictures; the same bytes on the same runtime give
    them only once. Lives as long as one verification. Pictures are 12·H·W bytes per image and artifact: with a
    `folder` they are kept there and mapped into memory, so that 720p frames do not fill it.
    """

    def __init__(
        self,
        evaluation: Iterable[Pair],
        threads: int,
        progress: Progress | None = None,
        folder: Path | None = None,
    ) -> None:
        self.evaluation = tuple(evaluation)
        if not self.evaluation:
            raise ValueError("there are no evaluation images")
        self.threads = threads
        self._progress: Progress = progress or Silent()
        self._folder = folder
        self._done: dict[tuple[str, ...], Pictures | EngineError] = {}

    @property
    def names(self) -> list[str]:
        return [pair.name for pair in self.evaluation]

    def of(self, artifact: Artifact, runtime: Runtime) -> Pictures:
        """What `artifact` makes of every blurred image, in order. Raises EngineError."""
        key = (artifact.sha256, runtime.name, artifact.signature)
        if key not in self._done:
            try:
                self._done[key] = self._put_away(key, self._render(artifact, runtime))
            except EngineError as error:  # it is not asked again: a worker may take an hour to be lost
                self._done[key] = error
        found = self._done[key]
        if isinstance(found, EngineError):
            raise found
        return found

    def _put_away(self, key: tuple[str, ...], pictures: Pictures) -> Pictures:
        if self._folder is None or len({picture.shape for picture in pictures}) != 1:
            return pictures
        file = self._folder / f"{key[0][:16]}-{key[1]}-{'x'.join(map(str, pictures[0].shape))}.npy"
        np.save(file, np.stack(pictures))
        return tuple(np.load(file, mmap_mode="r"))

    def _render(self, artifact: Artifact, runtime: Runtime) -> Pictures:
        total = len(self.evaluation)
        with (
            self._progress.task(f"{artifact.path.name} on {runtime.name}", total) as task,
            runtime.open(artifact, self.threads) as session,
        ):

            def blurred() -> Iterator[Image]:
                for pair in self.evaluation:
                    yield pair.blurred
                    task.advance()

            return tuple(session.infer_all(blurred()))
