"""ONNX files that come from others: their weights may lie in other files, of their own folder only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exporter.errors import CheckpointError, ExportError
from exporter.failures import pass_on
from exporter.files.contained import contained


def load_onnx(path: Path) -> Any:
    """The model with all its weights.

    Raises CheckpointError when it is damaged, and for external data that is missing or outside the model's folder.
    """
    import onnx
    from onnx.external_data_helper import ExternalDataInfo, _get_all_tensors, uses_external_data

    try:
        model = onnx.load(str(path), load_external_data=False)
        for tensor in _get_all_tensors(model):
            if uses_external_data(tensor):
                location = ExternalDataInfo(tensor).location
                contained(path.parent, location, named_in=path.name, error=CheckpointError)
        onnx.load_external_data_for_model(model, str(path.parent))
    except ExportError:
        raise
    except Exception as error:  # of a file that anybody may have written: whatever its reader ends in
        pass_on(error, path)
        raise CheckpointError(f"{path} is not a readable ONNX file: {error}") from None
    return model
