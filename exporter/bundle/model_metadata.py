"""What a shipped .tflite file says about itself, in the words of the run that made it."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.artifact import Artifact, TensorSpec
from exporter.graph.tflite_metadata import ImageTensor, TfliteMetadata


def metadata_of(artifact: Artifact, name: str, version: str, recipe: Mapping[str, object]) -> TfliteMetadata:
    """`recipe` as resolved: description, licence and the weights' source come from it."""
    size = "same size" if artifact.scale == 1 else f"{artifact.scale} times its height and width"
    model = recipe.get("model")
    source = model.get("source") if isinstance(model, dict) else None
    return TfliteMetadata(
        name=name,
        description=str(recipe.get("description") or "Restores an RGB photograph.")
        + f" {artifact.precision}, made by exporter.",
        version=version,
        author=str(source or "unknown"),
        license=str(recipe.get("licence") or "unknown"),
        input=_image_tensor("image", "The degraded photograph, RGB.", artifact.input),
        output=_image_tensor("restored", f"The restored photograph, RGB, {size}.", artifact.output),
    )


def _image_tensor(name: str, description: str, spec: TensorSpec) -> ImageTensor:
    low, high = spec.range
    std = 255 / (high - low)
    axes = ("height", "width", "channel") if spec.layout == "NHWC" else ("channel", "height", "width")
    return ImageTensor(name, description, 0.0 - low * std, std, low, high, ("batch", *axes))
