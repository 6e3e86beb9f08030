"""What real trackers hold, read with their own readers, as the figures that went in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from exporter.tracking.figures import Figures


def of_mlflow(client: Any, run: str) -> Figures:
    data = client.get_run(run).data
    history = {name: client.get_metric_history(run, name) for name in data.metrics}
    numbers = {name: tuple(sorted((each.step, each.value) for each in found)) for name, found in history.items()}
    return Figures(numbers, dict(data.params))


def of_tensorboard(folder: Path) -> Figures:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    found = Figures()
    for tag in events.Tags()["tensors"]:
        values = [(each.step, tensor_util.make_ndarray(each.tensor_proto)) for each in events.Tensors(tag)]
        if tag.endswith("/text_summary"):
            found.texts[re.sub("/text_summary$", "", tag)] = values[0][1].item().decode()
        else:
            found.numbers[tag] = tuple((step, value.item()) for step, value in values)
    return found
