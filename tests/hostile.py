"""Files that somebody who means harm would send, and a look at whether they did any."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file


class Trap:
    """A folder with a module that leaves a trace when it is imported, and files that ask for harm."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.trace = folder, folder / "TRACE"
        (folder / "trap_module.py").write_text(
            f"from torch import nn\nopen({str(self.trace)!r}, 'w').close()\n\n\nclass Net(nn.Conv2d):\n    pass\n"
        )
        self.archs: dict[str, dict[str, Any]] = {
            "subprocess:Popen": {"args": ["touch", str(self.trace)]},
            "os:system": {"command": f"touch {self.trace}"},
            "trap_module:Net": {"in_channels": 3, "out_channels": 3, "kernel_size": 1},
            "builtins:eval": {},
            "spandrel": {"architecture": "x", "network": "spandrel.util:os", "parameters": {}},
        }

    def network(self, name: str, arch: str, kwargs: dict[str, Any] | None = None, **more: object) -> Path:
        """`name`, a well-formed network file of ours with the weights of a 1×1 convolution that asks for `arch`."""
        said = {"arch": arch, "kwargs": self.archs.get(arch, {}) if kwargs is None else kwargs}
        said |= {"range": [0.0, 1.0], "multiple": 1, "channels_changed": False} | more
        state = {"weight": torch.eye(3)[:, :, None, None].contiguous(), "bias": torch.zeros(3)}
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(state, path, metadata={"network": json.dumps(said)})
        return path

    def require_untouched(self) -> None:
        assert not self.trace.exists(), "code from a file was run"
        assert "trap_module" not in sys.modules
