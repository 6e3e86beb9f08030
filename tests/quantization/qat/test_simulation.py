"""Float and INT8 .tflite files run in torch beside LiteRT, on crops of a photograph."""

import numpy as np
import pytest
import torch

from exporter.graph.operators import TFLITE_WEIGHTED
from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.params import PIXELS, Affine, Range, quantize_weights
from exporter.quantization.qat import TfliteNetwork, Unsimulated, read_weights
from exporter.quantization.qat.rounding import fixed_point, halved, high_product, limited, multiplied, rounded
from exporter.quantization.qat.shared_params import SharedParams
from exporter.quantization.tflite.conversions import Int8Tensor
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.self_check import run_tflite
from tests.stages.chain import Photos, run, to_tflite

NETWORKS = ["UNet", "UnshuffleNet", "SplitShuffle", "FarShift", "Gated", "Odds"]


def simulated(network: TfliteNetwork, image: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.from_numpy(image.transpose(2, 0, 1).copy())[None])[0].permute(1, 2, 0).numpy()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    made = {}

    def pair(arch, **kwargs):
        if arch not in made:
            folder = tmp_path_factory.mktemp(arch)
            source = to_tflite(folder, arch, **kwargs)
            int8 = run(QuantizeTflite(), source, folder / "int8")
            made[arch] = (source.path.read_bytes(), int8.path.read_bytes())
        return made[arch]

    return pair


@pytest.mark.parametrize("arch", [*NETWORKS, "mobilenetv3_student"])
def test_every_pixel_of_an_int8_file_is_simulated(files, arch):
    content = files(arch, **({"preset": "s"} if arch.islower() else {}))[1]
    network = TfliteNetwork(content)
    for image in list(Photos())[:3]:
        steps = np.round((simulated(network, image) - run_tflite(content, image[None])[0][0]) * 255)
        assert np.abs(steps).max() <= 1
        assert np.mean(steps == 0) > (0.999 if arch == "Odds" else 0.999999)  # Odds: bilinear weights of 11 bits


@pytest.mark.parametrize("arch", NETWORKS)
def test_a_float_file_is_simulated(files, arch):
    content, image = files(arch)[0], next(iter(Photos()))
    assert np.abs(simulated(TfliteNetwork(content), image) - run_tflite(content, image[None])[0][0]).max() < 1e-5


def test_crops_of_another_size_are_simulated(files):
    """A batch of larger crops, pixel for pixel what each alone gives; 96² is not the file's size."""
    network = TfliteNetwork(files("mobilenetv3_student", preset="s")[1])
    batch = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(network(batch)[1:], network(batch[1:]))


def _trainable(source: bytes, content: bytes, tensors=None) -> TfliteNetwork:
    int8 = TfliteGraph(content)
    places = [number for number, op in enumerate(int8.operators) if int8.kind(op) in TFLITE_WEIGHTED]
    return TfliteNetwork(content, dict(zip(places, read_weights(source).values(), strict=True)), tensors)


@pytest.mark.parametrize("arch", ["Gated", "UNet"])
def test_gradients_reach_weights_and_free_ranges(files, arch):
    source, content = files(arch)
    int8 = TfliteGraph(content)
    ends = {*int8.inputs, *int8.outputs}
    tensors = {*int8.inputs, *(tensor for operator in int8.operators for tensor in operator.outputs)}
    listed = [Int8Tensor(t, t, t, PIXELS if t in ends else None, t not in ends) for t in sorted(tensors)]
    network = _trainable(source, content, listed)
    picture = torch.from_numpy(next(iter(Photos())).transpose(2, 0, 1).copy())[None]
    (network(picture) ** 2).mean().backward()
    for parameter in (*network.weights.values(), *network.biases.values()):
        assert parameter.grad.isfinite().all()
        assert parameter.grad.abs().max() > 0
    moved = network.params.stretch.grad.abs().sum(0) > 0
    assert moved.any()
    assert not moved[~network.params.free].any()


