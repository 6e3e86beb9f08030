"""What TensorFlow Lite and LiteRT write to their log of a delegate: how many operators it took, and why not the others.

The same lines come from an engine on this machine, from benchmark_model, and from logcat, which puts a head before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HEAD = re.compile(
    r"^(?:[\d-]+ [\d:.]+ +\d+ +\d+ )?[VDIWEF][/ ]\S+?\s*(?:\( *\d+\))?: |^(?:VERBOSE|INFO|WARNING|ERROR): "
)
_REFUSED = re.compile(
    r"not supported by GPU delegate:\n(.*?)\n(\d+|No) operations will run on the GPU, and .*?(\d+) operations", re.S
)
_REPLACED = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \((\w+)\) node")
_APPLIED = re.compile(r"xplicitly applied.*? the model graph will (?:not )?be (completely|partially)?")


@dataclass(frozen=True, slots=True)
class DelegateLog:
    """`refused` maps an operator to the reason; `taken` of `operators` is None where the log does not count. `whole`:
    whether the delegate that was asked for took all, None where the log does not say."""

    refused: dict[str, str] = field(default_factory=dict)
    taken: int | None = None
    operators: int | None = None
    whole: bool | None = None

    @property
    def verdict(self) -> str:
        """`whole`, `4 of 5, because PACK (…)`, or as much of it as the log says; empty when it says nothing."""
        if self.whole:
            return "whole"
        if self.whole is None:
            return ""
        counted = "part of it" if self.taken is None else f"{self.taken} of {self.operators} operators"
        because = ", ".join(f"{kind} ({why or 'no reason given'})" for kind, why in self.refused.items())
        return counted + (f", because {because}" if because else "")


def read_delegate_log(text: str) -> DelegateLog:
    """What `text` says of the delegate that was asked for; of several that were applied, the first."""
    log = "\n".join(_HEAD.sub("", line) for line in text.splitlines())
    counted = _REFUSED.search(log)
    if counted:
        taken = 0 if counted[2] == "No" else int(counted[2])
        return DelegateLog(refused_in(log), taken, taken + int(counted[3]), False)
    replaced, applied = _REPLACED.search(log), _APPLIED.search(log)
    if replaced:
        taken, operators = int(replaced[1]), int(replaced[2])
        return DelegateLog({}, taken, operators, taken == operators)
    return DelegateLog(whole=None if applied is None else applied[1] == "completely")


def refused_in(log: str) -> dict[str, str]:
    """Operators by name. When any is refused, the engine lists the DEQUANTIZE of stored weights along, without a word:
    they would be taken if the others were."""
    found = _REFUSED.search(log)
    if not found:
        return {}
    reasons: dict[str, list[str]] = {}
    for line in found.group(1).splitlines():
        kind, _, why = line.partition(":")
        reasons.setdefault(kind.strip(), []).append(why.strip())
    said = {kind: " / ".join(dict.fromkeys(filter(None, whys))) for kind, whys in reasons.items()}
    return {kind: why for kind, why in said.items() if why} or said


def left_to_cpu(log: str) -> int:
    """How many operators a GPU leaves to the CPU; 0 where the log tells of none."""
    found = _REFUSED.search(log)
    return int(found.group(3)) if found else 0
