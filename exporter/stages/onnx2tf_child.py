"""Runs onnx2tf in a process of its own, in a private folder with the files named below.

onnx2tf prints a lot, ends the interpreter when it fails and reads its sample pictures from the current folder (or
downloads them). The Keras model it builds is converted here directly, once: what onnx2tf itself would write
goes through a SavedModel, which takes ten times as long, and comes with an fp16 file nobody asked for.
"""

from __future__ import annotations

import json
import os
import re
import traceback
from pathlib import Path
from typing import Any

JOB, MODEL, RESULT, FAILURE = "options.json", "model.onnx", "model.tflite", "failure.json"


def main() -> int:
    try:
        content = _convert(json.loads(Path(JOB).read_text()))
    except BaseException as error:  # SystemExit is how onnx2tf says that an operator failed
        traceback.print_exc()
        Path(FAILURE).write_text(json.dumps(_failure(error)))
        return 1
    Path(RESULT).write_bytes(content)
    return 0


def _convert(options: dict[str, Any]) -> bytes:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import onnx2tf
    import tensorflow as tf

    model = onnx2tf.convert(
        input_onnx_file_path=MODEL,
        output_folder_path="saved_model",
        not_use_onnxsim=True,
        not_use_opname_auto_generate=True,
        disable_model_save=True,
        verbosity="info",
        **options,
    )
    picture = tf.TensorSpec(model.inputs[0].shape, model.inputs[0].dtype, name="input")
    function = tf.function(lambda x: model(x), input_signature=[picture]).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter.experimental_lower_to_saved_model = False
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return bytes(converter.convert())


def _failure(error: BaseException) -> dict[str, str]:
    """{op, node, reason}: op and node are empty when onnx2tf did not get as far as an operator."""
    op = node = ""
    causes: list[BaseException] = []
    seen: BaseException | None = error
    while seen is not None:
        causes.append(seen)
        seen = seen.__cause__ or seen.__context__
    for cause in causes:
        frame = cause.__traceback__
        while frame is not None:
            current = frame.tb_frame.f_locals.get("graph_node")
            if current is not None and hasattr(current, "op"):
                op, node = current.op, re.sub("^wa/", "/", current.name)
            frame = frame.tb_next
    reason = next((str(cause) for cause in causes if not isinstance(cause, SystemExit) and str(cause)), str(error))
    missing = re.search(r"'tf\.(\w+)' op is neither a custom op nor a flex op", reason)
    if missing:
        op = missing[1]
        place = re.search(r'loc\(.*?"([^"]+)"', reason)
        node = place[1] if place else ""
        reason = "TFLite has no such operator"
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("Exception encountered when calling layer"):
        del lines[0]  # Keras' own heading; what went wrong comes next
    return {"op": op, "node": node, "reason": lines[0] if lines else type(error).__name__}
