"""The course of a run: lines, curves, TensorBoard events; a resumed run forgets what was lost."""

import json
from pathlib import Path

from exporter.training.history import History


def write_three(folder: Path, **options: bool) -> History:
    history = History(folder, "demo", **options)
    history.begin(0)
    for step in (20, 40, 60):
        history.write({"step": step, "pixel": 1 / step, "gain_db": step / 10, "worst_gain_db": -1.0})
    return history


def test_lines_after_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    write_three(tmp_path).close()
    resumed = History(tmp_path, "demo")
    resumed.begin(40)
    assert [line["step"] for line in resumed.lines()] == [20, 40]
    fresh = History(tmp_path, "demo")
    fresh.begin(0)
    assert fresh.lines() == []
    assert (tmp_path / "history.jsonl").read_text() == ""


def test_curves_are_drawn_with_and_without_validation(tmp_path: Path) -> None:
    write_three(tmp_path).close()
    wide = width_of(tmp_path / "curves.png")
    history = History(tmp_path, "demo")
    history.begin(0)
    history.write({"step": 20, "pixel": 0.1})
    history.close()
    assert width_of(tmp_path / "curves.png") < wide
    assert not list(tmp_path.glob("*.partial"))


def width_of(picture: Path) -> int:
    from PIL import Image

    return Image.open(picture).width


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    write_three(tmp_path, tensorboard=True).close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"pixel", "gain_db", "worst_gain_db"}
    assert [(event.step, round(event.value, 3)) for event in events.Scalars("gain_db")] == [(20, 2), (40, 4), (60, 6)]


def test_without_the_option_nothing_of_tensorboard_is_written(tmp_path: Path) -> None:
    write_three(tmp_path).close()
    assert {path.name for path in tmp_path.iterdir()} == {"history.jsonl", "curves.png"}
    assert len(json.loads((tmp_path / "history.jsonl").read_text().splitlines()[0])) == 4
