"""All stages, in the order a model usually meets them. Add yours here: one line."""

from exporter.stages.base import Stage, Workspace
from exporter.stages.distill import Distill
from exporter.stages.load_generator import LoadGenerator
from exporter.stages.prune import Prune

__all__ = ["STAGES", "LoadGenerator", "Stage", "Workspace"]

STAGES: tuple[type[Stage], ...] = (
    Prune,
    Distill,
)
