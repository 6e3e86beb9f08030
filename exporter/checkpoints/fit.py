"""Which weights of a file belong to a network, and how the two differ when none do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from exporter.checkpoints.misfit import likely_cause, shapes_apart
from exporter.checkpoints.reparametrised import fold_network
from exporter.checkpoints.state_dicts import StateDict, Weights, listed, variants, without_parts
from exporter.errors import CheckpointError, Misfit
from exporter.figures import counted

_STATISTICS = ("running_mean", "running_var")
# What a training module holds beside its network; weights of these names are no reason to doubt the rest.
_OF_TRAINING = re.compile(
    r"(?:^|_)(?:criterion|criteria|loss\w*|lpips|perceptual\w*|percep|vgg\w*|discriminator\w*|net_?d|critic|metrics?)"
    r"(?:_|\d|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fit:
    """How a state dict and a network go together, tensors by the network's own names."""

    tensors: dict[str, Tensor]
    own: int  # tensors the network has
    dead: tuple[str, ...]  # official names nothing uses
    aliased: int  # official names of a tensor that has another name too
    built: tuple[str, ...]  # buffers that the file lacks and the class makes itself
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    misshapen: tuple[str, ...]
    apart: tuple[str, ...] = ()  # the misshapen ones with both shapes

    def __bool__(self) -> bool:
        return not (self.missing or self.unknown or self.misshapen)

    @property
    def share(self) -> float:
        """Tensors that fit, of all either side has."""
        wrong = len(self.unknown) + len(self.missing) + len(self.misshapen)
        return max(0.0, 1 - wrong / max(1, self.own + len(self.unknown)))

    def differences(self) -> str:
        return (
            f"{_listed('missing', self.missing)}{_listed('unknown', self.unknown)}"
            f"{_listed('of another shape', self.apart, len(self.misshapen))}"
        ).rstrip("; ")


def fit(network: nn.Module, state: Mapping[str, Tensor]) -> Fit:
    """Compare names and shapes; `network` may be on the meta device."""
    rename = getattr(network, "official_key", lambda key: key)
    optional = getattr(network, "optional_key", lambda key: False)
    named = {key: rename(key) for key in state}
    tensors = {name: state[key] for key, name in named.items() if name is not None}
    own = network.state_dict()
    buffers = dict(network.named_buffers())
    spare = {name for name in tensors.keys() - own.keys() if name in buffers or _is_unread_statistic(network, name)}
    lacking = [k for k in own.keys() - tensors.keys() if not k.endswith("num_batches_tracked") and not optional(k)]
    built = [k for k in lacking if k in buffers and k.rpartition(".")[2] not in _STATISTICS]
    misshapen = [k for k in own if k in tensors and own[k].shape != tensors[k].shape]
    return Fit(
        tensors={name: tensor for name, tensor in tensors.items() if name not in spare},
        own=len(own),
        dead=(*(key for key, name in named.items() if name is None), *sorted(spare)),
        aliased=sum(name is not None for name in named.values()) - len(tensors),
        built=tuple(sorted(built)),
        missing=tuple(sorted(set(lacking) - set(built))),
        unknown=tuple(sorted(tensors.keys() - own.keys() - spare)),
        misshapen=tuple(misshapen),
        apart=tuple(shapes_apart(k, tensors[k], own[k]) for k in misshapen[:3]),
    )


def _is_unread_statistic(network: nn.Module, name: str) -> bool:
    """Whether `name` is a running statistic of a norm that keeps none: files of before PyTorch 0.4 store them."""
    layer, _, last = name.rpartition(".")
    if last not in (*_STATISTICS, "num_batches_tracked"):
        return False
    try:
        module = network.get_submodule(layer)
    except AttributeError:
        return False
    return isinstance(module, _NormBase) and not module.track_running_stats


def load_into(network: nn.Module, weights: Weights, path: Path, arch: str) -> list[str]:
    """Fill `network` with the weights of the file that are its own; lines on what was chosen, changed and left out.

    `weights` is all that `read_weights` found, or one state dict. Averaged weights go before raw ones. A network whose
    class normalises its weights itself and whose file holds them folded has its layers folded, too.

    Raises Misfit that names the tensors when nothing fits, CheckpointError when several do, and for NaN and integers.
    """
    chosen, found = choose(network, listed(weights), path, arch)
    _refuse_non_finite(found.tensors, frozenset(name for name, _ in network.named_buffers()), path)
    _refuse_integers(network, found.tensors, path)
    network.load_state_dict(found.tensors, strict=False)
    return [*chosen.notes, *_remarks(found)]


