from __future__ import annotations

import pytest

from exporter.errors import PlanError
from exporter.probe.sizes import SizeRule, find_size


def only_multiples(of: int):
    return lambda height, width: "" if height % of == width % of == 0 else f"{height}×{width} will not do"


@pytest.mark.parametrize("multiple", [1, 2, 3, 4, 8, 16, 32, 64])
def test_the_multiple_is_found(multiple: int) -> None:
    assert find_size(only_multiples(multiple), None).multiple == multiple


def test_sides_that_differ_come_first() -> None:
    assert find_size(only_multiples(8), None) == SizeRule(96, 128, 8)
    assert find_size(lambda height, width: "" if height == width else "not square", None) == SizeRule(128, 128, 1)


def test_a_network_of_one_size() -> None:
    rule = find_size(lambda height, width: "" if (height, width) == (224, 224) else "224 alone", None)
    assert rule == SizeRule(224, 224, 224)


def test_a_wrong_size_says_which_run() -> None:
    with pytest.raises(PlanError, match=r"^100×90 will not do; it runs at 96×88 px \(.* multiples of 8\)"):
        find_size(only_multiples(8), (100, 90))


def test_no_size_at_all() -> None:
    with pytest.raises(PlanError, match="^always$"):
        find_size(lambda *_: "always", None)
