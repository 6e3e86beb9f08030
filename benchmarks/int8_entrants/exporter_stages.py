"""The exporter's own stages on what the benchmark hands to its entrants; shared by those that are ours."""

from contextlib import nullcontext
from pathlib import Path

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.data.calibration import open_calibration
from exporter.progress import Silent
from exporter.stages import Stage, Workspace


class Chain:
    """Starts at the network file of `given`, with its calibration images; each stage has a folder in `made`."""

    def __init__(self, given: Path, made: Path) -> None:
        side = int((given / "side_px").read_text())
        spec, path = TensorSpec.image(side, side), given / "network.safetensors"
        self.network = Artifact(Format.TORCH, path, spec, spec, sha256_of(path))
        self._calibration, self._made = open_calibration(given / "calibration", side, side), made

    def run(self, stage: Stage, source: Artifact) -> Artifact:
        folder = self._made / stage.name
        folder.mkdir()
        return stage.run(source, Workspace(folder, source, self._calibration, None, 0, Silent(), nullcontext))
