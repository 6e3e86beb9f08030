"""What the stages that train with a teacher share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stages.base import Workspace
from exporter.training.options import FitOptions

if TYPE_CHECKING:
    from torch import nn


def train_with_teacher(
    name: str, options: FitOptions, network: nn.Module, teacher: nn.Module, workspace: Workspace, trained: bool
) -> nn.Module:
    """`network` taught on the workspace's photographs; resumes from the checkpoint in its folder.

    `trained`: its weights are worth keeping already.
    """
    from exporter.training.loop import Fit

    assert workspace.training is not None  # the plan has seen to it
    pairs, folder = workspace.training, workspace.folder
    seed, progress = workspace.seed, workspace.progress
    return Fit(network, teacher, pairs, options, seed, folder, progress, name, trained=trained).run()
