"""What the stages that train with a teacher share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.artifact import Artifact
from exporter.errors import StageError
from exporter.failures import in_one_line
from exporter.stages.base import Workspace
from exporter.training.options import FitOptions

if TYPE_CHECKING:
    from torch import nn


def check_training(options: FitOptions, workspace: Workspace) -> None:
    """Raises MissingTool for a device that is not here, DataError for a training picture smaller than a crop."""
    from exporter.training.device import training_device

    training_device(options.device)
    if workspace.training is not None:
        workspace.training.require_size(options.crop_px)


def require_same_picture(network: nn.Module, teacher: Artifact, what: str) -> None:
    """One grey picture through `network`. Raises StageError when it fails or has another size than `teacher` gives."""
    import torch

    try:
        with torch.no_grad():
            shape = tuple(network(torch.full(teacher.input.shape, 0.5)).shape)
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise StageError(f"{what} cannot run at {teacher.input.shape}: {in_one_line(error)}") from error
    if shape != teacher.output.shape:
        raise StageError(f"{what} gives {shape} where the teacher gives {teacher.output.shape}")


def train_with_teacher(
    name: str, options: FitOptions, network: nn.Module, teacher: nn.Module, workspace: Workspace, trained: bool
) -> nn.Module:
    """`network` trained on the workspace's photographs; resumes from the checkpoint in its folder.

    `trained`: its weights are worth keeping already.
    """
    from exporter.training.loop import Fit

    assert workspace.training is not None  # the plan has seen to it
    pairs, folder = workspace.training, workspace.folder
    seed, progress = workspace.seed, workspace.progress
    return Fit(network, teacher, pairs, options, seed, folder, progress, name, trained=trained).run()
