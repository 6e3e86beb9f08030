"""Small networks of spandrel, their checkpoints written here: the same picture as spandrel's own call gives."""

import importlib
import json

import numpy as np
import pytest
import torch

from exporter.artifact import Format
from exporter.cli import main
from exporter.errors import CheckpointError, MissingTool
from exporter.generators import build, outline, recognition, spandrel_zoo
from exporter.generators.build import generator_info
from exporter.generators.network_file import read_network
from exporter.generators.recognition import recognise
from exporter.generators.spandrel_zoo import SpandrelNetwork, import_spandrel
from exporter.stages import LoadGenerator
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.self_check import lopsided_image, run_onnx, run_tflite
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.conftest import artifact_of
from tests.hostile import Trap

pytestmark = pytest.mark.extra("zoo")
# Class, arguments, output size over input size. RCAN scales its input in place and shifts colours; Uformer wants
# squares of 128, SAFMN multiples of 8.
SMALL = {
    "RCAN": ({"n_resgroups": 1, "n_resblocks": 1, "n_feats": 16, "reduction": 4, "scale": 2}, 2),
    "SAFMN": ({"dim": 8, "n_blocks": 1, "upscaling_factor": 2}, 2),
    "SPAN": ({"num_in_ch": 3, "num_out_ch": 3, "feature_channels": 8, "upscale": 2}, 2),
    "Uformer": ({"embed_dim": 8, "depths": [1] * 9, "win_size": 8}, 1),
}
RRDB = {"in_nc": 3, "out_nc": 3, "num_filters": 4, "num_blocks": 1, "scale": 4}
# Names of a Real-ESRGAN release and of the first ESRGAN's, to which spandrel turns them.
TODAY_AND_BEFORE = {
    "conv_first": "model.0", "body.0.rdb": "model.1.sub.0.RDB", "conv_body": "model.1.sub.1",
    "conv_up1": "model.3", "conv_up2": "model.6", "conv_hr": "model.8", "conv_last": "model.10",
}  # fmt: skip


def network_of(architecture, arguments):
    import_spandrel()
    module = importlib.import_module(f"spandrel.architectures.{architecture}")
    torch.manual_seed(0)
    network = getattr(module, architecture)(**arguments).eval()
    for name, parameter in network.named_parameters():
        if not name.startswith(("sub_mean", "add_mean")) and not parameter.detach().any():
            torch.nn.init.normal_(parameter, std=0.1)
    return network


def checkpoint(folder, state, size=(33, 47)):
    torch.save({"params-ema": state}, folder / "w.pth")
    return artifact_of(folder / "w.pth", Format.CHECKPOINT, *size)


def by_spandrel(state, picture):
    return import_spandrel().MAIN_REGISTRY.load(dict(state))(picture.clone())


@pytest.mark.parametrize(
    "architecture", [pytest.param(name, marks=pytest.mark.slow) if name == "Uformer" else name for name in SMALL]
)
def test_a_checkpoint_gives_the_picture_that_spandrel_makes(architecture, tmp_path, make_workspace):
    arguments, scale = SMALL[architecture]
    state = network_of(architecture, arguments).state_dict()
    source = checkpoint(tmp_path, state)
    workspace = make_workspace("load", source)
    made = LoadGenerator(arch="spandrel").run(source, workspace)
    assert made.output.shape == (1, 3, 33 * scale, 47 * scale)
    picture = torch.rand(1, 3, 33, 47)
    given = picture.clone()
    with torch.no_grad():
        restored = read_network(made.path, made.user_classes)(given)
    assert torch.equal(given, picture)
    assert torch.equal(restored, by_spandrel(state, picture)) and float(restored.std()) > 0.01
    facts = json.loads((workspace.folder / "facts.json").read_text())
    assert facts["kwargs"]["architecture"] == architecture
    assert f"knows it as {architecture}" in facts["warnings"][0]
    assert (architecture in ("SAFMN", "Uformer")) == any("other sizes are mirrored" in w for w in facts["warnings"])


def test_names_of_another_release_are_turned_into_todays(tmp_path, make_workspace):
    older = network_of("ESRGAN", RRDB).state_dict()
    state = {}
    for key, value in older.items():
        after, before = next(pair for pair in TODAY_AND_BEFORE.items() if key.startswith(pair[1]))
        state[key.replace(before, after).replace(".0.weight", ".weight").replace(".0.bias", ".bias")] = value
    assert "body.0.rdb1.conv1.weight" in state
    source = checkpoint(tmp_path, state, (24, 40))
    made = LoadGenerator(arch="spandrel").run(source, make_workspace("load", source))
    picture = torch.rand(1, 3, 24, 40)
    with torch.no_grad():
        assert torch.equal(read_network(made.path, made.user_classes)(picture), by_spandrel(older, picture))


