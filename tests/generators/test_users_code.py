"""A network's own constructor and forward: whatever they raise is said with the user's file and line, exit 2."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from exporter.artifact import Format
from exporter.errors import MachineFailed, PlanError, RecipeError
from exporter.generators.build import build_network, generator_info
from exporter.stages import LoadGenerator
from exporter.stages.torch_to_onnx import TorchToOnnx
from tests.conftest import artifact_of

CODE = """
import sys
import torch
from torch import nn

class Base(nn.Module):
    def __init__(self, bad=""):
        super().__init__()
        self.bad = bad
        self.conv = nn.Conv2d(3, 3, 1)

class InConstructor(Base):
    def __init__(self, groups=2):
        super().__init__()
        {fails}

class InForward(Base):
    def forward(self, x):
        {fails}
        return self.conv(x)

class WhenTraced(Base):
    def forward(self, x):
        if torch.jit.is_tracing() or torch.compiler.is_compiling():
            {fails}
        return self.conv(x)
"""
FAILURES = {
    "assert 2 == 3": "AssertionError",
    "raise Exception": "Exception",
    "{}['width']": "KeyError: 'width'",
    "1 / 0": "ZeroDivisionError: division by zero",
    "sys.exit()": "SystemExit",
    "raise ValueError('')": "ValueError",
}


@pytest.fixture(params=FAILURES.items(), ids=FAILURES)
def failing(request, tmp_path, monkeypatch):
    """(module with networks that fail so, what is said)."""
    line, says = request.param
    (tmp_path / "failing_net.py").write_text(CODE.replace("{fails}", line))
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("failing_net", None)
    yield "failing_net", f"{says} (failing_net.py:", line
    sys.modules.pop("failing_net", None)


def require_said(error: Exception, says: str, line: str) -> None:
    assert error.exit_code == 2
    assert says in str(error) and f": {line})" in str(error)


def test_a_constructor_that_fails(failing):
    module, says, line = failing
    with pytest.raises(RecipeError) as caught:
        build_network(generator_info(f"{module}:InConstructor"), {})
    require_said(caught.value, says, line)


def test_a_forward_that_fails(failing, tmp_path, make_workspace):
    module, says, line = failing
    torch.save(nn.ModuleDict({"conv": nn.Conv2d(3, 3, 1)}).state_dict(), tmp_path / "w.pth")
    source = artifact_of(tmp_path / "w.pth", Format.CHECKPOINT)
    with pytest.raises(PlanError) as caught:
        LoadGenerator(arch=f"{module}:InForward").run(source, make_workspace("load", source))
    require_said(caught.value, says, line)


def test_a_forward_that_fails_only_when_it_is_traced(failing, tmp_path, make_workspace):
    module, says, line = failing
    torch.save(nn.ModuleDict({"conv": nn.Conv2d(3, 3, 1)}).state_dict(), tmp_path / "w.pth")
    source = artifact_of(tmp_path / "w.pth", Format.CHECKPOINT)
    loaded = LoadGenerator(arch=f"{module}:WhenTraced").run(source, make_workspace("load", source))
    with pytest.raises(PlanError) as caught:
        TorchToOnnx(exporter="trace").run(loaded, make_workspace("export", loaded))
    require_said(caught.value, says, line)


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (MemoryError("no room for the graph"), MemoryError),
        (OSError(28, "No space left on device", "as_exported.onnx"), OSError),
        (OSError("could not get source code"), PlanError),  # how inspect says that a class has no file
    ],
)
def test_a_machine_that_fails_is_no_refusal_of_the_network(raised, seen, student_file, make_workspace, monkeypatch):
    source = artifact_of(student_file, Format.CHECKPOINT)
    loaded = LoadGenerator(kwargs={"preset": "s"}).run(source, make_workspace("load", source))

    def export(*_, **__):
        raise raised

    monkeypatch.setattr(torch.onnx, "export", export)
    with pytest.raises(seen):
        TorchToOnnx(exporter="dynamo").run(loaded, make_workspace("export", loaded))


def test_addresses_of_python_objects_are_not_said():
    said = str(MachineFailed("cannot read <_io.BytesIO object at 0x7f00ab> or <function f at 0x7F00ab>"))
    assert said == "cannot read <_io.BytesIO> or <function f>"