def _remarks(found: Fit) -> list[str]:
    left_out = len(found.dead) + found.aliased
    example = f" ({found.dead[0]} …)" if found.dead else ""
    lines = [f"{left_out} dead or aliased tensors left out{example}"] if left_out else []
    if found.built:
        lines.append(f"{counted(len(found.built), 'buffer')} of the class, which the file lacks ({found.built[0]} …)")
    return lines


def choose(network: nn.Module, states: Sequence[StateDict], path: Path, arch: str) -> tuple[StateDict, Fit]:
    """The state dict that is `network`'s, with notes on the choice. Raises CheckpointError."""
    fitting = _fitting(network, states)
    if not fitting and fold_network(network):
        fitting = _fitting(network, states)
    if not fitting:
        raise _misfit(network, states, path, arch)
    averaged = [pair for pair in fitting if pair[0].is_averaged]
    first, *others = averaged or fitting
    for other, found in others:
        if not _same(first[1].tensors, found.tensors):
            names = " and ".join(f"'{state.name}'" for state, _ in (averaged or fitting))
            raise CheckpointError(
                f"{path} holds several networks that fit {arch}, with different weights: {names}",
                hint=f"say which: {' or '.join(f'model.weights={state.name}' for state, _ in (averaged or fitting))}; "
                f"or save it alone, for instance {_save_alone(other, path)}",
            )
    notes = []
    if averaged and len(averaged) < len(fitting):
        raw = next(state for state, _ in fitting if not state.is_averaged)
        notes.append(f"the averaged weights of '{first[0].name}' are taken, not those of '{raw.name}'")
    return replace(first[0], notes=(*first[0].notes, *notes, *_left_aside(first[0], states))), first[1]


def _fitting(network: nn.Module, states: Sequence[StateDict]) -> list[tuple[StateDict, Fit]]:
    """Of each state dict the variants that fit: the first of them, or all that lie side by side in it."""
    fitting: list[tuple[StateDict, Fit]] = []
    for state in states:
        places: set[tuple[str, ...]] = set()
        for variant in variants(state):
            if any(variant.where[: len(place)] == place for place in places):
                continue
            found = _fit_official(network, variant)
            if found:
                places.add(variant.where)
                fitting.append((variant, found))
                if variant.where == state.where:
                    break
    return [*_completed_averages(network, states, fitting), *fitting]


def _fit_official(network: nn.Module, state: StateDict) -> Fit | None:
    """None when it does not fit."""
    official = getattr(network, "official_state", None)
    try:
        tensors = official(state.tensors) if official else _by_own_names(network, state.tensors)
    except ValueError:
        return None
    found = fit(network, tensors)
    if found.unknown and not (found.missing or found.misshapen) and _is_of_training(network, found.unknown):
        kept = {name: tensor for name, tensor in found.tensors.items() if name not in found.unknown}
        found = replace(found, tensors=kept, dead=(*found.dead, *found.unknown), unknown=())
    return found or None


