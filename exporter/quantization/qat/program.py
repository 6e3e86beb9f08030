"""A .tflite as a list of steps in plain Python and NumPy, which can be copied and stored as a torch module wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from exporter.graph.tflite_editor import TfliteGraph

Array = NDArray[Any]

ACTIVATIONS = (None, "RELU", "RELU_N1_TO_1", "RELU6")  # by their numbers in the schema
SAME = 0  # padding


class Unsimulated(ValueError):
    """An operator, or a form of one, that torch does not run here; the text says which."""


@dataclass(frozen=True)
class Step:
    """One operator. Tensors are numbers in the file."""

    kind: str
    name: str  # of its first output
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]
    shapes: tuple[tuple[int, ...], ...]  # of `inputs`, in the file: training crops have another size
    output_shape: tuple[int, ...]
    constants: dict[int, Array]  # by position in `inputs`: integers that are axes, sizes, paddings

    @property
    def activation(self) -> str | None:
        number = int(self.options.get("fusedActivationFunction", 0) or 0)
        if number >= len(ACTIVATIONS):
            raise self.unsimulated("its activation function")
        return ACTIVATIONS[number]

    @property
    def same_padding(self) -> bool:
        return int(self.options["padding"]) == SAME

    @property
    def strides(self) -> tuple[int, int]:
        return int(self.options["strideH"]), int(self.options["strideW"])

    @property
    def dilations(self) -> tuple[int, int]:
        return int(self.options.get("dilationHFactor", 1)), int(self.options.get("dilationWFactor", 1))

    def numbers(self, position: int) -> tuple[int, ...]:
        """The integers in the constant input at `position`."""
        if position not in self.constants:
            raise self.unsimulated("a size that is computed")
        return tuple(int(number) for number in self.constants[position].reshape(-1))

    def unsimulated(self, what: str) -> Unsimulated:
        return Unsimulated(f"{self.kind} {self.name} cannot be simulated in torch: {what} is not covered")


@dataclass(frozen=True)
class Program:
    steps: tuple[Step, ...]
    source: int
    target: int
    dtypes: dict[int, str]
    constants: dict[int, Array]
    params: dict[int, tuple[Array, Array]]  # scales (float32) and zero points of the int8 and int32 tensors


def read_program(content: bytes) -> Program:
    """Raises Unsimulated for a file with several inputs or outputs."""
    graph = TfliteGraph(content)
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise Unsimulated(f"a file with {len(graph.inputs)} inputs and {len(graph.outputs)} outputs is not simulated")
    used = {tensor for op in graph.operators for tensor in (*op.inputs, *op.outputs) if tensor >= 0}
    values = {tensor: graph.constant(tensor) for tensor in used}
    constants = {tensor: value for tensor, value in values.items() if value is not None}
    params = {tensor: stored for tensor in used if (stored := graph.quantization(tensor)) is not None}
    steps = tuple(_step(graph, operator, constants) for operator in graph.operators)
    dtypes = {tensor: graph.dtype(tensor) for tensor in used}
    return Program(steps, graph.inputs[0], graph.outputs[0], dtypes, constants, params)


def _step(graph: TfliteGraph, operator: Any, constants: dict[int, Array]) -> Step:
    integers = {
        position: constants[tensor]
        for position, tensor in enumerate(operator.inputs)
        if tensor in constants and graph.dtype(tensor) in ("INT32", "INT64")
    }
    return Step(
        kind=graph.kind(operator),
        name=graph.name(operator.outputs[0]),
        inputs=tuple(operator.inputs),
        outputs=tuple(operator.outputs),
        options={} if operator.builtinOptions is None else dict(vars(operator.builtinOptions)),
        shapes=tuple(graph.shape(tensor) if tensor >= 0 else () for tensor in operator.inputs),
        output_shape=graph.shape(operator.outputs[0]),
        constants=integers,
    )
