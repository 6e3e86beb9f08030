"""The receptive field read from the graph is the one that the network's gradient shows, not a pixel more or less."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from exporter.errors import CheckpointError
from exporter.generators.network_file import read_network
from exporter.tiling.receptive_field import receptive_field
from tests.tiling.networks import Local


def probed_reach_px(network: torch.nn.Module, alignment: int, side: int = 192) -> int:
    """How far from an output pixel the gradient is not zero, over every phase of the stride."""
    image = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    restored, reach = network.double()(image), 0
    for phase in range(alignment):
        place = side // 2 // alignment * alignment + phase
        (gradient,) = torch.autograd.grad(restored[0, :, place, place].sum(), image, retain_graph=True)
        for axis in (2, 3):
            touched = gradient[0].sum(0).any(3 - axis).nonzero().flatten()
            reach = max(reach, place - int(touched.min()), int(touched.max()) - place)
    return reach


def test_every_local_operator_against_the_gradient(exported):
    _, onnx = exported("tests.tiling.networks:Local", {})
    field = receptive_field(onnx.path)
    assert field.alignment_px == 8
    reach = probed_reach_px(Local().eval(), 8)
    assert reach > 20
    assert field.halo_px == -(-reach // 8) * 8


@pytest.mark.parametrize(
    ("arch", "kwargs", "alignment"),
    [("srcnn", {}, 1), ("mobilenetv3_student", {"preset": "s"}, 16)],
)
def test_architectures_do_not_look_farther(exported, arch, kwargs, alignment):
    stored, onnx = exported(arch, kwargs)
    field = receptive_field(onnx.path)
    assert field.alignment_px == alignment
    assert field.halo_px > 0
    assert probed_reach_px(read_network(stored.path, stored.user_classes).eval(), alignment, side=320) <= field.halo_px


@pytest.mark.parametrize(
    ("kind", "named"), [("gate", "ReduceMean"), ("norm", "whole plane"), ("attention", "attention")]
)
def test_what_sees_the_whole_plane_has_no_halo(exported, kind, named):
    _, onnx = exported("tests.tiling.networks:WholePlane", {"kind": kind})
    field = receptive_field(onnx.path)
    assert field.halo_px is None
    assert named in field.reason


def test_the_shipped_student(shipped):
    _, onnx = shipped
    field = receptive_field(onnx.path)
    assert (field.halo_px, field.alignment_px) == (288, 16)


def test_a_damaged_file(tmp_path):
    (tmp_path / "x.onnx").write_bytes(np.random.default_rng(0).bytes(300))
    with pytest.raises(CheckpointError, match=r"x\.onnx"):
        receptive_field(tmp_path / "x.onnx")
