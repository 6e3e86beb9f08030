"""TensorFlow's own TensorFlow Lite interpreter, without the other gigabytes of TensorFlow and the seconds they take.

Copied into a job folder as the engine's `interpreter` module. That is why this file imports nothing of the exporter.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGES = ("tensorflow", "tensorflow.lite", "tensorflow.lite.python")


def _stand_in(package: str, root: Path) -> ModuleType:
    """The package by its folder alone: its modules are found, its `__init__`, which imports everything, is not run."""
    module = ModuleType(package)
    module.__path__ = [str(root.joinpath(*package.split(".")[1:]))]
    return module


def Interpreter(model_path: str, num_threads: int = 1) -> Any:  # noqa: N802 (as engines name it)
    """TensorFlow's interpreter of the file. Raises ImportError where TensorFlow is not installed."""
    found = importlib.util.find_spec("tensorflow")
    if found is None or not found.submodule_search_locations:
        raise ImportError("TensorFlow is not installed")
    for package in PACKAGES:
        sys.modules[package] = _stand_in(package, Path(found.submodule_search_locations[0]))
    from tensorflow.lite.python import interpreter

    return interpreter.Interpreter(model_path=model_path, num_threads=num_threads)
