"""A recurrent network from its checkpoint to a verified bundle, its state carried by every engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from exporter.cli import main
from exporter.engines.litert_web import LiteRtWebEngine
from tests.installed import put_together
from tests.probe import recurrent_networks
from tests.recipes.recipe_folder import FULL_CHAINS, write_recipe_folder

HERE = "tests.probe.recurrent_networks"
CHAINS = {"stages": ["torch_to_onnx", "simplify_onnx"], "targets": FULL_CHAINS["targets"]}


def write(folder: Path, name: str, state: dict[str, object], **changes: object) -> Path:
    torch.manual_seed(0)
    torch.save(getattr(recurrent_networks, name)().state_dict(), folder / "weights.pth")
    model = {"arch": f"{HERE}:{name}", "checkpoint": "weights.pth"}
    given = {"height": 64, "width": 64, "state": state}
    return write_recipe_folder(folder, Path("unused"), **CHAINS | {"model": model, "input": given} | changes)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_whole_way(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write(here, "LstmDenoiser", {"state": {"output": 1}})
    code = main(["recipe=tiny.yaml"])
    assert code == 0, capfd.readouterr().err
    bundle = here / "dist" / "tiny-1.0"
    manifest = json.loads((bundle / "manifest.json").read_text())
    models = {model["file"]: model for model in manifest["models"]}
    for file, model in models.items():
        names = [(state["name"], state["next"]) for state in model["states"]]
        assert names == [(f"state_state_{i}", f"next_state_state_{i}") for i in range(2)]
        assert [state["shape"] for state in model["states"]] == [[1, 32, 32, 8]] * 2
        is_int8 = file.endswith("int8.tflite")
        assert all((state["dtype"] == "int8") is is_int8 for state in model["states"])
    assert "clips of 5 frames" in manifest["provenance"]["evaluation"]["frames"]
    card = (bundle / "README.md").read_text()
    assert "## State: frame after frame" in card and "every cut" in card and "tiles would each need" in card
    assert main(["verify", str(bundle)]) == 0
    used_alone(bundle, capfd)
    compared(bundle, here)
    requantised(bundle, here)
    snippets(bundle)
    replayed(bundle)
    put_together(LiteRtWebEngine())
    assert main(["verify", str(bundle), "--runtime", "litert_web"]) == 0, "a browser carries it, too"


def used_alone(bundle: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Commands on the bare files: timed and looked into; what works picture by picture refuses in a sentence."""
    int8, fp32 = (str(bundle / "models" / f"tiny.{kind}.tflite") for kind in ("int8", "fp32"))
    picture = str(bundle / "report" / "none.png")
    Path(picture).touch()
    capfd.readouterr()
    assert main(["bench", int8, "--runtime", "litert_cpu", "--runs", "3"]) == 0
    assert main(["lint", int8]) == 0 and main(["lint", fp32]) == 0
    assert main(["lint", str(bundle / "models" / "tiny.onnx")]) == 0
    assert main(["lint", int8, "--against", fp32]) == 2
    assert "carries a state from frame to frame; layers" in capfd.readouterr().err
    assert main(["run", "--model", int8, picture, "out.png"]) == 2
    assert "carries a state from frame to frame, and run works tile by tile" in capfd.readouterr().err
    Path(picture).unlink()


def compared(bundle: Path, here: Path) -> None:
    """Releases side by side: the INT8 file of other ranges on the same clips."""
    (here / "dist").rename(here / "old")
    changed = ["targets.int8.stages=[onnx_to_tflite, {quantize_tflite: {ranges: mse, equalize: true}}]"]
    assert main(["recipe=tiny.yaml", *changed, "verify.runs=5"]) == 0
    releases = [str(here / folder / bundle.name) for folder in ("old", "dist")]
    limits = ["--max-loss-db", "9", "--max-slower", "99", "--max-bigger", "2"]
    assert main(["diff", *releases, *limits, "--markdown", "diff.md", "--html", "diff.html"]) == 0
    (row,) = (line for line in (here / "diff.md").read_text().splitlines() if line.startswith("| int8 |"))
    assert "dB" in row and "the same file" not in row
    (here / "dist").rename(here / "new")
    (here / "old").rename(here / "dist")


def requantised(bundle: Path, here: Path) -> None:
    """A state has one scale at both ends."""
    from exporter.graph.onnx_editor import OnnxGraph
    from exporter.graph.read import read_graph

    graph = read_graph(bundle / "models" / "tiny.int8.tflite")
    outputs = {tensor.name: tensor for tensor in graph.outputs}
    for state in graph.inputs[1:]:
        after = outputs[f"next_{state.name}"]
        assert state.scales and (state.scales, state.zero_points) == (after.scales, after.zero_points)
    import onnx

    pairs = OnnxGraph(onnx.load(bundle / "models" / "tiny.int8.onnx"))
    for value in pairs.model.graph.input[1:]:
        (first,) = pairs.consumers(value.name)
        (first,) = pairs.consumers(first.output[0]) if first.op_type == "Transpose" else (first,)
        last = pairs.producer(f"next_{value.name}")
        last = pairs.producer(last.input[0]) if last.op_type == "Transpose" else last
        assert first.op_type == "QuantizeLinear" and last.op_type == "DequantizeLinear"
        for place in (1, 2):
            assert np.array_equal(pairs.constants[first.input[place]], pairs.constants[last.input[place]])


