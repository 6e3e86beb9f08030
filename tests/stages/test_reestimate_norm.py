import numpy as np
import pytest
import torch

from exporter.errors import StageError
from exporter.generators.network_file import read_network
from exporter.stages.reestimate_norm import ReestimateNorm
from tests.stages.chain import Photos, run, stored


def test_statistics_are_those_of_the_images(tmp_path):
    source = stored(tmp_path, "UNet")
    photos = Photos(8)
    made = run(ReestimateNorm(batch=8), source, tmp_path / "out", photos)
    network = read_network(made.path, made.user_classes)
    with torch.no_grad():
        pixels = torch.from_numpy(np.stack(list(photos))).permute(0, 3, 1, 2)
        seen = network.first[0](pixels)
    assert torch.allclose(network.first[1].running_mean, seen.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(network.first[1].running_var, seen.var((0, 2, 3)), rtol=1e-4)
    before = read_network(source.path, source.user_classes)
    assert not torch.allclose(before.first[1].running_mean, network.first[1].running_mean)
    assert torch.equal(before.first[0].weight, network.first[0].weight)


def test_same_images_same_bytes(tmp_path):
    source = stored(tmp_path, "UNet")
    one, two = (run(ReestimateNorm(), source, tmp_path / name) for name in "ab")
    assert one.sha256 == two.sha256


def test_a_network_without_norms_is_refused(tmp_path):
    with pytest.raises(StageError, match="no batch norm"):
        run(ReestimateNorm(), stored(tmp_path, "FarShift"), tmp_path / "out")
