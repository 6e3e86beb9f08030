"""Knowledge distillation: a small student learns to restore as the teacher does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from exporter.artifact import Artifact, Format
from exporter.errors import StageError
from exporter.files.recipe_path import RecipeCheckpoint
from exporter.stages.base import Stage, Untrained, Workspace
from exporter.stages.training import check_training, require_same_picture, train_with_teacher
from exporter.training.options import CHECKPOINT, FitOptions

if TYPE_CHECKING:
    from torch import nn

    from exporter.generators.base import GeneratorInfo


class Distill(FitOptions, Stage):
    """Train `student` on blurred photographs against the sharp truth and the teacher's picture.

    `learn_from: original` asks the recipe's trained model, `source` the stage before (the pruned generator).
    """

    name: ClassVar[str] = "distill"
    takes: ClassVar[Format] = Format.TORCH
    gives: ClassVar[Format] = Format.TORCH
    reads: ClassVar[frozenset[str]] = frozenset({"teacher", "training", "seed"})
    resumes: ClassVar[bool] = True
    spent: ClassVar[frozenset[str]] = frozenset({CHECKPOINT})

    student: str = "mobilenetv3_student"
    """The network that learns: a name of `exporter generators`, or package.module:Class. Change it for another trade of
    speed and quality."""
    kwargs: dict[str, Any] = {"preset": "m"}
    """Arguments of the student's class. Change the preset, or the widths, for a larger or smaller student."""
    warm_start: RecipeCheckpoint | None = None
    """Weights that the student starts from, a file or hf://OWNER/NAME@COMMIT/FILE. Name those of a long training, for a
    short one to finish."""
    learn_from: Literal["original", "source"] = "original"
    """The teacher: the recipe's trained model, or the network of the stage before. Take source where that one is what
    you want to keep."""

    def networks(self, source: Artifact) -> tuple[str, ...]:
        return (self.student,)

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        import torch

        from exporter.generators.build import build_network, generator_info
        from exporter.generators.description import Description
        from exporter.generators.network_file import in_unit_range, read_network, write_network
        from exporter.training.cost import cost_of

        learned = workspace.teacher if self.learn_from == "original" else source
        teacher = read_network(learned.path, learned.user_classes)
        info = generator_info(self.student)
        self._check_size(info, source)
        torch.manual_seed(workspace.seed)  # the student's first weights
        student = in_unit_range(self._start(build_network(info, self.kwargs)), info.range)
        trained = train_with_teacher(self.name, self, student, teacher, workspace, self.warm_start is not None)
        path = workspace.folder / "student.safetensors"
        write_network(trained, Description(self.student, self.kwargs, info.range, info.multiple), path)
        cost, teacher_cost = cost_of(trained, source.input.shape), cost_of(teacher, source.input.shape)
        facts = {
            "macs_teacher": teacher_cost.macs,
            "macs_student": cost.macs,
            "parameters_teacher": teacher_cost.parameters,
            "parameters_student": cost.parameters,
            "learn_from": self.learn_from,
            "warm_start": self.warm_start.name if self.warm_start else None,
        }
        (workspace.folder / "facts.json").write_text(json.dumps(facts))
        allowed = source.user_classes | {self.student}
        return Artifact.of_file(path, self.gives, like=source, step=str(self), user_classes=allowed)

    def check(self, source: Untrained, workspace: Workspace) -> Untrained:
        from exporter.generators.build import build_network, generator_info
        from exporter.generators.description import Description
        from exporter.generators.network_file import in_unit_range

        check_training(self, workspace)
        info = generator_info(self.student)
        self._check_size(info, workspace.teacher)
        student = in_unit_range(self._start(build_network(info, self.kwargs)), info.range).eval()
        require_same_picture(student, workspace.teacher, f"the student {info.name}")
        description = Description(self.student, self.kwargs, info.range, info.multiple)
        return Untrained(student, description, source.user_classes | {self.student})

    def _start(self, student: nn.Module) -> nn.Module:
        from exporter.checkpoints.fit import load_into
        from exporter.checkpoints.read import read_weights

        if self.warm_start is not None:
            load_into(student, read_weights(self.warm_start), self.warm_start, self.student)
        return student

    def _check_size(self, info: GeneratorInfo, source: Artifact) -> None:
        from exporter.generators.size_rule import wrong_size

        for side, length in (("height", source.input.height), ("width", source.input.width)):
            if problem := wrong_size(f"input.{side}", length, info.multiple, info.name):
                raise StageError(problem)
