"""Which module of the user's network an ONNX node comes from, told by the names that PyTorch gives its nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SCOPES = "pkg.torch.onnx.name_scopes"  # of a node that dynamo wrote: the modules around it, outermost first
WRAPPER = "network"  # what our own modules around the user's call it


def module_path(node_name: str) -> str:
    """`/network/body/body.3/attn/MatMul_1` → `body.3.attn`; "" for an operator of the network's own forward."""
    path: list[str] = []
    for scope in node_name.split("/")[1:-1]:
        inner = scope.removeprefix(f"{path[-1]}.") if path and scope.startswith(f"{path[-1]}.") else ""
        path = [*path[:-1], f"{path[-1]}.{inner}"] if inner else [*path, scope]
    parts = ".".join(path).split(".")
    while parts and parts[0] == WRAPPER:
        parts = parts[1:]
    return ".".join(parts)


def name_after_modules(nodes: Iterable[Any]) -> None:
    """Give nodes that dynamo wrote names that say their module, as those have that tracing wrote."""
    for node in nodes:
        scopes = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "")
        modules = [part.strip(" '\"") for part in scopes.strip("[]").split(",")][:-1]  # the last is the node itself
        if innermost := next((module for module in reversed(modules) if module), ""):
            node.name = f"/{innermost}/{node.name}"


def place_of(op: str, node: str, before: Iterable[str] = ()) -> str:
    """`operator Erf in body.3.attn`, for a sentence; `before`: names of the nodes that lead to an unnamed one."""
    named = next((name for name in (node, *before) if "/" in name), "")
    if not named:
        return f"operator {op}{f' (node {node})' if node else ''}"
    return f"operator {op} in {module_path(named) or 'the forward of the network itself'}"
