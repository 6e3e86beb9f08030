import numpy as np
import pytest

from exporter.data.bicubic import enlarge, shrink

# The corner of a well-known test picture, its green channel, and what MATLAB R2021 makes of it:
# imwrite(imresize(im2double(picture), scale, 'bicubic')).
CORNER = """
6 6 6 6 6 6 6 6 6 6 6 6 6 6 6 6
104 150 50 22 42 106 134 80 55 106 42 72 105 105 54 11
104 107 50 75 42 75 75 134 40 40 72 104 134 135 80 72
22 75 42 75 50 72 42 104 135 39 42 104 104 150 104 105
72 42 135 135 22 50 42 42 138 150 55 106 105 86 150 134
80 75 104 150 11 42 22 22 42 150 168 104 168 167 142 168
72 42 22 72 80 50 22 55 72 42 134 165 106 168 196 196
134 50 22 42 75 106 72 42 106 106 42 75 24 55 81 150
135 50 22 22 22 42 75 22 42 42 104 104 42 42 104 109
104 168 142 104 137 25 22 42 72 75 75 50 22 138 138 86
80 104 172 138 135 135 22 22 104 50 42 39 22 42 134 168
113 75 167 138 107 167 87 42 104 104 40 25 42 72 135 109
113 50 106 168 73 104 138 56 75 150 42 22 11 42 150 196
107 55 40 75 109 75 134 80 42 42 22 22 22 22 55 75
75 40 75 55 50 41 22 75 72 86 42 22 22 6 106 134
42 22 50 106 73 75 23 42 86 86 104 41 23 22 42 104
"""
SMALLER = {
    2: "59 23 37 52 33 35; 80 67 62 95 77 78; 64 110 42 36 109 117; 75 38 67 50 75 105; 113 78 64 40 62 68; "
    "103 153 127 57 86 37",
    3: "58 41 60; 77 65 69; 75 54 52",
    4: "58 55; 72 53",
}
LARGER = {
    2: "0 0 0 0 0 3; 25 29 36 33 20 12; 80 94 122 110 61 29; 109 123 151 135 76 42; 111 116 124 108 65 50; "
    "85 90 99 88 55 50",
    3: "0 0 0 0 0 0; 6 6 6 6 6 6; 33 35 41 48 50 43; 71 75 88 105 111 92; 99 104 121 144 150 125; "
    "110 114 128 146 149 124",
}


def table(text: str) -> np.ndarray:
    rows = text.strip().replace(";", "\n").splitlines()
    return np.array([row.split() for row in rows], np.uint8)[..., None]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_smaller_pictures_are_those_of_matlab(scale: int) -> None:
    wanted = table(SMALLER[scale])
    assert np.array_equal(shrink(table(CORNER), scale)[: len(wanted), : len(wanted)], wanted)


@pytest.mark.parametrize("scale", [2, 3])
def test_larger_pictures_are_those_of_matlab(scale: int) -> None:
    wanted = table(LARGER[scale])
    assert np.array_equal(enlarge(table(CORNER), scale)[: len(wanted), : len(wanted)], wanted)


def test_colours_do_not_mix_and_odd_sizes_round_up() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (13, 9, 3), dtype=np.uint8)
    small = shrink(picture, 4)
    assert small.shape == (4, 3, 3)
    assert np.array_equal(small[..., 1:2], shrink(picture[..., 1:2], 4))
    assert enlarge(picture, 3).shape == (39, 27, 3)


def test_a_flat_picture_stays_flat() -> None:
    flat = np.full((12, 20, 3), 201, np.uint8)
    assert (shrink(flat, 3) == 201).all()
    assert (enlarge(flat, 4) == 201).all()


def test_a_mirrored_picture_is_made_small_into_a_mirrored_one() -> None:
    """So a picture that is continued by mirroring has the small picture that its small one continues to."""
    picture = np.random.default_rng(1).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    assert np.array_equal(shrink(picture[::-1, ::-1], 4), shrink(picture, 4)[::-1, ::-1])
    continued = np.concatenate([picture, picture[::-1]])
    assert np.array_equal(shrink(continued, 4), np.concatenate([shrink(picture, 4), shrink(picture, 4)[::-1]]))