def test_weights_are_trained_as_shares_of_their_channel(files):
    """And nothing is lost on the way: units are powers of two."""
    source, content = files("UNet")
    network = _trainable(source, content)
    for number, kept in network.trained_weights().items():
        step, share = network.program.steps[number], network.weights[str(number)].detach()
        axis = TFLITE_WEIGHTED[step.kind].channel_axis
        largest = share.abs().amax([dim for dim in range(share.dim()) if dim != axis])
        assert 0.7 < float(largest[largest > 0].min()) <= float(largest.max()) < 1.42
        assert any(np.array_equal(kept.weights, stored.weights) for stored in read_weights(source).values())


@pytest.mark.parametrize("arch", ["Gated", "UNet"])
def test_stored_and_real_weights_give_the_same_picture(files, arch):
    """The codes of the float weights, computed in torch, are those that the writer has put into the file."""
    image = next(iter(Photos()))
    assert np.array_equal(simulated(_trainable(*files(arch)), image), simulated(TfliteNetwork(files(arch)[1]), image))


def test_large_biases_are_rounded_as_the_writer_does(files):
    """Half a step of the accumulator is no longer a float32 number beyond 2²³: one wrong bias upset 5 % of pixels."""
    network = _trainable(*files("UNet"))
    number, step = next((n, step) for n, step in enumerate(network.program.steps) if step.kind == "CONV_2D")
    weights, _ = network._values(number)
    bias, scale = np.random.default_rng(0).normal(0, 50, len(weights)).astype(np.float32), 1 / 255
    made = network._filters(number, step, weights, torch.from_numpy(bias), torch.tensor(scale))
    code = quantize_weights(weights.detach().numpy(), 0, bias, float(np.float32(scale)))
    stored, _ = code.bias(bias, float(np.float32(scale)))
    assert np.abs(stored).max() > 2**20
    assert made.bias.detach().numpy().astype(np.int64).tolist() == stored.astype(np.float32).astype(np.int64).tolist()


def test_scales_are_those_of_the_exported_file():
    """One formula in two places, torch's with gradients: training must not drift away from the file."""
    drawn = np.random.default_rng(0).exponential(3, (200, 2)) * (-1, 1)
    ends = [(0.0, 0.0), (0.0, 6.0), (-1.0, 1.0), (-3.0, 0.0), *map(tuple, drawn.tolist())]
    known = {i: Affine.of_range(Range(*pair)) for i, pair in enumerate(ends)}
    params = SharedParams([Int8Tensor(i, i, i, None, True) for i in known], known)
    low, high = params.ranges()
    made = params()
    for i in known:
        wanted = Affine.of_range(Range(float(low[i]), float(high[i])))
        assert (float(made[i].scale), int(made[i].zero_point)) == (wanted.scale, wanted.zero_point), ends[i]


def test_an_unknown_operator_is_named(files):
    with pytest.raises(Unsimulated, match="BATCH_MATMUL .* cannot be simulated in torch"):
        TfliteNetwork(files("Attending")[0])


def test_rounding_is_straight_through():
    x = torch.tensor([0.5, 1.5, -2.5, 0.49], requires_grad=True)
    made = rounded(x)
    made.sum().backward()
    assert made.tolist() == [0, 2, -2, 0]
    assert x.grad.tolist() == [1, 1, 1, 1]


def test_what_is_cut_off_pulls_at_its_end():
    x, low, high = (torch.tensor(value, requires_grad=True) for value in ([-9.0, -2.0, 0.0, 3.0, 8.0], -2.0, 3.0))
    limited(x, low, high).backward(torch.tensor([1.0, 10.0, 100.0, 1000.0, 10000.0]))
    assert x.grad.tolist() == [0, 10, 100, 1000, 0]
    assert (float(low.grad), float(high.grad)) == (1, 10000)


def test_fixed_point_rounds_as_gemmlowp_says():
    values = torch.tensor([-3, -1, 0, 1, 3, 5])
    assert halved(values, 1).tolist() == [-2, -1, 0, 1, 2, 3]
    assert high_product(values, 1 << 14, 15).tolist() == [-1, 0, 0, 1, 2, 3]
    fraction, exponent = fixed_point(0.3)
    assert fraction * 2.0 ** (exponent - 31) == pytest.approx(0.3, rel=1e-9)
    assert fixed_point(1 - 2**-40) == (1 << 30, 1)
    assert multiplied(torch.tensor([1000, -1000, 5]), 2.5).tolist() == [2500, -2500, 13]
