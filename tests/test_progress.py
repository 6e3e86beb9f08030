from __future__ import annotations

import time

from exporter.progress import reminded
from tests.stages.chain import Lines


def test_long_work_is_said_to_go_on_and_short_work_is_not() -> None:
    lines = Lines()
    with reminded(lines, "simplify_onnx: onnxsim folds constants", every_s=0.01):
        while not lines.said:
            time.sleep(0.01)
    assert lines.said[0].startswith("simplify_onnx: onnxsim folds constants: still at it, ")
    said = len(lines.said)
    with reminded(lines, "short", every_s=60):
        pass
    time.sleep(0.05)
    assert len(lines.said) == said
