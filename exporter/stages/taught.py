"""What the stages that train with a teacher share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.stages.base import Workspace
from exporter.training.options import FitOptions

if TYPE_CHECKING:
    from torch import nn


def train_with_teacher(
    name: str, options: FitOptions, network: nn.Module, teacher: nn.Module, workspace: Workspace
) -> nn.Module:
    """`network` trained on the workspace's photographs; resumes from the checkpoint in its folder."""
    from exporter.training.loop import Fit

    assert workspace.training is not None  # the plan has seen to it
    pairs, folder = workspace.training, workspace.folder
    return Fit(network, teacher, pairs, options, workspace.seed, folder, workspace.progress, name).run()