def snippets(bundle: Path) -> None:
    """The card's own loops give what the golden vectors say."""
    golden = json.loads((bundle / "golden" / "golden.json").read_text())["vectors"][0]
    outputs = {one["model"]: np.load(bundle / one["output"]) for one in golden["models"]}
    codes = (bundle / "README.md").read_text().split("```python\n")[1:]
    assert len(codes) == 2
    for code, model in zip(codes, ("models/tiny.int8.tflite", "models/tiny.onnx"), strict=True):
        program = code.split("```")[0] + "\nnp.save('restored.npy', np.stack(restored))\n"
        subprocess.run([sys.executable, "-c", program], cwd=bundle, check=True, capture_output=True)
        restored = np.load(bundle / "restored.npy").astype(np.int32)
        expected = outputs[model].astype(np.float32)
        shown = expected + 128 if model.endswith("tflite") else np.rint(expected.clip(0, 1) * 255)
        assert len(restored) == 5 and np.abs(restored - shown).max() <= 1
        (bundle / "restored.npy").unlink()


def replayed(bundle: Path) -> None:
    """verify notices a sequence that no longer comes out: frames of the clip in another order."""
    from exporter.bundle.golden import behind_each_other
    from exporter.bundle.golden_runs import distance

    golden = json.loads((bundle / "golden" / "golden.json").read_text())["vectors"][0]
    made = np.load(bundle / golden["models"][0]["output"])
    clip = behind_each_other(made)
    assert distance(clip, clip, 5)[0] == 200
    assert distance(behind_each_other(made[::-1]), clip, 5)[0] < 60


@pytest.mark.slow
def test_what_enlarges_and_is_fed_its_own_picture(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    targets = {name: CHAINS["targets"][name] for name in ("onnx", "int8")}
    state = {"lr_prev": {"output": "frame"}, "hr_prev": {"output": "picture"}}
    write(here, "FormerFrames", state, targets=targets)
    assert main(["recipe=tiny.yaml"]) == 0, capfd.readouterr().err
    manifest = json.loads((here / "dist" / "tiny-1.0" / "manifest.json").read_text())
    for model in manifest["models"]:
        states = {state["name"]: state for state in model["states"]}
        assert {name: state["next"] for name, state in states.items()} == {
            "previous_input": "input",
            "previous_output": "output",
        }
        for key in ("dtype", "scale", "zero_point"):
            assert states["previous_output"][key] == model["output"][key]
    assert main(["verify", str(here / "dist" / "tiny-1.0")]) == 0


TRAINED = {"steps": 4, "batch": 2, "crop_px": 32}
REFUSED = {
    "prune": ({"stages": [{"prune": {}}]}, "stages.prune: learns from single pictures"),
    "distill": ({"stages": [{"distill": TRAINED}]}, "stages.distill: learns from single pictures"),
    "tensorrt": (
        {"targets": {"a": {"runtime": "onnxruntime_cpu", "stages": [{"quantize_onnx": {"engine": "tensorrt"}}]}}},
        "TensorRT is given no state",
    ),
    "gpu": (
        {"targets": {"a": {"runtime": "litert_gpu", "stages": ["onnx_to_tflite"]}}},
        "targets.a.runtime: litert_gpu carries no state",
    ),
    "mixed": (
        {
            "targets": {
                "a": {
                    "runtime": "litert_cpu",
                    "stages": ["onnx_to_tflite", {"quantize_tflite": {"mixed": {"max_loss_db": 0.1}}}],
                }
            }
        },
        "mixed compares layers on single pictures",
    ),
    "tiles": ({"processing": {"only_blurred": True}}, "processing.only_blurred: is done to tiles"),
    "seams": ({"budget": {"min_seam_db": 30}}, "min_seam_db"),
    "frames": ({"input": {"height": 64, "width": 64, "frames": 3, "state": {"h": {}}}}, "one frame a call"),
    "shape": (
        {"input": {"height": 64, "width": 64, "state": {"h": {"shape": [1, "Q"]}}}},
        "a side is a whole number, H, W, H/2 or H*2, not 'Q'",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_serve_a_state_is_refused_by_the_plan(
    here: Path, what: str, capfd: pytest.CaptureFixture[str]
) -> None:
    changes, sentence = REFUSED[what]
    write(here, "GruDenoiser", {"h": {"output": 1}}, **changes)
    assert main(["plan", "recipe=tiny.yaml"]) == 2
    assert sentence in capfd.readouterr().err


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"g": {}}, "input.state.g: GruDenoiser.forward(x, h) takes no 'g'"),
        ({"h": {"output": 3}}, "there is no 3"),
        ({"h": {"output": 1, "shape": [1, 4, "H", "W"]}}, "input.state"),
    ],
)
def test_a_state_that_is_not_there(
    here: Path, state: dict[str, object], sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write(here, "GruDenoiser", state, targets={"onnx": {"runtime": "onnxruntime_cpu"}})
    assert main(["recipe=tiny.yaml"]) == 2
    assert sentence in capfd.readouterr().err


def test_without_the_word_a_default_recipe_resolves_as_it_always_did(here: Path) -> None:
    from exporter.recipes.export import load_recipe

    write(here, "GruDenoiser", {"h": {"output": 1}})
    assert load_recipe("tiny.yaml").resolved()["input"]["state"] == {"h": {"output": ["1"], "shape": None}}
    write(here, "GruDenoiser", {})
    assert load_recipe("tiny.yaml").resolved()["input"] == {"height": 64, "width": 64}
