"""TensorFlow 1 checkpoints (`name.index` beside `name.data-00000-of-00001`), read with TensorFlow's own reader."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from exporter.checkpoints.tf_checkpoint_child import FAILURE, NAMES
from exporter.errors import CheckpointError, MissingTool
from exporter.processes.child_process import run_child

PROGRAM = "import sys; from exporter.checkpoints.tf_checkpoint_child import main; sys.exit(main())"
TIMEOUT_S = 900


def read_tf_checkpoint(path: Path) -> dict[str, Tensor]:
    """All floating-point variables but the optimiser's, by TensorFlow name.

    Kernels are turned from (H, W, in, out) to (out, in, H, W); a transposed convolution's (H, W, out, in) becomes
    PyTorch's (in, out, H, W) by the same permutation. Raises CheckpointError when a part is missing or damaged.
    """
    if find_spec("tensorflow") is None:
        raise MissingTool(
            f"{path} is a TensorFlow checkpoint and TensorFlow is not installed", hint="pip install 'exporter[export]'"
        )
    prefix = re.sub(r"\.(index|data-\d+-of-\d+)$", "", str(path.absolute()))
    with tempfile.TemporaryDirectory(prefix="exporter-") as scratch:
        folder = Path(scratch)
        try:
            done = run_child([sys.executable, "-c", PROGRAM, prefix, folder], timeout_s=TIMEOUT_S, one_stream=True)
        except subprocess.TimeoutExpired:
            raise CheckpointError(f"{path} cannot be read: TensorFlow did not finish in {TIMEOUT_S} s") from None
        if done.returncode:
            raise CheckpointError(f"{path} is damaged, or its .data file is missing: {_reason(folder, done)}")
        names: list[str] = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        values = {name: np.load(folder / f"{number}.npy") for number, name in enumerate(names)}
    return {name: _turned(torch.from_numpy(value)) for name, value in values.items()}


def _turned(value: Tensor) -> Tensor:
    return value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value


def _reason(folder: Path, done: subprocess.CompletedProcess[str]) -> str:
    """What the reader said; TensorFlow's own last words when it ended the process."""
    failure = folder / FAILURE
    if failure.exists():
        return failure.read_text(encoding="utf-8")
    fatal = re.search(r"Check failed: .*", done.stdout)
    return fatal.group()[:200] if fatal else f"TensorFlow's reader ended with exit code {done.returncode}"
