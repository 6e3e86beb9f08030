"""Every network that spandrel can load, under the one name `spandrel`; optional extra `zoo`.

spandrel (chaiNNer team, MIT) finds out from a state dict which of its architectures it belongs to and how it was built.
Here that becomes a network like any other: rebuilt from its hyper-parameters without the checkpoint, filled up to the
size it needs as spandrel fills it, and clamped to 0..1 as spandrel clamps it. The licence of weights is their own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import version
from types import ModuleType
from typing import Any, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.errors import MissingTool
from exporter.generators.base import MISSING_ZOO
from exporter.generators.outline import counted, require_plain

MOST_BYTES = 4 << 30  # of weights and buffers; AuraSR, its largest, has 2.5 GB

# What spandrel raises for a state dict that only begins like one of its networks.
_MISFITS = (AssertionError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)


class SpandrelNetwork(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to the same or a whole number of times the size; any size.

    architecture  spandrel's id of it, such as "NAFNet"
    network       its class, "module:Class", one of those that spandrel's registry says this architecture builds
    parameters    the class's arguments

    All three may be a stranger's word: ValueError for what spandrel does not build, or only beyond all bounds.
    """

    def __init__(self, architecture: str, network: str, parameters: dict[str, Any]) -> None:
        super().__init__()
        registered, kind = _registered(architecture, network)
        require_plain(parameters)
        with counted(MOST_BYTES):
            random = kind(**parameters)
        described = registered.load(random.state_dict())
        self.network = described.model
        self.architecture, self.tags, self.scale = architecture, described.tags, described.scale
        self.size_rule, self.discouraged = described.size_requirements, described.tiling.name == "DISCOURAGED"
        self._call = described._call_fn

    def forward(self, x: Tensor) -> Tensor:
        height, width = int(x.shape[2]), int(x.shape[3])
        right, below = self.size_rule.get_padding(width, height)
        y: Tensor = self._call(self.network, _fill_up(x, below, right)).clamp(0, 1)
        return y[:, :, : height * self.scale, : width * self.scale] if below or right else y

    def load_warnings(self) -> list[str]:
        words = ", ".join(self.tags)
        lines = [f"spandrel {version('spandrel')} knows it as {self.architecture}{f' ({words})' if words else ''}"]
        rule = self.size_rule
        if not rule.none:
            needs = [f"at least {rule.minimum} px"] if rule.minimum else []
            needs += [f"multiples of {rule.multiple_of} px"] if rule.multiple_of > 1 else []
            needs += ["square pictures"] if rule.square else []
            lines.append(
                f"it needs {', '.join(needs)}; other sizes are mirrored at the bottom and right, as spandrel does"
            )
        if self.discouraged:
            lines.append("spandrel advises against tiles: it looks at the picture as a whole")
        return lines

    def official_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The official state dict under our names; spandrel turns older layouts of a checkpoint into today's.

        Raises ValueError for one of another network.
        """
        loaded = _described(state).model.state_dict()
        return {f"network.{key}": value for key, value in loaded.items()}

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        found = _described(state)
        kind = type(found.model)
        return {
            "architecture": str(found.architecture.id),
            "network": _name(kind),
            "parameters": {key: value for key, value in found.model.hyperparameters.items() if _is_plain(value)},
        }


def import_spandrel() -> Any:
    """The package. Raises MissingTool when it is not installed.

    torchvision's ordinary wheel is built for CUDA. Beside a PyTorch for the CPU its compiled operators are missing and
    its registration of their shapes fails, which spandrel, that uses none of them, need not care about.
    """
    try:
        return import_module("spandrel")
    except ModuleNotFoundError as error:
        raise MissingTool(f"model.arch: spandrel cannot be imported: {error}", hint=MISSING_ZOO) from None
    except RuntimeError:
        for name in [name for name in sys.modules if name.split(".")[0] in ("spandrel", "torchvision")]:
            del sys.modules[name]
        sys.modules["torchvision._meta_registrations"] = ModuleType("torchvision._meta_registrations")
        return import_module("spandrel")


def _registered(architecture: str, network: str) -> tuple[Any, type[nn.Module]]:
    """spandrel's architecture of that id, and the class called `network` among those it is declared to build.

    Nothing is imported or looked up by the name itself: modules of spandrel hold other things than networks.
    """
    known = import_spandrel().MAIN_REGISTRY.architectures("detection")
    found = next((support.architecture for support in known if support.architecture.id == architecture), None)
    if found is None:
        raise ValueError(f"spandrel {version('spandrel')} has no architecture {str(architecture)[:100]!r}")
    (declared,) = get_args(type(found).__orig_bases__[0])  # Architecture[RCAN], or of a union of classes
    for kind in get_args(declared) or (declared,):
        if _name(kind) == network and issubclass(kind, nn.Module):
            return found, kind
    raise ValueError(f"{str(network)[:100]!r} is no network of spandrel's {architecture}")


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def name_in_zoo(state: Mapping[str, Tensor]) -> str | None:
    """spandrel's name for the network that these tensors make up, all of them; None when there is none."""
    try:
        return str(_described(state).architecture.name)
    except ValueError:
        return None


def _described(state: Mapping[str, Tensor]) -> Any:
    """spandrel's description of the network with its weights. Raises ValueError when it has none, or none for us."""
    spandrel = import_spandrel()
    known = spandrel.MAIN_REGISTRY.architectures("detection")
    likely = next((support.architecture for support in known if support.detect(dict(state))), None)
    if likely is None:
        shown = ", ".join(sorted(state)[:3])
        raise ValueError(f"spandrel {version('spandrel')} knows no network whose tensors are called {shown} …")
    try:
        found = likely.load(dict(state))
    except _MISFITS as error:
        reason = f"no tensor is named {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:300]
        raise ValueError(f"spandrel takes it for {likely.name}, but {reason or type(error).__name__}") from None
    if not isinstance(found, spandrel.ImageModelDescriptor):
        raise ValueError(f"{likely.name} wants a mask beside the picture; an exported file has one input")
    channels = (found.input_channels, found.output_channels)
    if channels != (3, 3):
        raise ValueError(f"this {likely.name} takes {channels[0]} channels and gives {channels[1]}; pictures are RGB")
    return found


def _fill_up(x: Tensor, below: int, right: int) -> Tensor:
    """Mirrored without the border pixel as far as the picture reaches, the rest its last row and column again."""
    if not (below or right):
        return x.clone()  # some networks scale their input in place
    rows, columns = min(below, int(x.shape[2]) - 1), min(right, int(x.shape[3]) - 1)
    x = F.pad(x, (0, columns, 0, rows), "reflect")
    rest = (0, right - columns, 0, below - rows)
    return F.pad(x, rest, "replicate") if any(rest) else x


def _is_plain(value: object) -> bool:
    """Whether JSON can keep it; what it cannot (a layer's type) is every time the default."""
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float, str)) and not isinstance(value, torch.Tensor)
