"""A small finished run with real model files, made once: three .tflite files and one .onnx of one network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.bundle import Golden, write_bundle
from exporter.bundle.stored_verdict import pledges_of
from exporter.errors import ExportError
from exporter.inspect.lint import lint_model
from exporter.judge.budget import judge
from exporter.judge.outcome import Outcome
from exporter.measure.results import TargetResult, Tiled
from exporter.runtimes import runtime
from exporter.tiling.grid import Tiling
from tests.report.demo_outcome import demo_outcome

SIDE = 32
RECIPE: dict[str, Any] = {
    "name": "mobile_deblur",
    "version": "1.0.0",
    "description": "Deblurs photographs.",
    "licence": "Apache-2.0",
    "model": {"arch": "deblurgan_v2_mobilenet", "checkpoint": "weights/teacher.safetensors", "source": "trained here"},
    "input": {"height": SIDE, "width": SIDE},
    "stages": [{"prune": {"ratio": 0.4}}, {"distill": {"steps": 400}}],
    "targets": {
        "tflite_fp32": {"runtime": "litert_cpu", "also_on": [], "budget": {"min_parity_db": 80.0}},
        "tflite_fp16": {"runtime": "litert_cpu", "also_on": [], "budget": {"min_parity_db": 60.0}},
        "tflite_int8": {
            "runtime": "litert_cpu",
            "also_on": ["litert_gpu", "litert_arm"],
            "budget": {"min_int8_mac_share": 1.0, "max_size_mb": 1.0},
        },
        "tflite_int8_old": {"runtime": "tflite_runtime", "also_on": [], "budget": {}},
        "onnx_int8": {"runtime": "onnxruntime_cpu", "also_on": [], "budget": {"max_loss_db": 0.2}},
    },
    "budget": {"min_parity_db": 40.0, "forbid_errors": True},
    "verify": {"threads": 2, "demand_all": False},
}
PROVENANCE: dict[str, Any] = {
    "model": {"arch": "deblurgan_v2_mobilenet", "checkpoint": "teacher.safetensors", "sha256": "3f5a" * 16},
    "files": {"model.checkpoint": {"file": "teacher.safetensors", "sha256": "3f5a" * 16}},
    "exporter": {"version": "0.1.0", "commit": "ab" * 20, "modified": False},
    "calibration": {"name": "photos", "images": 96, "sha256": "9c01" * 16, "licences": ["MIT"]},
    "evaluation": {"name": "pairs", "images": 40, "sha256": "77ab" * 16, "licences": ["MIT"]},
}
Finished = tuple[Outcome, tuple[Golden, ...]]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    demo = demo_outcome(folder)
    artifacts = _convert(folder)
    files = {name: {"artifact": file, "audit": lint_model(file.path)[0]} for name, file in artifacts.items()}
    targets = tuple(replace(target, **files[target.name.removesuffix("_old")]) for target in demo.targets)
    tiled = Tiled(Tiling(SIDE, SIDE, 8, 4, 4), 24, None, images=8, psnr_db=61.5, max_abs=0.004)
    outcome = judged_by(replace(demo, targets=targets, tiled=tiled), RECIPE)
    return outcome, tuple(_golden(name, targets, seed) for seed, name in enumerate(("noise", "ramp/../x")))


@pytest.fixture(scope="session")
def pristine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That run as a bundle, to be read only.

    `tools/mutants.py`, which runs these tests a hundred times without a change to what makes it, names a folder for it.
    """
    kept = os.environ.get("KEPT_BUNDLE")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("dist")
    whole = [file.parent for file in folder.glob("*/SHA256SUMS")]
    return whole[0] if whole else write_bundle(*request.getfixturevalue("finished"), folder, multiple=4)


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Path:
    """A copy of `pristine` to do harm to."""
    return Path(shutil.copytree(pristine, tmp_path / pristine.name))


def judged_by(outcome: Outcome, recipe: dict[str, Any]) -> Outcome:
    """`outcome` as a run of `recipe` would have ended, with the figures it has."""
    results = {target.name: target for target in outcome.targets}
    verdicts = judge(pledges_of(recipe), results)
    return replace(outcome, recipe=recipe, verdicts=verdicts, provenance=PROVENANCE)


def _golden(name: str, targets: tuple[TargetResult, ...], seed: int) -> Golden:
    pixels = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    expected = {}
    for target in targets:
        if target.runtime != "tflite_runtime":  # the first target of a file speaks for it
            with runtime(target.runtime).open(target.artifact, threads=1) as session:
                expected[target.name] = session.infer(pixels.astype(np.float32) / 255)
    return Golden(name, pixels, expected)


