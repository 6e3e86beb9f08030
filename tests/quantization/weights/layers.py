"""A chain of convolutions computed by torch, as the techniques before rounding see a graph."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from exporter.quantization.weights.convolutions import Convolution, Path


def convolution(weights, source="input", *, name="a", groups=1, strides=(1, 1), dilations=(1, 1), padding=(1, 1, 1, 1)):
    rng = np.random.default_rng(5)
    bias = rng.uniform(0.01, 0.1, len(weights)).astype(np.float32)  # every channel is alive
    return Convolution(name, source, weights.astype(np.float32), bias, groups, strides, dilations, padding)


def by_torch(layer: Convolution, picture: np.ndarray) -> np.ndarray:
    """(1, H, W, C) to the same, padding as the layer says."""
    top, left, bottom, right = layer.padding
    x = F.pad(torch.from_numpy(picture).permute(0, 3, 1, 2), (left, right, top, bottom))
    weights = torch.from_numpy(np.ascontiguousarray(layer.weights.transpose(0, 3, 1, 2)))
    y = F.conv2d(x, weights, torch.from_numpy(layer.bias), layer.strides, 0, layer.dilations, layer.groups)
    return y.permute(0, 2, 3, 1).numpy()


class Chain:
    """Expansion, ReLU up to `ceiling`, depthwise, the same ReLU, projection: one inverted residual."""

    def __init__(self, ceiling: float = math.inf) -> None:
        rng = np.random.default_rng(0)
        gains = np.array([0.01, 0.3, 1.0, 8.0])[:, None, None, None]
        self.ceiling = ceiling
        self.stored = 0
        self.convolutions = [
            convolution(rng.uniform(0.2, 1, (4, 1, 1, 3)) * gains, "input", name="expand", padding=(0, 0, 0, 0)),
            convolution(rng.normal(size=(4, 3, 3, 1)), "expanded", name="filter", groups=4),
            convolution(rng.normal(size=(5, 1, 1, 4)), "filtered", name="project", padding=(0, 0, 0, 0)),
        ]

    def paths(self):
        return [Path(0, (1,), "expanded", self.ceiling), Path(1, (2,), "filtered", self.ceiling)]

    def activations(self, tensors, images):
        for image in images:
            expand, between, project = self.convolutions
            values = {"input": image[None]}
            values["expanded"] = by_torch(expand, values["input"]).clip(0, self.ceiling)
            values["filtered"] = by_torch(between, values["expanded"]).clip(0, self.ceiling)
            values["output"] = by_torch(project, values["filtered"])
            yield values

    def store(self) -> None:
        self.stored += 1


def images(count: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.uniform(size=(12, 10, 3)).astype(np.float32) for _ in range(count)]


def outputs(graph: Chain) -> np.ndarray:
    return np.stack([values["output"] for values in graph.activations((), images())])
