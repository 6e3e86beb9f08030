"""Code that was edited since an earlier run, without a file being touched."""

from dataclasses import replace

from exporter.sources import Code, Sources


class EditedSources(Sources):
    """As if these files did something else than they do."""

    def __init__(self, files: set[str]) -> None:
        super().__init__()
        self.changed = files

    def code_of(self, *names: str) -> Code:
        code = super().code_of(*names)
        return replace(code, files={name: d + "x" * (name in self.changed) for name, d in code.files.items()})
