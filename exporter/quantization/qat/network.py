"""A .tflite as a torch module: a float file in real values, an int8 one in its own integers, both with gradients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from exporter.graph.operators import INT8_KERNELS, TFLITE_WEIGHTED, Linear
from exporter.quantization.params import HIGHEST, LARGEST_BIAS, SILENT_WEIGHT, SMALLEST_SPAN, STEPS, Affine
from exporter.quantization.qat.integers import INTEGERS, Filters, Params, weighted
from exporter.quantization.qat.moves import MOVES
from exporter.quantization.qat.program import Array, Step, Unsimulated, read_program
from exporter.quantization.qat.reals import REALS, activated, weighted_sum
from exporter.quantization.qat.rounding import rounded
from exporter.quantization.qat.shared_params import SharedParams
from exporter.quantization.qat.weights import Floats, Weights
from exporter.quantization.tflite.conversions import Int8Tensor


class TfliteNetwork(nn.Module):
    """(N, 3, H, W) RGB 0..1 to the same. H and W are those of the file or, where no operator depends on it, others.

    Weights are parameters, as shares of the largest in their channel, and biases of half their output's range: folded
    norms leave channels a hundred times as large as others, and one learning rate has to suit both.

    An int8 file needs their real values, `weights` by the operator's number, to train them; without, it computes with
    those that are stored. `tensors` lists its activations; without, each keeps the scale it has. Where a tensor is int8
    the module computes the integers that LiteRT does, and gradients pass each rounding unchanged.
    """

    def __init__(
        self, content: bytes, weights: Mapping[int, Weights] | None = None, tensors: Sequence[Int8Tensor] | None = None
    ) -> None:
        """Raises Unsimulated naming the operator that is not covered."""
        super().__init__()
        self.program = program = read_program(content)
        int8 = sorted(t for t, kind in program.dtypes.items() if kind == "INT8" and t not in program.constants)
        known = {
            tensor: Affine(float(program.params[tensor][0][0]), int(program.params[tensor][1][0])) for tensor in int8
        }
        fixed = [Int8Tensor(tensor, tensor, tensor, known[tensor], free=False) for tensor in int8]
        self.params = SharedParams(tensors or fixed, known)
        self.weights, self.biases = nn.ParameterDict(), nn.ParameterDict()
        self._constants: dict[int, Params] = {}
        for number, step in enumerate(program.steps):
            self._require(step)
            if step.kind in TFLITE_WEIGHTED:
                self._add_weights(number, step, (weights or {}).get(number))
        self._add_constants()

    def _require(self, step: Step) -> None:
        if step.kind not in TFLITE_WEIGHTED and step.kind not in MOVES and step.kind not in REALS:
            raise Unsimulated(f"{step.kind} {step.name} cannot be simulated in torch: the operator is not known")
        if (
            step.kind in TFLITE_WEIGHTED
            and step.inputs[TFLITE_WEIGHTED[step.kind].weights] not in self.program.constants
        ):
            raise step.unsimulated("a weight that is computed")

    def _add_weights(self, number: int, step: Step, given: Weights | None) -> None:
        program, linear = self.program, TFLITE_WEIGHTED[step.kind]
        axis, tensor = linear.channel_axis, step.inputs[linear.weights]
        stored = given or Weights(self._real(tensor, axis), self._bias(step, linear))
        dims = tuple(dim for dim in range(stored.weights.ndim) if dim != axis)
        unit = _power_of_two(np.abs(stored.weights).max(dims, keepdims=True))
        out = program.params.get(step.outputs[0])
        bias_unit = _power_of_two(np.abs(stored.bias).max(keepdims=True) if out is None else HIGHEST * out[0])
        self.weights[str(number)] = nn.Parameter(torch.from_numpy(np.array(stored.weights / unit, np.float32)))
        self.biases[str(number)] = nn.Parameter(torch.from_numpy(np.array(stored.bias / bias_unit, np.float32)))
        self.register_buffer(f"unit_{number}", torch.from_numpy(unit), persistent=False)
        self.register_buffer(f"bias_unit_{number}", torch.from_numpy(bias_unit), persistent=False)
        if program.dtypes[step.outputs[0]] == "INT8" and given is None:
            self.register_buffer(f"scales_{number}", torch.from_numpy(program.params[tensor][0].copy()))

    def _values(self, number: int | str) -> tuple[Tensor, Tensor]:
        """Weights and bias in real values."""
        units: tuple[Tensor, Tensor] = (getattr(self, f"unit_{number}"), getattr(self, f"bias_unit_{number}"))
        return self.weights[str(number)] * units[0], self.biases[str(number)] * units[1]

    def _real(self, tensor: int, axis: int) -> Floats:
        value = self.program.constants[tensor]
        if value.dtype != np.int8:
            return np.asarray(value, np.float32)
        scales, zeros = self.program.params[tensor]
        shape = [1] * value.ndim
        shape[axis] = -1
        return np.asarray((value - zeros.reshape(shape)) * scales.reshape(shape), np.float32)

    def _bias(self, step: Step, linear: Linear) -> Floats:
        tensor = step.inputs[linear.bias] if linear.bias < len(step.inputs) else -1
        if tensor < 0:
            channels = self.program.constants[step.inputs[linear.weights]].shape[linear.channel_axis]
            return np.zeros(channels, np.float32)
        value = self.program.constants[tensor]
        scales = self.program.params[tensor][0] if value.dtype == np.int32 else np.float32(1)
        return np.asarray(value.astype(np.float64) * scales, np.float32)

    def _add_constants(self) -> None:
        """Numbers that operators without weights read: in real values, or in int8 steps."""
        program = self.program
        for step in program.steps:
            for tensor in step.inputs if step.kind not in TFLITE_WEIGHTED else ():
                value = program.constants.get(tensor)
                if value is None or value.dtype not in (np.float32, np.int8) or hasattr(self, f"constant_{tensor}"):
                    continue
                if value.dtype == np.int8:
                    scales, zeros = program.params[tensor]
                    self._constants[tensor] = Params(torch.tensor(scales[0]), torch.tensor(float(zeros[0])))
                    value = value.astype(np.float32) - np.float32(zeros[0])
                buffer = torch.from_numpy(np.array(value, np.float32))
                self.register_buffer(f"constant_{tensor}", buffer, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        program = self.program
        params: dict[int, Params] = self.params() | self._constants
        picture = x.permute(0, 2, 3, 1)
        start = params.get(program.source)
        values = {program.source: picture if start is None else start.quantized(picture)}
        left = _last_uses(program.steps, program.target)
        for number, step in enumerate(program.steps):
            values.update(zip(step.outputs, self._run(number, step, values, params), strict=True))
            for tensor in left.get(number, ()):
                values.pop(tensor, None)
        made, end = values[program.target], params.get(program.target)
        return (made if end is None else made * end.scale).permute(0, 3, 1, 2)

    def _run(self, number: int, step: Step, values: dict[int, Tensor], params: dict[int, Params]) -> list[Tensor]:
        out = params.get(step.outputs[0])
        if step.kind in TFLITE_WEIGHTED:
            picture = step.inputs[TFLITE_WEIGHTED[step.kind].data]
            return [self._weighted(number, step, values[picture], params.get(picture), out)]
        tensors = [tensor for tensor in step.inputs if tensor in values or hasattr(self, f"constant_{tensor}")]
        x = [values[tensor] if tensor in values else getattr(self, f"constant_{tensor}") for tensor in tensors]
        own = [params.get(tensor) for tensor in tensors]
        if step.kind in MOVES and _one_scale(own, out):
            return MOVES[step.kind](step, x)
        if out is not None and step.kind in INTEGERS and None not in own:
            return [INTEGERS[step.kind](step, x, [each for each in own if each is not None], out)]
        real = [value if each is None else value * each.scale for value, each in zip(x, own, strict=True)]
        made = MOVES[step.kind](step, real) if step.kind in MOVES else [REALS[step.kind](step, real)]
        return [value if out is None else out.quantized(value) for value in made]

    def _weighted(self, number: int, step: Step, x: Tensor, source: Params | None, out: Params | None) -> Tensor:
        weights, bias = self._values(number)
        if source is None or out is None:
            return activated(step, weighted_sum(step, x, weights) + bias)
        return weighted(step, x, source, self._filters(number, step, weights, bias, source.scale), out)

    def _filters(self, number: int, step: Step, weights: Tensor, bias: Tensor, input_scale: Tensor) -> Filters:
        """Weights and bias in the steps that exporter.quantization.params gives them, or those of the file."""
        axis, per_channel = TFLITE_WEIGHTED[step.kind].channel_axis, INT8_KERNELS[step.kind].per_channel
        scales: Tensor | None = getattr(self, f"scales_{number}", None)
        if scales is None:
            largest = weights.detach().abs().amax([dim for dim in range(weights.dim()) if dim != axis]).double()
            if not per_channel:
                largest = largest.max().reshape(1)
            smallest = bias.detach().double().abs() / (input_scale.detach().double() * LARGEST_BIAS)
            smallest = smallest if per_channel else smallest.max()
            own = torch.where(largest > 0, (largest / HIGHEST).clamp(min=SMALLEST_SPAN / STEPS), SILENT_WEIGHT)
            scales = torch.maximum(own, smallest).float()
        shape = [1] * weights.dim()
        shape[axis] = -1
        steps = rounded(weights / scales.reshape(shape)).clamp(-HIGHEST, HIGHEST)
        return Filters(steps, scales, rounded(bias.double() / (input_scale * scales)).float())

    def trained_weights(self) -> dict[int, Weights]:
        """By the operator's number."""
        real = {int(number): self._values(number) for number in self.weights}
        return {
            number: Weights(weights.detach().cpu().numpy(), bias.detach().cpu().numpy())
            for number, (weights, bias) in real.items()
        }

    def trained_ranges(self) -> dict[int, tuple[float, float]]:
        """By the int8 tensor's number, the real values at both ends of int8."""
        low, high = (end.detach().cpu().tolist() for end in self.params.ranges())
        return {tensor: (low[place], high[place]) for tensor, place in self.params.group_of.items()}


def _power_of_two(largest: Array) -> Floats:
    """The nearest to each value: dividing by it and multiplying changes no bit. 1 for zeros."""
    return np.asarray(np.exp2(np.round(np.log2(np.where(largest > 0, largest, 1)))), np.float32)


def _one_scale(params: Iterable[Params | None], out: Params | None) -> bool:
    """True in real values, or when all scales are one: steps then need no rounding."""
    if out is None:
        return all(each is None for each in params)
    return all(each is not None and torch.equal(each.scale, out.scale) for each in params)


def _last_uses(steps: Sequence[Step], target: int) -> dict[int, list[int]]:
    """For each step the tensors that nothing reads behind it: they need not be kept."""
    last = {tensor: number for number, step in enumerate(steps) for tensor in (*step.inputs, *step.outputs)}
    gone: dict[int, list[int]] = {}
    for tensor, number in last.items():
        if tensor != target:
            gone.setdefault(number, []).append(tensor)
    return gone
