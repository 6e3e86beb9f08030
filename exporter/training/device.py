"""Where a network is trained, and in which precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

import torch

from exporter.errors import MissingTool
from exporter.training.options import FitOptions

_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


def training_device(wanted: str) -> torch.device:
    """`auto`: the first GPU, or this process's own under torchrun, else the CPU. Raises MissingTool."""
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise MissingTool("device: cuda, but PyTorch sees no CUDA GPU", hint="device: auto takes what is there")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def autocast(options: FitOptions, device: torch.device) -> AbstractContextManager[Any]:
    """Matrix products and convolutions in `options.precision`; weights and losses stay fp32."""
    dtype = _AUTOCAST.get(options.precision)
    return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)