def _by_own_names(network: nn.Module, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Under the names of a network that its own class compiles or wraps, or of whose average a tool took the dots."""
    own = network.state_dict()
    if own.keys() == tensors.keys():
        return tensors
    plain = {without_parts(name): name for name in own}
    if not any("." in name for name in tensors):
        plain |= {name.replace(".", ""): name for name in own}
        tensors = {name: tensor for name, tensor in tensors.items() if name in plain or tensor.ndim}  # `decay`
    return {plain.get(name, name): tensor for name, tensor in tensors.items()}


def _completed_averages(
    network: nn.Module, states: Sequence[StateDict], fitting: Sequence[tuple[StateDict, Fit]]
) -> list[tuple[StateDict, Fit]]:
    """Averages of the parameters alone, by name or in their order, with the buffers of the weights they are of."""
    raw = next((pair for pair in fitting if not pair[0].is_averaged), None)
    if raw is None or any(state.is_averaged for state, _ in fitting):
        return []
    names = [name for name, _ in network.named_parameters()]
    completed = []
    for variant in (variant for state in states if state.is_averaged for variant in variants(state)):
        tensors = dict(_by_own_names(network, variant.tensors))
        if list(tensors) == [str(i) for i in range(len(names))]:
            tensors = dict(zip(names, tensors.values(), strict=True))
        if set(names) <= tensors.keys():
            found = fit(network, {**raw[1].tensors, **{name: tensors[name] for name in names}})
            note = f"with the buffers of '{raw[0].name}'"
            completed += [(replace(variant, notes=(*variant.notes, note)), found)] if found else []
            break
    return completed


def _is_of_training(network: nn.Module, names: Iterable[str]) -> bool:
    """Whether these lie in modules that only training has, and that `network` has none of."""
    own = {name for name, _ in network.named_children()}
    heads = {name.partition(".")[0] for name in names}
    return not heads & own and all(_OF_TRAINING.search(head) for head in heads)


def _same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return all(_equal(tensor, other[name]) for name, tensor in one.items() if name in other)


def _equal(one: Tensor, other: Tensor) -> bool:
    """NaN is NaN here: it is refused by its name, not taken for another network's weight."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _save_alone(state: StateDict, path: Path) -> str:
    keys = "".join(f"[{key!r}]" for key in state.where)
    return f"torch.save(torch.load({path.name!r}, weights_only=True){keys}, 'weights.pth')"


def _left_aside(chosen: StateDict, states: Sequence[StateDict]) -> list[str]:
    """The beginning that the names of the file had, and what else lay beside it there."""
    home = next((s for s in states if s.where == chosen.where[: len(s.where)] and s.where != chosen.where), None)
    if home is None:
        return []
    inside = chosen.where[len(home.where) :]
    prefix = ".".join(inside)
    others = {_apart(key.split("."), inside) for key in home.tensors if not key.startswith(f"{prefix}.")}
    if others:
        return [f"the weights under '{prefix}.' are taken; left out: {', '.join(sorted(others)[:6])}"]
    return [] if prefix in ("module", "netG") else [f"the names of its tensors begin with '{prefix}.', left out"]


def _apart(parts: Sequence[str], inside: Sequence[str]) -> str:
    """The beginning of a name up to where it leaves another's."""
    same = next((i for i, (one, other) in enumerate(zip(parts, inside, strict=False)) if one != other), 0)
    return ".".join(parts[: same + 1])


def _misfit(network: nn.Module, states: Sequence[StateDict], path: Path, arch: str) -> Misfit:
    """How the nearest of all that the file holds differs, and why that may be."""
    official = getattr(network, "official_state", None)
    if official:
        official(states[0].tensors)  # raises ValueError, which says what is wrong with it
    near = [
        (fit(network, _by_own_names(network, variant.tensors)), variant)
        for state in states
        for variant in variants(state)
    ]
    nearest, where = max(near, key=lambda pair: pair[0].share, default=(fit(network, {}), StateDict({})))
    lacking = {name.rpartition(".")[2] for name in nearest.missing}
    cause = likely_cause(network.state_dict(), nearest.tensors)
    if lacking and lacking <= set(_STATISTICS) and not nearest.unknown:
        cause = "parameters without the statistics of norms: save network.state_dict(), not named_parameters()"
    held = [f"'{state.name}'" for state in states if state.where]
    among = f" (nearest of {', '.join(held[:8])}: '{where.name}')" if len(held) > 1 else ""
    return Misfit(
        f"{path} does not fit {arch}{among}: {nearest.differences()}",
        hint="; ".join(filter(None, (cause, "check model.arch and model.kwargs"))),
    )


def _refuse_non_finite(state: Mapping[str, Tensor], buffers: Collection[str], path: Path) -> None:
    """Infinite numbers are for buffers: a mask of attention holds them."""
    for key, value in state.items():
        if value.is_floating_point() and not bool((value == value if key in buffers else torch.isfinite(value)).all()):
            raise CheckpointError(f"{path}: {key} holds NaN or infinite weights")


def _refuse_integers(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Codes of a quantised network are no weights: what each stands for is said elsewhere."""
    own = network.state_dict()
    for key, value in state.items():
        if key in own and own[key].is_floating_point() and not value.is_floating_point() and value.numel() > 1:
            raise CheckpointError(
                f"{path}: {key} holds {str(value.dtype).removeprefix('torch.')}, where the network has real numbers",
                hint="these are codes of a quantised network: name the float weights that it was made from",
            )


def _listed(what: str, keys: Sequence[str], count: int | None = None, shown: int = 3) -> str:
    count = len(keys) if count is None else count
    return f"{count} {what} ({', '.join(keys[:shown])}{' …' if count > shown else ''}); " if keys else ""
