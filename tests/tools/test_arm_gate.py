"""A bundle on ARM64: all of its .tflite files pass, a golden vector that is off by one step does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from exporter.bundle import write_bundle
from exporter.engines.arm import ArmEngine
from tests.bundle.conftest import finished as finished  # a finished run, as the bundle's own tests have it
from tests.runtimes.test_arm import arm_engine  # noqa: F401
from tools.arm_gate import prove_on_arm


@pytest.fixture(scope="module")
def bundle(finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    outcome, golden = finished
    return write_bundle(outcome, golden, tmp_path_factory.mktemp("dist"), multiple=8)


@pytest.mark.slow
def test_a_bundle_is_proven(bundle: Path, arm_engine: ArmEngine):  # noqa: F811
    checks = {check.name: check for check in prove_on_arm(bundle)}
    assert [check for check in checks.values() if check.status != "passed"] == []
    int8 = [check for name, check in checks.items() if "int8" in name and "LiteRT" in name]
    assert len(int8) == 3 and {check.detail for check in int8} == {"bit-exact"}
    (canary,) = (check for name, check in checks.items() if name.startswith("canary"))
    assert canary.detail.endswith(": noticed")


@pytest.mark.slow
def test_one_step_of_one_pixel_is_caught(bundle: Path, arm_engine: ArmEngine, tmp_path: Path):  # noqa: F811
    changed = Path(shutil.copytree(bundle, tmp_path / "changed"))
    (file,) = changed.glob("golden/0_*int8.tflite.output.npy")
    tensor = np.load(file)
    tensor[0, 3, 5, 1] ^= 1
    np.save(file, tensor)
    failed = [check.name for check in prove_on_arm(changed) if check.status == "failed"]
    assert len(failed) == 3 and all("int8" in name and "LiteRT" in name for name in failed)


def test_without_the_engine_nothing_was_checked(bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    (check,) = prove_on_arm(bundle)
    assert check.status == "not checked" and "--install arm" in check.detail
