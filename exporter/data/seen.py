"""A recipe's image sets as one network sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exporter.artifact import TensorSpec
from exporter.data.colour import sides_of_photograph
from exporter.data.judgement import Images
from exporter.data.training import WHOLE, Batch, TrainingSet
from exporter.data.view import View


@dataclass(frozen=True)
class SeenTraining(TrainingSet):
    """The pairs of `base` through `view`; with noise, noisy and sharp ones instead of its blurred ones."""

    base: TrainingSet | None = None
    view: View = View()

    def __len__(self) -> int:
        return len(self._base)

    @property
    def _base(self) -> TrainingSet:
        assert self.base is not None  # a field with a default, because fields of the parent have them
        return self.base

    @property
    def identity(self) -> str:
        return f"{self._base.identity} {self.view}"

    def require_size(self, size: int) -> None:
        self._base.require_size(sides_of_photograph(size, size, self.view.given)[0])

    def batch(self, seed: int, step: int, batch: int, size: int, share: slice = WHOLE) -> Batch:
        """(blurred, sharp), (batch, C, size, size) as the network takes and gives them."""
        side, _ = sides_of_photograph(size, size, self.view.given)
        blurred, sharp = (stack.transpose(0, 2, 3, 1) for stack in self._base.batch(seed, step, batch, side, share))
        names = [f"{seed} {step} {place}" for place in range(batch)[share]]
        sources = sharp if self.view.noise and self.scale == 1 else blurred
        shown = np.stack([self.view.shown(one, name) for one, name in zip(sources, names, strict=True)])
        truth = np.stack([self.view.truth(one) for one in sharp])
        return np.ascontiguousarray(shown.transpose(0, 3, 1, 2)), np.ascontiguousarray(truth.transpose(0, 3, 1, 2))


def seen_by(images: Images, given: TensorSpec, made: TensorSpec, noise: float = 0.0) -> Images:
    """`images` as a network sees them that takes `given` and gives `made`; the very same for a plain RGB network."""
    view = View.of(given, made, noise)
    if view == View():
        return images
    training = images.training
    if training is not None:
        training = SeenTraining(training.files, training.sha256, scale=training.scale, base=training, view=view)
    return Images(images.calibration.seen_through(view), images.evaluation.seen_through(view), training)
