"""State dicts as files hold them: in any wrapper, beside others, under names that tools have lengthened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from exporter.checkpoints.reparametrised import folded_state

# Keys that files hold a network under, the likeliest first: who knows no network takes the first.
WRAPPERS = ("params", "state_dict", "model_state_dict", "model", "net", "generator", "netG", "network", "weights")
_DEEPEST = 16  # wrappers within wrappers: a pickle may hold itself
_DEEPEST_GROUP = 3  # networks within networks, by the beginnings of their names
_LONGEST_LIST = 100_000
# Parts of names that torch.compile, data parallelism, FSDP and DeepSpeed put between a module and its parts.
_TOOLS = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"})
_COUNTERS = frozenset({"total_ops", "total_params"})  # of thop, which profiles a network
_OF_TRAINING = re.compile(r"optim|sched|scaler|rng|^grads?$|exp_avg|momentum", re.IGNORECASE)
_AVERAGED = re.compile(r"(?:^|[^a-z])(?:ema|swa|shadow|averaged?)(?:[^a-z]|$)")


@dataclass(frozen=True, slots=True)
class StateDict:
    """Tensors by name; `where` they lay: keys of the file, then the beginning that their names shared."""

    tensors: Mapping[str, Tensor]
    where: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_averaged(self) -> bool:
        """Whether its name says that it is a moving average of another."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", ".".join(self.where)).lower()
        return bool(_AVERAGED.search(words))

    @property
    def name(self) -> str:
        return ".".join(self.where) or "the file itself"


Weights = Mapping[str, Tensor] | Sequence[StateDict]  # of a file: one state dict, or all that it holds


def listed(weights: Weights) -> list[StateDict]:
    return [StateDict(weights)] if isinstance(weights, Mapping) else list(weights)


def state_dicts(raw: object) -> list[StateDict]:
    """Every state dict in what a file holds, the one to prefer first: averaged weights, then the usual keys."""
    found = list(_walk(raw, (), set()))
    usual = {key: i for i, key in enumerate(WRAPPERS)}

    def rank(state: StateDict) -> tuple[bool, int, int]:
        last = state.where[-1] if state.where else ""
        return not state.is_averaged, usual.get(last, len(usual)), -len(state.tensors)

    return sorted(found, key=rank)


def keys_of(raw: object, most: int = 12) -> list[str]:
    """What a file without weights holds, by name: `epoch`, `args.lr`."""
    if not isinstance(raw, Mapping):
        return []
    names = [f"{key}.{inner}" for key, value in raw.items() for inner in _keys(value)] or []
    return [name[:60] for name in (*map(str, raw), *names) if name.isprintable()][:most]


def _keys(value: object) -> list[object]:
    return list(value)[:5] if isinstance(value, Mapping) else []


def _walk(raw: object, where: tuple[str, ...], seen: set[int]) -> Iterator[StateDict]:
    if id(raw) in seen or len(where) > _DEEPEST:
        return
    if isinstance(raw, Mapping):
        seen.add(id(raw))
        tensors = {key: value for key, value in raw.items() if isinstance(key, str) and isinstance(value, Tensor)}
        if tensors:
            yield StateDict(tensors, where)
        for key, value in raw.items():
            if isinstance(key, str) and not _OF_TRAINING.search(key):
                yield from _walk(value, (*where, key), seen)
    elif isinstance(raw, list | tuple) and 0 < len(raw) <= _LONGEST_LIST:
        seen.add(id(raw))
        if all(isinstance(item, Tensor) for item in raw):
            yield StateDict({str(i): item for i, item in enumerate(raw)}, where)
        else:
            for i, item in enumerate(raw):
                if isinstance(item, Mapping):
                    yield from _walk(item, (*where, str(i)), seen)


def variants(state: StateDict) -> Iterator[StateDict]:
    """`state`, and what it may have been before tools wrapped, profiled, normalised or joined its network.

    Each is tried in turn: names as they are, without what tools put into them, with normalised weights folded; and of
    each the parts that share the beginning of their names.
    """
    forms = [state]
    for change in (_without_tools, _folded, _without_module):
        changed = change(forms[-1])
        if changed.tensors.keys() != forms[-1].tensors.keys():
            forms.append(changed)
    for form in forms:
        yield form
        yield from _parts(form, _DEEPEST_GROUP)


def tidied(state: StateDict) -> StateDict:
    """`state` as its network knows it, as far as that can be told without the network."""
    state = _folded(_without_tools(state))
    while prefix := next((p for p in ("module.", "netG.") if all(key.startswith(p) for key in state.tensors)), ""):
        state = replace(state, tensors={key.removeprefix(prefix): value for key, value in state.tensors.items()})
    return state


def _parts(state: StateDict, depth: int) -> Iterator[StateDict]:
    groups: dict[str, dict[str, Tensor]] = {}
    for key, value in state.tensors.items():
        head, dot, rest = key.partition(".")
        groups.setdefault(head if dot else "", {})[rest if dot else key] = value
    whole = len(groups) == 1
    if depth == 0 and not whole:
        return
    for head, tensors in groups.items():
        if head and (whole or len(tensors) > 1):
            part = replace(state, tensors=tensors, where=(*state.where, head))
            yield part
            yield from _parts(part, depth if whole else depth - 1)


def _without_tools(state: StateDict) -> StateDict:
    return _renamed(state, _TOOLS, _COUNTERS)


def _without_module(state: StateDict) -> StateDict:
    return _renamed(state, frozenset({"module"}), frozenset())


def _renamed(state: StateDict, parts: frozenset[str], dropped: frozenset[str]) -> StateDict:
    """Without these parts of names, and without tensors that are called so; as it was when two then bear one name."""
    renamed = {key: without_parts(key, parts) for key in state.tensors if key.rpartition(".")[2] not in dropped}
    if len(set(renamed.values())) < len(renamed):
        return state
    return replace(state, tensors={name: state.tensors[key] for key, name in renamed.items()})


def without_parts(name: str, parts: frozenset[str] = _TOOLS) -> str:
    return ".".join(part for part in name.split(".") if part not in parts)


def _folded(state: StateDict) -> StateDict:
    tensors, notes = folded_state(state.tensors)
    return replace(state, tensors=tensors, notes=(*state.notes, *notes))
