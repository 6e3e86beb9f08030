"""The code of a network, for the keys of what was made by running it. Imports no network."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from exporter.errors import CheckpointError
from exporter.generators.build import generator_info
from exporter.generators.description import read_description
from exporter.sources import Code, code_of


def network_code(arch: str) -> Code:
    """What building and running the network `arch` runs: its module and what that imports, ours or the user's.

    Raises RecipeError for a name that is no architecture.
    """
    info = generator_info(arch)
    entry = repr((info.network, info.multiple, info.range, info.scale, info.padding))
    described = Code({f"architecture {arch}": sha256(entry.encode()).hexdigest()}, {})
    return described | code_of(info.network.partition(":")[0])


def code_of_network_file(path: Path) -> Code:
    """`network_code` of what a network file says it is of; nothing for a file that is none of ours."""
    try:
        return network_code(read_description(path).arch)
    except CheckpointError:
        return Code({}, {})
