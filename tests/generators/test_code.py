"""The code of networks in keys: ours by their entry in the table, a user's own by its files, none of them imported."""

import sys
from pathlib import Path

import pytest

from exporter.errors import RecipeError
from exporter.generators.code import code_of_network_file, network_code
from exporter.generators.table import GENERATORS, ZOO
from exporter.sources import Sources, closure


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes files into the working directory; gives the parts of my_net:Net as a new process would find them."""
    monkeypatch.chdir(tmp_path)

    def found(**files: str) -> dict[str, str]:
        for name, content in files.items():
            Path(f"{name}.py").write_text(content)
        monkeypatch.setattr(closure, "_here", Sources())
        return network_code("my_net:Net").parts()

    return found


def test_a_network_of_the_users_counts_with_what_lies_beside_it(mine) -> None:
    first = mine(my_net="from my_blocks import Block\nclass Net(Block): ...", my_blocks="class Block: ...", other="")
    assert {"code my_net.py", "code my_blocks.py"} <= first.keys() and "code other.py" not in first
    assert mine(my_net="# better\nfrom my_blocks import Block\nclass Net(Block): ...") == first
    assert mine(my_blocks="class Block:\n    width = 3") != first
    assert not {"my_net", "my_blocks"} & sys.modules.keys()


def test_every_known_network_has_its_file_and_its_entry_in_the_key() -> None:
    for info in GENERATORS:
        parts = network_code(info.name).parts()
        assert f"code {info.network.partition(':')[0].replace('.', '/')}.py" in parts
        assert f"code architecture {info.name}" in parts
        others = {other.network for other in GENERATORS} - {info.network}
        assert sum(f"code {other.partition(':')[0].replace('.', '/')}.py" in parts for other in others) <= 2
    assert "package spandrel" in network_code(ZOO.name).parts()


def test_a_network_file_says_whose_code_it_needs(student_file, tmp_path) -> None:
    assert code_of_network_file(student_file) == network_code("mobilenetv3_student")
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"no such file")
    assert code_of_network_file(other).parts() == {}


def test_a_name_that_is_no_architecture_is_refused() -> None:
    with pytest.raises(RecipeError, match="no architecture is named 'nafnett'"):
        network_code("nafnett")
