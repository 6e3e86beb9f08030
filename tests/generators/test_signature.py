"""What the source of a network's class tells without running any of it."""

from pathlib import Path

import pytest

from exporter.generators.build import build_network, generator_info, network_class
from exporter.generators.signature import arch_problem, kwargs_problems
from exporter.generators.table import GENERATORS

NETWORKS = """
import sys
from elsewhere import Imported
(Path := __import__("pathlib").Path)("MARK").write_text("this ran")
if sys.version_info > (3,):
    class Conditional: ...
class Net(nn.Module):
    def __init__(self, width: int = 3, *, depth=1): ...
class Open(nn.Module):
    def __init__(self, **options): ...
class Inherits(Net): ...
def make(): ...
Alias = Net
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`my_nets.deep` with the networks above, importable, but for the mark that importing it would leave."""
    folder = tmp_path / "my_nets"
    folder.mkdir()
    mark = tmp_path / "mark"
    (folder / "__init__.py").write_text(f"open({str(mark)!r}, 'w')\n")
    (folder / "deep.py").write_text(NETWORKS.replace("MARK", str(mark)))
    (folder / "star.py").write_text("from elsewhere import *\n")
    (folder / "lazy.py").write_text("def __getattr__(name): ...\n")
    (folder / "broken.py").write_text("def (\n")
    monkeypatch.syspath_prepend(tmp_path)
    return mark


@pytest.mark.parametrize("name", ["Net", "Open", "Inherits", "Conditional", "Imported", "Alias"])
def test_what_may_be_a_network_passes_and_nothing_runs(package: Path, name: str) -> None:
    assert arch_problem(f"my_nets.deep:{name}") == ""
    assert not package.exists()


@pytest.mark.parametrize("module", ["star", "lazy", "broken"])
def test_what_reading_cannot_tell_is_left_to_the_export(package: Path, module: str) -> None:
    assert arch_problem(f"my_nets.{module}:Anything") == ""
    assert list(kwargs_problems(f"my_nets.{module}:Anything", {"a": 1})) == []


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ("my_nets.deep:Nett", "my_nets.deep has no Nett; did you mean 'Net'?"),
        ("my_nets.deep:make", "is a function, not a class"),
        ("my_nets.gone:Net", "there is no module my_nets.gone"),
        ("my_nets.deep.more:Net", "there is no module my_nets.deep.more"),
        ("nope.nope:X", "there is no module nope"),
        ("os:system", "of Python's own library"),
        ("os.path:join", "of Python's own library"),
        ("subprocess:Popen", "of Python's own library"),
        ("builtins:eval", "of Python's own library"),
        ("my_nets.deep:", "is not package.module:Class"),
        (":Net", "is not package.module:Class"),
        ("../x:Net", "is not package.module:Class"),
        ("a:b:c", "is not package.module:Class"),
    ],
)
def test_what_cannot_be_a_network(package: Path, network: str, says: str) -> None:
    assert says in arch_problem(network)
    assert not package.exists()


def test_keywords_that_the_class_does_not_take(package: Path) -> None:
    found = dict(kwargs_problems("my_nets.deep:Net", {"width": "3", "depth": 2, "widht": 1}))
    assert found == {"widht": "Net takes no 'widht'; did you mean 'width'?"}
    assert list(kwargs_problems("my_nets.deep:Open", {"anything": 1})) == []
    assert list(kwargs_problems("my_nets.deep:Inherits", {"anything": 1})) == []


def test_every_architecture_of_ours_can_be_read() -> None:
    for info in GENERATORS:
        assert arch_problem(info.network) == ""
        assert [name for name, _ in kwargs_problems(info.network, {"no_such_option": 1})] == ["no_such_option"], info


def test_values_of_our_own_networks_are_typed() -> None:
    student = generator_info("mobilenetv3_student").network
    bad = {"preset": "zzz", "activation": "gelu", "squeeze_excite": "no"}
    assert dict(kwargs_problems(student, bad)) == {
        "preset": "must be 's' or 'm' or 'l' or 'p', got 'zzz'",
        "activation": "must be 'relu6' or 'relu' or 'hard_swish', got 'gelu'",
        "squeeze_excite": "must be bool, got 'no'",
    }
    assert list(kwargs_problems(student, {"preset": "s", "squeeze_excite": True})) == []
    teacher = generator_info("deblurgan_v2_mobilenet").network
    assert dict(kwargs_problems(teacher, {"norm_mode": "batch", "num_filters": True})).keys() == {
        "norm_mode",
        "num_filters",
    }


def test_presets_are_those_that_the_signature_names() -> None:
    from typing import get_args

    from exporter.generators.mobilenetv3_student import PRESETS, PresetName

    assert get_args(PresetName) == tuple(PRESETS)


USERS = """
from torch import nn
class Net(nn.Module):
    def __init__(self, width=3):
        super().__init__()
        assert width == 4
class Leaves(nn.Module):
    def __init__(self):
        raise SystemExit(0)
def system(): raise AssertionError("called")
Thing = 5
"""


def test_a_users_own_mistake_is_a_sentence_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from exporter.errors import RecipeError

    (tmp_path / "users_nets.py").write_text(USERS)
    (tmp_path / "users_exit.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "users_typo.py").write_text("x = 1\ndef (\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name, says in (
        ("users_nets:Net", r"refuses \{\}: AssertionError \(users_nets.py:6: assert width == 4\)"),
        ("users_nets:Leaves", r"SystemExit: 0 \(users_nets.py:9"),
        ("users_exit:Net", r"cannot import 'users_exit:Net': SystemExit: 3 \(users_exit.py:1"),
        ("users_typo:Net", r"SyntaxError: .*\(users_typo.py:2\)"),
        ("users_gone:Net", r"cannot import 'users_gone:Net'"),
    ):
        with pytest.raises(RecipeError, match=says):
            build_network(generator_info(name), {})
    assert build_network(generator_info("users_nets:Net"), {"width": 4})


@pytest.mark.parametrize(
    "name", ["os:system", "users_nets:system", "users_nets:Thing", "subprocess:Popen", "builtins:eval"]
)
def test_what_is_no_network_is_not_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    from exporter.errors import RecipeError

    (tmp_path / "users_nets.py").write_text(USERS)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RecipeError, match="is no class of torch.nn.Module"):
        network_class(generator_info(name))
