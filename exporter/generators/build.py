"""Networks by the name of their architecture. Importing this imports no torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import ExportError, MissingTool, RecipeError
from exporter.generators.base import MISSING_ZOO, GeneratorInfo
from exporter.generators.table import GENERATORS, ZOO
from exporter.generators.users_code import FAILS_WITH, said_by
from exporter.suggestions import did_you_mean, shortened

if TYPE_CHECKING:
    from torch import nn


def generator_info(arch: str, range: tuple[float, float] | None = None, multiple: int = 1) -> GeneratorInfo:
    """The entry for a known name, or one made for `package.module:Class`.

    `range` and `multiple` describe a network this project does not know; a known one has its own.
    Raises RecipeError for a name that is neither, MissingTool for `spandrel` without the package.
    """
    if arch == ZOO.name:
        if find_spec(ZOO.name) is None:
            raise MissingTool(f"model.arch: {ZOO.name} is not installed", hint=MISSING_ZOO)
        return ZOO
    for info in GENERATORS:
        if info.name == arch:
            return info
    if ":" in arch:
        words = ("unknown", f"user network {arch}")
        return GeneratorInfo(arch, arch, multiple, *words, range=range or (0.0, 1.0), scale=None)
    known = did_you_mean(arch, [info.name for info in (*GENERATORS, ZOO)])
    raise RecipeError(f"model.arch: no architecture is named {shortened(arch)!r}{known}; or package.module:Class")


def network_class(info: GeneratorInfo) -> type[nn.Module]:
    """The class itself. Raises RecipeError if it cannot be imported or is no torch.nn.Module; nothing is called."""
    from torch import nn

    module_name, _, class_name = info.network.partition(":")
    is_ours = info in (*GENERATORS, ZOO)
    if not is_ours and str(Path.cwd()) not in sys.path:  # a console script does not look there by itself
        sys.path.append(str(Path.cwd()))
    try:
        found = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"model.arch: cannot import {info.network!r}: {error}") from None
    except MemoryError:
        raise
    except FAILS_WITH as error:  # whatever the user's own module does when it is imported
        raise RecipeError(f"model.arch: cannot import {info.network!r}: {said_by(error)}") from error
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise RecipeError(f"model.arch: {info.network} is no class of torch.nn.Module")
    network: type[nn.Module] = found
    return network


def build_network(info: GeneratorInfo, kwargs: Mapping[str, Any]) -> nn.Module:
    """The bare network with random weights. Raises RecipeError if it cannot be imported or built."""
    from exporter.generators.hidden_methods import hidden_method
    from exporter.generators.instead import hint_of_words

    found = network_class(info)
    try:
        network = found(**kwargs)
    except (ExportError, MemoryError):
        raise
    except FAILS_WITH as error:
        given = shortened(repr(dict(kwargs)), 200)
        said = said_by(error)
        problem = f"model.kwargs: {info.network} refuses {given}: {said}"
        raise RecipeError(problem, hint=hint_of_words(said)) from error
    if problem := hidden_method(network):
        raise RecipeError(f"model.arch: {problem}")
    return not_compiled(network)


def not_compiled(network: nn.Module) -> nn.Module:
    """`network` with parts that its class compiles (torch.compile) as they were before: nothing here needs them so."""
    from torch._dynamo.eval_frame import OptimizedModule

    for module in list(network.modules()):
        for name, part in module.named_children():
            if isinstance(part, OptimizedModule):
                setattr(module, name, part._orig_mod)
    return network
