"""Which device of a farm is meant, and that none of those asked is lost."""

from __future__ import annotations

import pytest

from exporter.errors import RecipeError
from exporter.farms.base import FarmDevice, Patience, choose, each_of
from exporter.not_measured import NotMeasured

KNOWN = [
    FarmDevice("arn:1", "Google Pixel 8", "14"),
    FarmDevice("arn:2", "Google Pixel 8", "15", usable=False),
    FarmDevice("arn:3", "Google Pixel 8 Pro", "14"),
    FarmDevice("arn:4", "Samsung Galaxy S23", "9.1"),
    FarmDevice("arn:5", "Samsung Galaxy S23", "13"),
]


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        ("Google Pixel 8", ["arn:1"]),  # a newer one is taken by somebody
        ("pixel 8, Galaxy S23", ["arn:1", "arn:5"]),  # 13 is newer than 9.1
        ("arn:2", ["arn:2"]),
        ("Pixel 8 Pro,Google Pixel 8 Pro", ["arn:3"]),
    ],
)
def test_a_device_is_chosen_by_its_name_or_the_end_of_it(names: str, ids: list[str]) -> None:
    assert [one.id for one in choose(names, KNOWN)] == ids


def test_a_name_that_no_device_has_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="the farm has no device 'Pixl 8'; did you mean 'Google Pixel 8'"):
        choose("Pixl 8", KNOWN)
    with pytest.raises(RecipeError, match="it has 3, such as Google Pixel 8, Google Pixel 8 Pro"):
        choose("zzz", KNOWN)
    with pytest.raises(RecipeError, match="names no device"):
        choose(" , ", KNOWN)


def test_a_device_that_the_farm_does_not_speak_of_is_not_measured() -> None:
    said = NotMeasured("it was skipped")
    (_, first), (lost, second) = each_of(KNOWN[:2], {"arn:1": said, "arn:9": said})
    assert first is said and lost.id == "arn:2"
    assert isinstance(second, NotMeasured) and second.lost and "does not name this device" in second.reason


def test_patience_ends() -> None:
    clock, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    patience = Patience(40, 15, lambda: clock[0], sleep)
    assert [patience.wait() for _ in range(4)] == [True, True, True, False]
    assert slept == [15, 15, 10], "the last wait is no longer than what is left"
