"""The smallest stage there is."""

from typing import ClassVar

from exporter.artifact import Artifact, Format
from exporter.stages import Stage, Workspace


class Copy(Stage):
    """Writes its source again, with a suffix."""

    name: ClassVar[str] = "copy"
    takes: ClassVar[Format] = Format.ONNX
    gives: ClassVar[Format] = Format.ONNX
    reads: ClassVar[frozenset[str]] = frozenset({"seed"})

    suffix: str = "!"

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        path = workspace.folder / "copy.onnx"
        path.write_bytes(source.path.read_bytes() + self.suffix.encode())
        return Artifact.of_file(path, self.gives, like=source, step=str(self))