def _convert(folder: Path) -> dict[str, Artifact]:
    """A clamped residual of two convolutions through TensorFlow's converter, and its like in ONNX."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(3)
    image = tf.keras.Input((SIDE, SIDE, 3), batch_size=1, name="image")
    hidden = tf.keras.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    change = tf.keras.layers.Conv2D(3, 3, padding="same")(hidden)
    clamped = tf.keras.layers.Lambda(lambda x: tf.clip_by_value(x[0] + 0.2 * x[1], 0.0, 1.0))([image, change])
    model = tf.keras.Model(image, clamped)
    nhwc = TensorSpec.image(SIDE, SIDE, "NHWC")
    int8 = replace(nhwc, dtype="int8", scale=float(np.float32(1 / 255)), zero_point=-128)
    made = {}
    for precision, spec in (("fp32", nhwc), ("fp16", nhwc), ("int8", int8)):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        _configure(converter, precision, tf)
        path = folder / f"{precision}.tflite"
        path.write_bytes(converter.convert())
        made[f"tflite_{precision}"] = Artifact(
            Format.TFLITE, path, spec, spec, sha256_of(path), precision, ("teacher", precision)
        )
    made["onnx_int8"] = replace(_onnx(folder, nhwc), precision="int8")
    return made


def _configure(converter, precision: str, tf) -> None:  # type: ignore[no-untyped-def]
    if precision == "fp32":
        return
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "fp16":
        converter.target_spec.supported_types = [tf.float16]
        return
    rng = np.random.default_rng(0)
    full_range = np.linspace(0, 1, SIDE * SIDE * 3, dtype=np.float32).reshape(1, SIDE, SIDE, 3)
    crops = [full_range, *(rng.random((1, SIDE, SIDE, 3), np.float32) for _ in range(8))]
    converter.representative_dataset = lambda: ([crop] for crop in crops)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8


def _onnx(folder: Path, spec: TensorSpec) -> Artifact:
    import onnx
    from onnx import TensorProto, helper

    shape = list(spec.shape)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("image", "restored")]
    limits = [helper.make_tensor(name, TensorProto.FLOAT, [], [value]) for name, value in (("low", 0.0), ("high", 1.0))]
    limits += [
        helper.make_tensor("step", TensorProto.FLOAT, [], [1 / 255]),
        helper.make_tensor("zero", TensorProto.UINT8, [], [0]),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["image", "step", "zero"], ["codes"]),
        helper.make_node("DequantizeLinear", ["codes", "step", "zero"], ["same"]),
        helper.make_node("Clip", ["same", "low", "high"], ["restored"]),
    ]
    graph = helper.make_graph(nodes, "clamp", ends[:1], ends[1:], limits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path = folder / "clamp.onnx"
    onnx.save(model, str(path))
    return Artifact(Format.ONNX, path, spec, spec, sha256_of(path), "int8", ("teacher", "onnx"))


@pytest.fixture
def resign() -> Callable[[Path], None]:
    """Makes SHA256SUMS, and what says the same, agree with a changed bundle, as somebody who means harm would."""
    from exporter.bundle.attest import write_attestations
    from exporter.bundle.sums import PROVENANCE, SBOM, SUMS, digests, sums_text

    def sign(bundle: Path) -> None:
        former = {file: (bundle / file).read_bytes() for file in (SBOM, PROVENANCE) if (bundle / file).is_file()}
        with suppress(ExportError, OSError):  # of a manifest that cannot be read nothing follows
            for file in former:
                (bundle / file).unlink()
            write_attestations(bundle)
        for file in former.keys() - {path.name for path in bundle.iterdir()}:
            (bundle / file).write_bytes(former[file])
        (bundle / SUMS).write_text(sums_text(digests(bundle)))

    return sign


def mirror_golden(bundle: Path) -> None:
    """After it the INT8 file answers otherwise than its first golden vector."""
    path = bundle / "golden" / "0_noise.mobile_deblur.int8.tflite.output.npy"
    np.save(path, np.ascontiguousarray(np.load(path)[:, ::-1]))


@pytest.fixture
def models_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test to which it is all the same what engines say of golden vectors."""
    monkeypatch.setattr("exporter.bundle.verify.golden_checks", lambda *_: ())


def tree(folder: Path) -> dict[str, bytes]:
    """The content of every file, by its path in `folder`."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
