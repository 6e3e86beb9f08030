"""What a network that carries a state (`input.state`) cannot have, said before any work starts."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.recipes.export import Recipe
from exporter.stages import Stage

RUNS_STATES = ("onnxruntime_cpu", "litert_cpu", "tflite_runtime", "litert_arm", "tflite_runtime_arm", "litert_web")
LEARNS = ("distill", "prune", "quantize_aware_train", "reestimate_norm")


def state_problems(recipe: Recipe) -> Iterator[str]:
    """One sentence for each stage, runtime and option that does not serve such a network; none without a state."""
    if not recipe.input.state:
        return
    for path, stage in recipe.placed_stages():
        if why := _why_not(stage):
            yield f"{recipe.at(*path)}: {why}"
    for name, target in recipe.targets.items():
        for i, runtime in enumerate((target.runtime, *target.also_on)):
            if runtime not in RUNS_STATES:
                key = ("also_on", i - 1) if i else ("runtime",)
                known = ", ".join(RUNS_STATES)
                yield f"{recipe.at('targets', name, *key)}: {runtime} carries no state (input.state); {known} do"
        if recipe.budget_of(name).min_seam_db is not None:
            where = recipe.at("targets", name)
            yield f"{where}: promises min_seam_db, and a network with a state takes whole pictures, which have no seams"
    for option in ("only_blurred", "denoise"):
        if getattr(recipe.processing, option):
            yield f"{recipe.at('processing', option)}: is done to tiles; a network with a state takes whole pictures"


def _why_not(stage: Stage) -> str:
    if stage.name in LEARNS:
        return "learns from single pictures; a network that carries a state (input.state) goes through as it is"
    if stage.name == "build_tensorrt" or getattr(stage, "engine", "") == "tensorrt":
        return "TensorRT is given no state (input.state); onnxruntime_cpu and litert_cpu carry it"
    if getattr(stage, "mixed", None):
        return "mixed compares layers on single pictures; for a network with a state name layers in keep_float"
    return ""
