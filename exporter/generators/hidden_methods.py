"""Attributes of a user's network that hide a method of torch.nn.Module, or that one of its methods hides."""

from __future__ import annotations

from torch import nn

# What torch calls on a network and on its parts to run, save and fill it; without them it is no module.
_CALLED = frozenset(
    {"apply", "buffers", "children", "eval", "load_state_dict", "modules", "named_buffers", "named_children"}
    | {"named_modules", "named_parameters", "parameters", "register_buffer", "register_forward_hook"}
    | {"requires_grad_", "state_dict", "to", "train"}
)


def hidden_method(network: nn.Module) -> str:
    """What is wrong with the first such attribute, by its path; empty when there is none.

    A plain value in the place of a method that is never called (`self.half = width // 2`) does no harm.
    """
    for path, module in nn.Module.named_modules(network):
        registered = {**module._modules, **module._parameters, **module._buffers}
        where = f"{type(network).__name__}{'.' if path else ''}{path}"
        for name in registered:
            if callable(getattr(nn.Module, name, None)):
                return f"{where}.{name} cannot be reached: torch.nn.Module has a method of that name; rename it"
        for name in vars(module):
            if name in _CALLED:
                return f"{where}.{name} hides torch.nn.Module.{name}(), which torch calls; rename it"
    return ""
