"""Which code a result depends on: every way to reach a file is followed, what never runs is left out."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.sources import Code, Sources
from exporter.sources.installed import versions_of

Write = Callable[[dict[str, str]], Sources]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files into one folder; gives what a new process would find there."""

    def files(contents: dict[str, str]) -> Sources:
        for name, content in contents.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        return Sources([tmp_path, *map(Path, sys.path)])

    return files


@pytest.mark.parametrize(
    "statement",
    [
        "import user.inner",
        "from user import inner",
        "from user.inner import value",
        "from . import inner",
        "from .inner import value",
        "def f():\n    import user.inner",
        "try:\n    from user import inner\nexcept ImportError:\n    inner = None",
        "from importlib import import_module\nimport_module('user.inner')",
        "PROGRAM = 'import sys; from user.inner import main; main()'",
        "from pathlib import Path\nPROGRAM = Path(__file__).with_name('inner.py')",
    ],
)
def test_every_way_to_run_a_module_is_followed(write: Write, statement: str) -> None:
    sources = write({"user/__init__.py": "", "user/net.py": statement, "user/inner.py": "value = 1"})
    assert list(sources.code_of("user.net").files) == ["user/__init__.py", "user/inner.py", "user/net.py"]


@pytest.mark.parametrize(
    "statement",
    [
        '"""See user.inner."""',
        "# import user.inner",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from user import inner",
        "import json.decoder, os.path",
    ],
)
def test_what_never_runs_is_left_out(write: Write, statement: str) -> None:
    code = write({"user/__init__.py": "", "user/net.py": statement, "user/inner.py": "value = 1"}).code_of("user.net")
    assert code.packages == {} and list(code.files) == ["user/__init__.py", "user/net.py"]


def test_the_packages_around_a_module_run_with_it(write: Write) -> None:
    sources = write(
        {"user/__init__.py": "import other", "user/deep/__init__.py": "", "user/deep/net.py": "", "other.py": ""}
    )
    assert list(sources.code_of("user.deep.net").files) == [
        "other.py",
        "user/__init__.py",
        "user/deep/__init__.py",
        "user/deep/net.py",
    ]


def test_modules_that_import_each_other(write: Write) -> None:
    assert len(write({"a.py": "import b", "b.py": "import a"}).code_of("a").files) == 2


def test_a_computed_import_may_be_any_module_of_the_package(write: Write) -> None:
    files = {
        "nets/__init__.py": "from importlib import import_module\ndef load(n):\n    return import_module(f'nets.{n}')",
        "nets/one.py": "",
        "nets/deep/two.py": "",
        "aside.py": "",
    }
    assert list(write(files).code_of("nets").files) == ["nets/__init__.py", "nets/deep/two.py", "nets/one.py"]


def test_data_beside_a_module_counts_with_its_bytes(write: Write) -> None:
    files = {
        "user/__init__.py": "",
        "user/net.py": "WEIGHTS = 'tables/kernel.json'",
        "user/tables/kernel.json": "[1, 2]",
    }
    before = write(files).code_of("user.net")
    after = write({"user/tables/kernel.json": "[1, 3]"}).code_of("user.net")
    assert _changed(before, after) == {"user/tables/kernel.json"}


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        ("def f(x):\n    return x + 1\n", False),
        ("# why\ndef f(x):  # how\n\n    return (x\n            + 1)\n", False),
        ('"""What."""\ndef f(x):\n    """Says more."""\n    return x + 1\n', False),
        ("def f(x):\n    return x + 2\n", True),
        ("def f(x):\n    'a string' and None\n    return x + 1\n", True),
        ("def f(x):\n    return x + 1.0\n", True),
        ("def f(x):\n    assert x\n    return x + 1\n", True),
        ("def f(x):\n    return x + 1\nf.__doc__\n", True),
        ("def f(x:\n", True),
    ],
)
def test_only_what_is_computed_is_in_a_digest(write: Write, content: str, counts: bool) -> None:
    before = write({"net.py": "def f(x):\n    return x + 1\n"}).code_of("net")
    assert (write({"net.py": content}).code_of("net") != before) == counts


def test_the_docstring_below_a_field_is_left_out(write: Write) -> None:
    plain = "class A:\n    ratio = 1\n    width = 2\n"
    before = write({"net.py": plain}).code_of("net")
    assert write({"net.py": plain.replace("1\n", '1\n    """Of channels."""\n')}).code_of("net") == before


def test_a_file_that_reads_docstrings_keeps_them(write: Write) -> None:
    before = write({"net.py": '"""3"""\nwidth = int(__doc__)'}).code_of("net")
    assert write({"net.py": '"""4"""\nwidth = int(__doc__)'}).code_of("net") != before


def test_names_do_not_say_where_a_package_lies(tmp_path: Path) -> None:
    digests = []
    for place in ("here", "there/site-packages"):
        (tmp_path / place / "exporter").mkdir(parents=True)
        (tmp_path / place / "exporter/__init__.py").write_text("x = 1")
        digests.append(Sources([tmp_path / place]).code_of("exporter"))
    assert digests[0] == digests[1] and list(digests[0].files) == ["exporter/__init__.py"]


def test_an_installed_package_counts_by_its_version(write: Write) -> None:
    code = write({"net.py": "import numpy.fft\nfrom PIL import Image\nimport not_there_at_all"}).code_of("net")
    assert list(code.files) == ["net.py"]
    assert code.packages == versions_of("numpy") | versions_of("PIL") | {"not_there_at_all": "absent"}
    assert list(versions_of("PIL")) == ["pillow"]


def test_what_lies_among_installed_packages_without_a_version_is_read(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages/copied_by_hand.py").write_text("x = 1")
    sources = Sources([tmp_path / "site-packages"])
    assert list(sources.code_of("copied_by_hand").files) == ["copied_by_hand.py"]


def test_files_that_were_edited_since_they_were_read(write: Write, tmp_path: Path) -> None:
    sources = write({"net.py": "x = 1", "other.py": "x = 'table.txt'", "table.txt": "1"})
    names = sources.code_of("net", "other").files
    (tmp_path / "net.py").write_text("x = 1  # the same")
    assert sources.edited(names) == []
    (tmp_path / "net.py").write_text("x = 2")
    (tmp_path / "table.txt").unlink()
    assert sources.edited(names) == ["net.py", "table.txt"]


def _changed(before: Code, after: Code) -> set[str]:
    return {
        name for name in before.files.keys() | after.files.keys() if before.files.get(name) != after.files.get(name)
    }
