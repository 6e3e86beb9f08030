"""Why PyTorch could not write a network as ONNX: operator, module, line, and what to write instead."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.errors import PlanError, Refused, StageError, WrongPicture
from exporter.failures import causes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

REFUSED = "PyTorch could not export the network"
LONGEST_REASON = 200  # characters
_OPERATOR = re.compile(
    r"'(?:aten::)(\w+)'"  # tracing: Exporting the operator 'aten::svd' to ONNX …
    r"|export operator (?:aten::)?([\w:]+)"  # … Couldn't export operator aten::lift_fresh
    r"|unrecognized namespace ([\w:]+)"  # … of an operator of nobody's
    r"|OpOverload\(op='(?:aten\.)?([\w.]+)'"  # dynamo
    r"|^(?:aten\.)?([a-z]\w*\.\w+)\.default\s"
)
_BOILERPLATE = re.compile(r"This is step|^Error when translating|^Failed to (?:export|convert)")
_ENDS = (
    " [Caused by",
    ". Please feel free",
    ", Error Nodes",
    ". Failure message",
    ". If you are trying",
    "object at 0x",
)


def not_exported(stage: str, error: BaseException | str, network: Any = None, image: Any = None) -> Refused:
    """The refusal of an export that ended in `error`; `network` run on `image`, NHWC, tells where that arose."""
    from exporter.generators.instead import hint_of_words, instead_of, spelled

    words = plain_line(error) if isinstance(error, BaseException) else error
    operator = operator_in(error) if isinstance(error, BaseException) else ""
    if not operator:
        return Refused(f"{stage}: {REFUSED}: {words}", hint=hint_of_words(words))
    where = _place(network, image, operator)
    hint = instead_of(operator) or "write it with operators that ONNX has"
    return Refused(f"{stage}: {REFUSED}: ONNX has no operator for {spelled(operator)}{where}", hint=hint)


def baked_in(stage: str, network: Any, image: Any, error: StageError) -> StageError:
    """The refusal of a file that is right for the picture it was traced with, and wrong for another."""
    from exporter.generators.instead import instead_of, leaves_torch

    place = _first(network, image, leaves_torch)
    if place is None:
        return error
    return Refused(
        f"{stage}: {REFUSED}: the file would hold numbers of one picture, which {place.operator} takes out of PyTorch "
        f"in {place}",
        hint=instead_of(place.operator),
    )


def one_of(stage: str, failed: Mapping[str, StageError | PlanError]) -> StageError | PlanError:
    """What to say when no way of exporting led to a file: the reason, or one for each way where they differ."""
    said, hints = {}, {}
    for way, error in failed.items():
        problem, _, hints[way] = str(error).partition("\n  hint: ")
        said[way] = problem.removeprefix(f"{stage}: ").removeprefix(f"{REFUSED}: ")
    known = next((way for way, hint in hints.items() if hint), "")
    if all(isinstance(error, WrongPicture) for error in failed.values()):
        return WrongPicture(f"{stage}: no way of exporting gives the network's picture: {_each(said)}")
    kind = PlanError if any(isinstance(error, PlanError) for error in failed.values()) else Refused
    if known or len(set(said.values())) == 1:  # one reason that says what to do is worth more than two
        return kind(f"{stage}: {REFUSED}: {said[known or next(iter(said))]}", hint=hints.get(known, ""))
    return kind(f"{stage}: {REFUSED} either way: {_each(said)}")


def _each(said: Mapping[str, str]) -> str:
    return "; ".join(f"{way}: {words}" for way, words in said.items())


def operator_in(error: BaseException) -> str:
    """`linalg_svd` or `torchvision::deform_conv2d`, when `error` or what led to it says that it is not known."""
    for cause in causes(error):
        if found := _OPERATOR.search(_without_colours(str(cause))):
            return str(next(filter(None, found.groups()))).replace(".", "::")
    return ""


def plain_line(error: BaseException) -> str:
    """What the error says, without colours, dumps of graphs, and advice to its maintainers."""
    lines = [_first_line(cause) for cause in causes(error)]
    first = next((line for line in lines if line and not _BOILERPLATE.search(line)), lines[0]) or type(error).__name__
    first = re.sub(r" object at 0x[0-9a-f]+", "", first)
    first = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from \S+ failed:)?", "", first)
    for end in _ENDS:
        first = first.partition(end)[0]
    return first if len(first) <= LONGEST_REASON else f"{first[:LONGEST_REASON]}…"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in _without_colours(str(error)).splitlines() if line.strip()), "")


def _without_colours(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def _place(network: nn.Module | None, image: Any, operator: str) -> str:
    """`, called in body.3.attn (Attention, net.py:12: …)` when PyTorch calls it there."""
    from exporter.generators.instead import leaves_torch
    from exporter.generators.operator_places import named

    if network is None:
        return ""
    name = operator.rpartition("::")[2]
    place = _first(network, image, leaves_torch if name == "lift_fresh" else named(name))
    return f", called in {place}" if place else ""


def _first(network: Any, image: Any, is_wanted: Any) -> Any:
    import torch

    from exporter.generators.operator_places import first_call

    return first_call(network.network, torch.from_numpy(image.transpose(0, 3, 1, 2).copy()), is_wanted)
