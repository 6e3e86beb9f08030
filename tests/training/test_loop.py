"""The training loop: learns, resumes to the same weights, refuses NaN."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from exporter.data.training import open_training
from exporter.errors import MissingTool, StageError
from exporter.progress import Silent
from exporter.training.loop import Fit
from exporter.training.options import FitOptions
from exporter.training.schedule import learning_rate


def small_net() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))


def options(**changes) -> FitOptions:
    base = {
        "steps": 12,
        "batch": 2,
        "crop_px": 32,
        "checkpoint_every": 4,
        "learning_rate": 1e-2,
        "warmup_steps": 2,
    }
    return FitOptions(**(base | changes))


def fit(folder, photo_folder, opts, network=None, teacher=None, **changes) -> Fit:
    folder.mkdir(exist_ok=True)
    pairs = open_training(photo_folder)
    return Fit(network or small_net(), teacher, pairs, opts, 5, folder, Silent(), **changes)


class Killed(Exception): ...


@pytest.mark.parametrize("changes", [{}, {"adversarial": 0.01}, {"optimiser": "muon", "learning_rate": 0.02}])
def test_a_killed_run_resumes_to_the_same_weights(tmp_path, photo_folder, changes, monkeypatch):
    opts = options(**changes)
    whole = fit(tmp_path / "whole", photo_folder, opts).run()

    killed = fit(tmp_path / "killed", photo_folder, opts)
    original = Fit._step

    def dies_at_step_6(self, step, batch):
        if step == 6:
            raise Killed
        return original(self, step, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Fit, "_step", dies_at_step_6)
        with pytest.raises(Killed):
            killed.run()
    assert (tmp_path / "killed" / "training.pt").exists()
    resumed = fit(tmp_path / "killed", photo_folder, opts).run()
    for key, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[key]), key
    assert (tmp_path / "killed" / "training.pt").exists()  # until whoever called it has kept the weights


@pytest.mark.parametrize("changes", [{}, {"optimiser": "muon", "learning_rate": 0.02}])
def test_training_lowers_the_loss(tmp_path, photo_folder, changes):
    fit(tmp_path / "run", photo_folder, options(steps=60, teacher=0, **changes)).run()
    lines = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 60
    assert lines[-1]["pixel"] < lines[0]["pixel"]


def test_the_teacher_is_listened_to_and_left_alone(tmp_path, photo_folder):
    class Grey(nn.Module):
        def __init__(self):
            super().__init__()
            self.level = nn.Parameter(torch.tensor(0.25))

        def forward(self, x):
            return torch.zeros_like(x) + self.level

    teacher = Grey()
    opts = options(steps=150, pixel=0, frequency=0, teacher=1, ema_decay=0.5, learning_rate=3e-2)
    student = fit(tmp_path / "run", photo_folder, opts, teacher=teacher).run()
    blurred, _ = open_training(photo_folder).batch(99, 0, 2, 32)
    with torch.no_grad():
        error = (student(torch.from_numpy(blurred)) - 0.25).abs().mean()
    assert error < 0.08
    assert float(teacher.level) == 0.25


def test_nan_stops_the_run_with_a_sentence(tmp_path, photo_folder):
    network = small_net()
    with torch.no_grad():
        network[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(StageError, match="gradient is not finite at step 0"):
        fit(tmp_path / "run", photo_folder, options(), network).run()


def test_nan_is_named_by_its_step_and_never_kept(tmp_path, photo_folder, monkeypatch):
    """Nothing is read back at the step itself, but nothing that came after it is kept either."""
    original = Fit._loss_terms

    def broken_at_step_5(self, *sides):
        broken_at_step_5.step += 1
        terms = original(self, *sides)
        return {name: term * (float("nan") if broken_at_step_5.step == 5 else 1) for name, term in terms.items()}

    broken_at_step_5.step = -1
    monkeypatch.setattr(Fit, "_loss_terms", broken_at_step_5)
    with pytest.raises(StageError, match="gradient is not finite at step 5"):
        fit(tmp_path / "run", photo_folder, options(steps=40)).run()
    kept = torch.load(tmp_path / "run" / "training.pt", weights_only=True)
    assert kept["step"] == 4
    assert all(value.isfinite().all() for value in kept["network"].values())


def test_schedule_warms_up_and_falls():
    opts = options(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(opts, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 0.02
    assert all(np.diff(rates[10:]) <= 0)


def test_feature_term_needs_a_bottleneck(tmp_path, photo_folder):
    with pytest.raises(StageError, match="bottleneck"):
        fit(tmp_path / "run", photo_folder, options(feature=0.1), teacher=small_net()).run()


def test_perceptual_term_needs_features(tmp_path, photo_folder):
    with pytest.raises(StageError, match="perceptual: 0.1 needs features to compare"):
        fit(tmp_path / "run", photo_folder, options(perceptual=0.1)).run()


@pytest.mark.parametrize("precision", [pytest.param("bf16", marks=pytest.mark.slow), "fp16"])
def test_half_precision_follows_fp32(tmp_path, photo_folder, precision):
    curves = []
    for name in ("fp32", precision):
        fit(tmp_path / name, photo_folder, options(steps=60, precision=name, device="cpu")).run()
        lines = (tmp_path / name / "history.jsonl").read_text().splitlines()
        curves.append([json.loads(line)["pixel"] for line in lines])
    assert curves[1] == pytest.approx(curves[0], rel=0.1)
    assert curves[1] != curves[0]


def test_fp16_resumes_with_its_loss_scale(tmp_path, photo_folder):
    opts = options(precision="fp16", steps=8)
    whole = fit(tmp_path / "whole", photo_folder, opts).run()
    killed = fit(tmp_path / "killed", photo_folder, opts)
    with pytest.MonkeyPatch.context() as patch:
        step = Fit._step
        patch.setattr(Fit, "_step", lambda self, n, batch: step(self, n, batch) if n < 6 else 1 / 0)
        with pytest.raises(ZeroDivisionError):
            killed.run()
    resumed = fit(tmp_path / "killed", photo_folder, opts).run()
    assert all(torch.equal(value, resumed.state_dict()[key]) for key, value in whole.state_dict().items())


def test_fp16_also_stops_on_nan(tmp_path, photo_folder):
    network = small_net()
    with torch.no_grad():
        network[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(StageError, match="gradient is not finite at step"):
        fit(tmp_path / "run", photo_folder, options(precision="fp16", steps=100), network).run()


def test_workers_draw_the_same_batches_in_order(tmp_path, photo_folder):
    one = fit(tmp_path / "one", photo_folder, options()).run()
    three = fit(tmp_path / "three", photo_folder, options(workers=3)).run()
    assert all(torch.equal(value, three.state_dict()[key]) for key, value in one.state_dict().items())


def test_cuda_without_a_gpu_is_one_sentence(tmp_path, photo_folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingTool, match="PyTorch sees no CUDA GPU"):
        fit(tmp_path / "run", photo_folder, options(device="cuda")).run()


def test_validation_is_in_the_history_and_the_live_line(tmp_path, photo_folder):
    said = []

    class Listening(Silent):
        def advance(self, steps=1, note=""):
            said.append(note)

    run = fit(tmp_path / "run", photo_folder, options(validate_every=5), validate=lambda network: {"gain_db": 1.25})
    run.progress = Listening()
    run.run()
    lines = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [(line["step"], line.get("gain_db")) for line in lines] == [(5, 1.25), (10, 1.25), (12, 1.25)]
    assert said[-1].endswith("gain +1.25 dB")
    assert all(earlier["elapsed_s"] <= later["elapsed_s"] for earlier, later in zip(lines, lines[1:], strict=False))