def test_it_goes_on_to_tflite(tmp_path, make_workspace):
    state = network_of("RCAN", SMALL["RCAN"][0]).state_dict()
    artifact = checkpoint(tmp_path, state, (24, 40))
    for stage in (LoadGenerator(arch="spandrel"), TorchToOnnx(), OnnxToTflite(converter="direct")):
        artifact = stage.run(artifact, make_workspace(stage.name, artifact))
        if stage.name == "torch_to_onnx":
            onnx_file = artifact.path
    image = lopsided_image(24, 40)
    expected = by_spandrel(state, torch.from_numpy(image).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert np.abs(run_onnx(onnx_file, image) - expected).max() < 1e-4
    assert np.abs(run_tflite(artifact.path.read_bytes(), image)[0] - expected).max() < 1e-4


def test_an_unnamed_checkpoint_of_it_says_what_to_type(tmp_path):
    state = network_of("RCAN", SMALL["RCAN"][0]).state_dict()
    with pytest.raises(CheckpointError, match="hint: spandrel knows it as RCAN: model.arch=spandrel"):
        recognise(state, tmp_path / "w.pth")
    del state["body.0.body.0.body.0.bias"]
    with pytest.raises(CheckpointError) as caught:
        recognise(state, tmp_path / "w.pth")
    assert "spandrel" not in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "arguments", "lost", "says"),
    [
        ("RCAN", SMALL["RCAN"][0], "body.0.body.0.body.2.bias", "takes it for RCAN, but .*body.0.body.0.body.2.bias"),
        ("SAFMN", SMALL["SAFMN"][0], "to_feat.weight", "knows no network whose tensors are called feats.0.ccm"),
        (
            "ESRGAN",
            RRDB | {"in_nc": 1, "out_nc": 1},
            None,
            "this ESRGAN takes 1 channels and gives 1; pictures are RGB",
        ),
    ],
)
def test_what_does_not_fit_is_said(architecture, arguments, lost, says, tmp_path, make_workspace):
    state = network_of(architecture, arguments).state_dict()
    if lost:
        del state[lost]
    source = checkpoint(tmp_path, state)
    with pytest.raises(CheckpointError, match=f"does not fit spandrel: .*{says}"):
        LoadGenerator(arch="spandrel").run(source, make_workspace("load", source))


def test_without_the_package_both_ways_name_the_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    monkeypatch.setattr(recognition, "find_spec", lambda name: None)
    with pytest.raises(MissingTool, match=r"spandrel is not installed\n  hint: pip install 'exporter\[zoo\]'"):
        generator_info("spandrel")
    with pytest.raises(CheckpointError, match=r"spandrel may know it: pip install 'exporter\[zoo\]', then"):
        recognise({"a": torch.ones(1)}, tmp_path / "w.pth")


RCAN = "spandrel.architectures.RCAN.__arch.rcan_arch:RCAN"


@pytest.mark.parametrize(
    ("architecture", "network"),
    [
        ("RCAN", "os:system"),
        ("RCAN", "spandrel.util:os"),
        ("RCAN", "spandrel.architectures.RCAN.__arch.rcan_arch:torch"),
        ("RCAN", "spandrel.architectures.RCAN.__arch.rcan_arch:ResidualGroup"),  # a part of it
        ("RCAN", "spandrel.architectures.RCAN:RCANArch"),
        ("RCAN", "spandrel:ModelLoader"),
        ("NAFNet", RCAN),
        ("nope", RCAN),
        ("RCAN", "spandrel.not_there:Net"),
        ("RCAN", ""),
        ("RCAN", 5),
        ([], {}),
    ],
)
def test_a_network_file_names_what_spandrel_builds(tmp_path, architecture, network, capfd):
    """Even when its user says `--arch spandrel`."""
    kwargs = {"architecture": architecture, "network": network, "parameters": {}}
    evil = Trap(tmp_path).network("evil.safetensors", "spandrel", kwargs)
    assert main(["bench", str(evil), "--arch", "spandrel"]) == 2
    said = capfd.readouterr().err
    assert "no network of spandrel" in said or "has no architecture" in said
    with pytest.raises(ValueError, match="no network of spandrel|has no architecture"):
        SpandrelNetwork(architecture, network, {})


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"n_feats": 10**9}, "of at most 8192"),
        ({"n_feats": 2048}, "more than 0.0 GB of weights"),
        ({"n_feats": 16, "n_resgroups": 1, "n_resblocks": 8000}, "more than 5000 layers"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_what_a_file_says_of_it_cannot_blow_up(tmp_path, parameters, says, capfd, monkeypatch):
    monkeypatch.setattr(spandrel_zoo, "MOST_BYTES", 10_000_000)
    monkeypatch.setattr(outline, "MOST_PARTS", 5000)
    kwargs = {"architecture": "RCAN", "network": RCAN, "parameters": parameters}
    evil = Trap(tmp_path).network("evil.safetensors", "spandrel", kwargs)
    assert main(["bench", str(evil), "--arch", "spandrel"]) == 2
    assert says in capfd.readouterr().err


def test_every_architecture_declares_its_networks():
    for support in import_spandrel().MAIN_REGISTRY.architectures("detection"):
        with pytest.raises(ValueError, match="no network of spandrel's"):
            SpandrelNetwork(str(support.architecture.id), "os:system", {})
