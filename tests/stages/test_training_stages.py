"""load_generator, prune and distill on small real networks."""

import json

import pytest
import torch

from exporter.artifact import Format
from exporter.errors import CheckpointError, PlanError, StageError
from exporter.generators.network_file import read_network
from exporter.stages import LoadGenerator
from exporter.stages.distill import Distill
from exporter.stages.prune import Prune
from tests.conftest import NARROW, artifact_of

SHORT = {"steps": 2, "batch": 2, "crop_px": 64, "warmup_steps": 1}


@pytest.fixture
def loaded(teacher_file, make_workspace):
    source = artifact_of(teacher_file, Format.CHECKPOINT)
    stage = LoadGenerator(arch="deblurgan_v2_mobilenet", kwargs=NARROW)
    return stage.run(source, make_workspace("load", source))


def test_calibrated_norms_are_the_calibration_images_statistics(teacher_file, make_workspace, loaded):
    source = artifact_of(teacher_file, Format.CHECKPOINT)
    stage = LoadGenerator(arch="deblurgan_v2_mobilenet", kwargs=NARROW | {"norm_mode": "calibrated"})
    result = read_network(stage.run(source, make_workspace("calibrated", source)).path)
    before = read_network(loaded.path)
    norms = [(a, b) for a, b in zip(before.modules(), result.modules(), strict=True) if hasattr(a, "running_mean")]
    assert all(not torch.equal(a.running_mean, b.running_mean) for a, b in norms)
    assert not result.training


def test_a_size_the_network_cannot_run_is_refused(student_file, make_workspace):
    source = artifact_of(student_file, Format.CHECKPOINT, height=40, width=64)
    with pytest.raises(PlanError, match="input.height: 40 is not a multiple of 16"):
        LoadGenerator(arch="mobilenetv3_student", kwargs={"preset": "s"}).run(source, make_workspace("odd", source))


def test_a_teacher_is_filled_up_as_its_official_code_does(teacher_file, make_workspace):
    source = artifact_of(teacher_file, Format.CHECKPOINT, height=48, width=64)
    loaded = LoadGenerator(arch="deblurgan_v2_mobilenet", kwargs=NARROW).run(source, make_workspace("odd", source))
    assert read_network(loaded.path)(torch.rand(1, 3, 48, 64)).shape == (1, 3, 48, 64)


def test_weights_that_give_nan_are_refused(teacher_file, make_workspace, tmp_path):
    state = torch.load(teacher_file, weights_only=True)
    state["model"]["module.fpn.enc0.0.1.running_var"].fill_(-1.0)  # the root of it is NaN
    torch.save(state, tmp_path / "negative.h5")
    source = artifact_of(tmp_path / "negative.h5", Format.CHECKPOINT)
    with pytest.raises(CheckpointError, match="gives NaN"):
        LoadGenerator(arch="deblurgan_v2_mobilenet", kwargs=NARROW).run(source, make_workspace("nan", source))


def test_prune_makes_a_smaller_network_of_the_same_pictures(loaded, make_workspace):
    workspace = make_workspace("prune", loaded)
    pruned = Prune(ratio=0.5, round_to=4, **SHORT).run(loaded, workspace)
    facts = json.loads((workspace.folder / "facts.json").read_text())
    assert facts["macs_after"] < 0.6 * facts["macs_before"]
    assert facts["parameters_after"] < facts["parameters_before"]
    network = read_network(pruned.path)
    assert network(torch.rand(1, 3, 64, 96)).shape == (1, 3, 64, 96)
    widths = [m.out_channels for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert all(width % 4 == 0 for width in widths[:-1])
    assert pruned.history[-1].startswith("prune ")


@pytest.mark.slow
def test_a_pruned_network_can_be_pruned_again(loaded, make_workspace):
    once = Prune(ratio=0.3, round_to=4, **SHORT).run(loaded, make_workspace("one", loaded))
    twice = Prune(ratio=0.3, round_to=4, **SHORT).run(once, make_workspace("two", loaded))
    assert twice.size_bytes < once.size_bytes


@pytest.mark.slow
def test_recovery_goes_on_from_an_earlier_one(loaded, make_workspace):
    once = Prune(ratio=0.5, round_to=4, **SHORT).run(loaded, make_workspace("once", loaded))
    frozen = SHORT | {"steps": 1, "learning_rate": 1e-12}
    more = Prune(ratio=0.5, round_to=4, warm_start=once.path, **frozen).run(loaded, make_workspace("more", loaded))
    before, after = read_network(once.path).state_dict(), read_network(more.path).state_dict()
    weights = [key for key in before if key.endswith(".weight")]
    assert all(torch.allclose(before[key], after[key], atol=1e-6) for key in weights)
    with pytest.raises(CheckpointError, match="does not fit what is left after pruning"):
        Prune(ratio=0.3, round_to=4, warm_start=once.path, **SHORT).run(loaded, make_workspace("other", loaded))


def test_prune_keeps_what_it_is_told(loaded, make_workspace):
    kept = Prune(ratio=0.5, round_to=4, keep=("network.smooth.0",), **SHORT)
    network = read_network(kept.run(loaded, make_workspace("keep", loaded)).path)
    assert network.network.smooth[0].out_channels == 16
    with pytest.raises(StageError, match="no module 'nope'"):
        Prune(keep=("nope",), **SHORT).run(loaded, make_workspace("nope", loaded))


@pytest.mark.parametrize("learn_from", ["original", "source"])
def test_distill_gives_a_student(loaded, make_workspace, learn_from, student_file):
    stage = Distill(kwargs={"preset": "s"}, warm_start=student_file, learn_from=learn_from, feature=0.1, **SHORT)
    workspace = make_workspace("distill", loaded)
    student = stage.run(loaded, workspace)
    assert read_network(student.path)(torch.rand(1, 3, 32, 48)).shape == (1, 3, 32, 48)
    facts = json.loads((workspace.folder / "facts.json").read_text())
    assert facts["parameters_student"] == 133028


def test_same_seed_same_student_other_seed_another(loaded, make_workspace):
    stage = Distill(kwargs={"preset": "s"}, **SHORT)
    first = stage.run(loaded, make_workspace("a", loaded))
    again = stage.run(loaded, make_workspace("b", loaded))
    other = stage.run(loaded, make_workspace("c", loaded, seed=1))
    assert first.sha256 == again.sha256 != other.sha256


def test_warm_start_of_another_network_is_refused(loaded, make_workspace, teacher_file):
    stage = Distill(kwargs={"preset": "s"}, warm_start=teacher_file, **SHORT)
    with pytest.raises(CheckpointError, match="does not fit mobilenetv3_student"):
        stage.run(loaded, make_workspace("wrong", loaded))
