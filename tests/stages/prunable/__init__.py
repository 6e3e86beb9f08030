"""Small networks with what makes pruning hard: each has one thing whose channels must be followed, or left alone."""

from tests.stages.prunable import convolutions, joints, norms
from tests.stages.prunable.around import Around

ARCHS = {
    kind.__name__: f"{kind.__module__}:{kind.__name__}"
    for module in (norms, convolutions, joints)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Around) and kind is not Around
}
