"""What a shipped .tflite file says about itself, in the words of the run that made it."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.artifact import COLOUR_IN_WORDS, Artifact, TensorSpec
from exporter.graph.tflite_metadata import ImageTensor, TfliteMetadata


def metadata_of(artifact: Artifact, name: str, version: str, recipe: Mapping[str, object]) -> TfliteMetadata:
    """`recipe` as resolved: description, licence and the weights' source come from it."""
    size = "same size" if artifact.scale == 1 else f"{artifact.scale} times its height and width"
    model = recipe.get("model")
    source = model.get("source") if isinstance(model, dict) else None
    given, made = artifact.input, artifact.output
    return TfliteMetadata(
        name=name,
        description=str(recipe.get("description") or f"Restores {_an_image(given)}.")
        + f" {artifact.precision}, made by exporter.",
        version=version,
        author=str(source or "unknown"),
        license=str(recipe.get("licence") or "unknown"),
        input=_image_tensor("image", f"The degraded photograph{_frames(given)}, {_words(given)}.", given),
        output=_image_tensor("restored", f"The restored photograph, {_words(made)}, {size}.", made),
    )


def _an_image(spec: TensorSpec) -> str:
    return f"{'an RGB' if spec.colour == 'rgb' else 'a grey' if spec.colour == 'grey' else 'a'} photograph"


def _words(spec: TensorSpec) -> str:
    return COLOUR_IN_WORDS[spec.colour]


def _frames(spec: TensorSpec) -> str:
    if spec.clip > 1:
        return " of one frame; states are carried from frame to frame"
    return "" if spec.frames == 1 else f" as {spec.frames} frames, one behind the other in the channels"


def _image_tensor(name: str, description: str, spec: TensorSpec) -> ImageTensor:
    low, high = spec.range
    std = 255 / (high - low)
    axes = ("height", "width", "channel") if spec.layout == "NHWC" else ("channel", "height", "width")
    space = {("rgb", 1): "rgb", ("grey", 1): "grey"}.get((spec.colour, spec.frames), "unknown")
    return ImageTensor(name, description, 0.0 - low * std, std, low, high, ("batch", *axes), space)
