from pathlib import Path

import numpy as np
import pytest
import torch

from exporter.data.baselines import uniform_blur
from exporter.data.blur import BlurOptions
from exporter.errors import CheckpointError
from exporter.generators.deblurgan_v2 import FPNMobileNet
from exporter.training.perceptual import EncoderFeatures, read_features
from tests.conftest import picture


def classifier() -> dict[str, torch.Tensor]:
    """Random weights with the keys of torchvision's MobileNetV2: `features.N.…`."""
    torch.manual_seed(0)
    encoder = {key: value for key, value in FPNMobileNet("running").fpn.state_dict().items() if key.startswith("enc")}
    return {f"features.{min(i, 15)}.{i}": value for i, value in enumerate(encoder.values())}


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image.transpose(2, 0, 1).copy())[None]


def test_the_distance_grows_with_blur_and_reaches_the_picture_only() -> None:
    features = EncoderFeatures(classifier())
    sharp = picture(1, 64, 64)
    assert float(features.distance(tensor(sharp), tensor(sharp))) == 0
    light, heavy = (tensor(uniform_blur(sharp, 0, BlurOptions(px, px))[0]) for px in (2, 16))
    restored = light.requires_grad_()
    distance = features.distance(restored, tensor(sharp))
    assert 0 < float(distance.detach()) < float(features.distance(heavy, tensor(sharp)))
    distance.backward()
    assert restored.grad is not None
    assert restored.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in features.parameters())


def test_features_have_the_four_strides() -> None:
    shapes = [tuple(found.shape[2:]) for found in EncoderFeatures(classifier())(torch.zeros(1, 3, 64, 64))]
    assert shapes == [(32, 32), (16, 16), (8, 8), (4, 4)]


def test_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"other\.pth is no MobileNetV2"):
        read_features(tmp_path / "other.pth")
