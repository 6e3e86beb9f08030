"""Building blocks against other ways to compute the same."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from exporter.generators.blocks.luminance import Bicubic, Luminance, change_luminance
from exporter.generators.blocks.windows import attend, merge, partition, relative_position_index, roll, shift_mask
from exporter.generators.build import build_network, generator_info
from exporter.generators.nafnet import LayerNorm2d, LocalPool
from exporter.generators.restormer import _unit_length
from exporter.generators.srn import _ConvLSTM, _twice


def test_windows_are_cut_and_joined_in_order():
    picture = torch.rand(2, 16, 24, 3)
    windows = partition(picture, 8)
    assert windows.shape == (2 * 2 * 3, 64, 3)
    assert torch.equal(windows[4].reshape(8, 8, 3), picture[0, 8:16, 8:16])
    assert torch.equal(windows[6].reshape(8, 8, 3), picture[1, :8, :8])
    assert torch.equal(merge(windows, 8, 16, 24), picture)


@pytest.mark.parametrize("shift", [3, -3])
def test_roll_is_cyclic(shift):
    picture = torch.rand(1, 8, 12, 2)
    assert torch.equal(roll(picture, shift), torch.roll(picture, (-shift, -shift), (1, 2)))


def test_shift_mask_separates_what_was_rolled_apart():
    """Two pixels of a rolled window may see each other only if they were as near before rolling."""
    height, width, side, shift = 16, 24, 8, 4
    places = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), -1)[None].float()
    rolled = partition(roll(places, shift), side)
    apart = (rolled[:, :, None] - rolled[:, None, :]).abs().amax(-1) >= side
    mask = shift_mask(height, width, side, shift, places)[:, 0]
    assert torch.equal(mask == -100, apart)
    assert int(apart.sum()) > 0


def test_position_index_counts_differences():
    index = relative_position_index(3).reshape(9, 9)
    assert int(index[0, 0]) == 12  # the middle of a 5×5 table
    assert int(index[0, 8]) == 0 and int(index[8, 0]) == 24
    assert int(index[0, 1]) == 11 and int(index[0, 3]) == 7


def test_attention_is_torchs():
    q, k, v = torch.rand(3, 2, 4, 6, 5)
    bias = torch.rand(1, 4, 6, 6)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=0.3)
    assert torch.allclose(attend(q, k, v, 0.3, bias), expected.transpose(1, 2).reshape(2, 6, 20), atol=1e-6)


def test_unit_length_is_torchs_normalise():
    x = torch.rand(1, 2, 3, 50) * 9
    x[0, 0, 0] = 0
    assert torch.allclose(_unit_length(x), F.normalize(x, dim=-1), atol=1e-6)


def test_layer_norm_over_channels():
    x, norm = torch.rand(2, 6, 4, 5) * 3, LayerNorm2d(6)
    torch.nn.init.normal_(norm.weight)
    expected = F.layer_norm(x.permute(0, 2, 3, 1), (6,), norm.weight, norm.bias, 1e-6).permute(0, 3, 1, 2)
    assert torch.allclose(norm(x), expected, atol=1e-5)


def test_local_pool_is_a_window_mean_kept_inside():
    x = torch.rand(1, 2, 9, 12)
    pooled = LocalPool(5)(x)
    assert pooled.shape == x.shape
    assert torch.allclose(pooled[:, :, 4, 5], x[:, :, 2:7, 3:8].mean((2, 3)), atol=1e-6)
    assert torch.allclose(pooled[:, :, 0, 0], x[:, :, :5, :5].mean((2, 3)), atol=1e-6)
    assert torch.allclose(pooled[:, :, 8, 11], x[:, :, 4:, 7:].mean((2, 3)), atol=1e-6)
    assert torch.allclose(LocalPool(0)(x), x.mean((2, 3), keepdim=True))
    assert torch.allclose(LocalPool(99)(x), x.mean((2, 3), keepdim=True))


def test_tensorflows_old_bilinear_doubling():
    """resize_bilinear of TensorFlow 1: source place = place / 2, the last pixel repeats."""
    import tensorflow as tf

    x = torch.rand(1, 3, 5, 7)
    expected = tf.compat.v1.image.resize_bilinear(x.permute(0, 2, 3, 1).numpy(), (10, 14)).numpy()
    assert np.allclose(_twice(x).permute(0, 2, 3, 1).numpy(), expected, atol=1e-6)


def test_lstm_gates_are_in_tensorflows_order():
    cell = _ConvLSTM(1)
    torch.nn.init.zeros_(cell.LSTM_conv.weight)
    cell.LSTM_conv.bias.data = torch.tensor([0.5, 0.7, -0.2, 0.9])  # input, new, forget, output
    x, zero, one = torch.rand(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    state, hidden = cell(x, one, zero)
    expected = torch.sigmoid(torch.tensor(0.8)) + torch.sigmoid(torch.tensor(0.5)) * torch.tanh(torch.tensor(0.7))
    assert torch.allclose(state, expected.expand_as(state))
    assert torch.allclose(hidden, torch.tanh(state) * torch.sigmoid(torch.tensor(0.9)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_is_pillows_away_from_the_border(scale):
    from PIL import Image

    plane = torch.rand(1, 3, 12, 15)
    ours = Bicubic(scale)(plane)[0].numpy()
    size = (15 * scale, 12 * scale)
    theirs = np.stack([np.asarray(Image.fromarray(p.numpy()).resize(size, Image.Resampling.BICUBIC)) for p in plane[0]])
    inner = np.s_[:, 2 * scale : -2 * scale, 2 * scale : -2 * scale]
    assert np.allclose(ours[inner], theirs[inner], atol=1e-5)
    assert np.abs(ours - theirs).max() < 0.2


def test_changing_luminance_keeps_chroma():
    """Against the full way: to Y'CbCr (BT.601, studio range), Y' replaced, and back by the inverse matrix."""
    matrix = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
    rgb = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    after = torch.rand(1, 1, 4, 5, dtype=torch.float64)
    ycbcr = np.einsum("ij,njhw->nihw", matrix, rgb.numpy()) + np.array([16, 128, 128])[:, None, None] / 255
    luminance = Luminance().double()(rgb)
    assert np.allclose(luminance.numpy(), ycbcr[:, :1])
    ycbcr[:, :1] = after.numpy()
    offset = np.array([16, 128, 128])[:, None, None] / 255
    back = np.einsum("ij,njhw->nihw", np.linalg.inv(matrix), ycbcr - offset)
    assert np.allclose(change_luminance(rgb, luminance, after).numpy(), back, atol=1e-4)


@pytest.mark.parametrize(("size", "window"), [((40, 56), 24), ((40, 20), 24), ((17, 23), 6), ((9, 9), 9)])
def test_local_pool_is_the_official_one(size, window):
    """TLC (Chu et al., ECCV 2022): differences of the summed-area table, then edges repeated, the odd one after."""
    x = torch.rand(1, 2, *size, dtype=torch.float64)
    rows, columns = (min(window, length) for length in size)
    table = F.pad(x.cumsum(3).cumsum(2), (1, 0, 1, 0))
    sums = (
        table[:, :, rows:, columns:] + table[:, :, :-rows, :-columns]
        - table[:, :, :-rows, columns:] - table[:, :, rows:, :-columns]
    )  # fmt: skip
    across, down = size[1] - sums.shape[3], size[0] - sums.shape[2]
    around = (across // 2, (across + 1) // 2, down // 2, (down + 1) // 2)
    expected = F.pad(sums / (rows * columns), around, "replicate")
    assert torch.allclose(LocalPool(window)(x).expand_as(x), expected, atol=1e-12)


def test_windows_of_local_pools_follow_the_published_training_size():
    """256 px crops, window 1.5 × as large, halved at each level."""
    network = build_network(generator_info("nafnet"), {"width": 4, "enc_blk_nums": (1,) * 4, "train_size": 256})
    assert [encoder[0].sca[0].size for encoder in network.encoders] == [384, 192, 96, 48]
    assert network.middle_blks[0].sca[0].size == 24
    assert [decoder[0].sca[0].size for decoder in network.decoders] == [48, 96, 192, 384]
