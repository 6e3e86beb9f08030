import pytest

from exporter.data.spread import evenly_spread


@pytest.mark.parametrize(
    ("count", "wanted", "places"), [(10, 3, [0, 3, 6]), (3, 10, [0, 1, 2]), (8, 8, list(range(8))), (0, 4, [])]
)
def test_places_are_at_equal_distances(count: int, wanted: int, places: list[int]) -> None:
    assert evenly_spread(count, wanted) == places
