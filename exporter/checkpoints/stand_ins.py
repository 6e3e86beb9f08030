"""Objects that training scripts keep beside weights (options, paths, numbers of numpy): read as stand-ins, never made.

A pickle names classes and functions to call. For the ones below, which hold settings and nothing that a network needs,
an inert object is put in their place: whatever the pickle says of them, no code of theirs runs or is imported.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import Any

# Classes derived from dict must stand in as one: the pickle fills them key by key.
_DICTS = re.compile(
    r"(pytorch_lightning|lightning|lightning_fabric)\.[\w.]*AttributeDict|easydict\.EasyDict|addict\.\w+\.Dict"
    r"|yacs\.config\.CfgNode|(mmcv|mmengine)\.[\w.]*ConfigDict|munch\.Munch|box\.Box|ml_collections\.[\w.]*ConfigDict"
)
_MAKERS = re.compile(r"collections\.defaultdict")
_OBJECTS = re.compile(
    r"argparse\.Namespace|types\.SimpleNamespace|pathlib\.\w+|(datetime|decimal|fractions|uuid|enum)\.\w+"
    r"|omegaconf\.[\w.]+|collections\.deque|typing\.\w+|_codecs\.encode|numpy\.(dtype|ndarray|bool_?|u?int\d+|float\d+)"
    r"|numpy\.(core|_core)\.(multiarray|numeric)\.(scalar|_reconstruct|_frombuffer)|numpy\.dtypes\.\w+"
    r"|(builtins\.)?(list|dict|set|frozenset|tuple|int|float|str|bool|complex|bytes|bytearray|object|slice|range)"
    r"|(pytorch_lightning|lightning|lightning_fabric)\.[\w.]*(Enum|Type|State|Callback|Checkpoint)\w*"
)
_REFUSED = re.compile(r"GLOBAL (\S+) was not an allowed global")


class StandIn:
    """In place of an object whose content does not matter."""

    def __new__(cls, *_: object, **__: object) -> StandIn:
        return super().__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def _empty(*_: object) -> OrderedDict[Any, Any]:
    return OrderedDict()


def refused_name(error: Exception) -> str:
    """What torch's reader said that it will not call, `package.module.Name`; empty when it said something else."""
    found = _REFUSED.search(str(error))
    return found[1][:200] if found else ""


def stand_in(name: str) -> tuple[Any, str] | None:
    """What to put in the place of `name`, with all that it may be called; None for what is not known to be harmless."""
    if _DICTS.fullmatch(name):
        return OrderedDict, name
    if _MAKERS.fullmatch(name):
        return _empty, name
    if _OBJECTS.fullmatch(name):
        return StandIn, name if "." in name else f"builtins.{name}"
    return None
