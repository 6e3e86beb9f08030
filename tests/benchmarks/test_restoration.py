"""benchmarks/restoration.py on three small pairs: every figure there, and right where it is known."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from exporter.data.baselines import uniform_blur
from exporter.data.evaluation import Pair
from tests.conftest import REPO, picture


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("restoration", REPO / "benchmarks" / "restoration.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["restoration"] = module
    spec.loader.exec_module(module)
    return module


def test_every_method_is_measured_on_every_set_it_can_do(
    benchmark: ModuleType, student_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "WEIGHTS", tmp_path / "none")
    monkeypatch.setattr(benchmark, "SIDE", 64)
    pairs = tuple(Pair(str(i), uniform_blur(picture(i), i)[0], picture(i)) for i in range(3))
    sets = (benchmark.Set("synthetic", "", "0", pairs), benchmark.uniform_set(pairs, "0"))
    benchmark.main([student_file], sets, tmp_path)
    result = json.loads((tmp_path / "restoration.json").read_text())
    assert (tmp_path / "restoration.png").read_bytes().startswith(b"\x89PNG")
    found = result["methods"]
    assert set(found["Wiener, true kernel"]) == {"uniform"}
    assert set(found[student_file.name]) == set(found["unsharp mask"]) == {"synthetic", "uniform"}
    untouched = found["blurred input"]["synthetic"]
    assert untouched["gain_db"]["each"] == [0, 0, 0]
    assert untouched["pictures_below_input"] == 0
    assert untouched["colour_shift"]["worst"] == pytest.approx(0, abs=0.01)
    assert found["Richardson-Lucy, true kernel"]["uniform"]["gain_db"]["mean"] > 1
    student = found[student_file.name]["synthetic"]
    assert student["psnr_db"]["worst"] == min(student["psnr_db"]["each"])
    assert student["grid"]["worst"] == max(student["grid"]["each"])
    assert np.mean(student["ssim"]["each"]) == pytest.approx(student["ssim"]["mean"], abs=1e-3)
    assert "st_lpips" in result["protocols"]
    assert result["environment"]["torch"]
