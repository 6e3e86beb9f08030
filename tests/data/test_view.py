"""Channels, frames and noise: what of a photograph goes into a network, and what should come out."""

import numpy as np
import pytest

from exporter.artifact import TensorSpec
from exporter.data.colour import in_colour, to_look_at
from exporter.data.view import View, drawn, noisy
from tests.conftest import picture

RGB = np.array([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0], [0.5, 0.5, 0.5]]], np.float32)


def test_grey_is_luma_of_full_range_in_whole_bytes():
    grey = in_colour(RGB, "grey")
    assert grey.shape == (2, 2, 1)
    expected = np.rint(np.array([0.299, 0.587, 0.114]) * 255) / 255
    assert np.allclose(grey.reshape(-1), [*expected, 0.5])  # a grey pixel keeps its value, between bytes too


def test_y_is_of_video_range():
    white, black = np.ones((1, 1, 3), np.float32), np.zeros((1, 1, 3), np.float32)
    assert np.allclose([in_colour(white, "y"), in_colour(black, "y")], [[[[235 / 255]]], [[[16 / 255]]]], atol=1e-6)
    assert np.allclose(to_look_at(in_colour(white, "y"), "y"), 1, atol=1e-6)


def test_packed_sensor_values_are_one_of_every_pixel_of_a_cell():
    assert in_colour(RGB, "rggb").tolist() == [[[1.0, 1.0, 0.0, 0.5]]]  # red, green right of it, green below, blue
    flat = np.full((4, 6, 3), (0.25, 0.5, 0.75), np.float32)
    assert in_colour(flat, "rggb").shape == (2, 3, 4)
    assert np.array_equal(to_look_at(in_colour(flat, "rggb"), "rggb"), flat)


def test_a_photograph_is_opaque():
    rgba = in_colour(RGB, "rgba")
    assert np.array_equal(rgba[..., :3], RGB) and (rgba[..., 3] == 1).all()
    assert np.array_equal(to_look_at(rgba, "rgba"), RGB)


def test_noise_is_the_named_one_and_the_same_for_a_name():
    flat = np.full((128, 128, 1), 0.5, np.float32)
    one = noisy(flat, 25, "a")
    assert abs(float((one - flat).std()) - 25 / 255) < 0.003
    assert np.array_equal(one, noisy(flat, 25, "a")) and not np.array_equal(one, noisy(flat, 25, "b"))
    assert np.array_equal(one, np.rint(one * 255).astype(np.float32) / 255)


def test_frames_move_and_the_middle_one_is_the_photograph():
    photograph = picture(1, 16, 20)
    shown = View(frames=3).shown(photograph, "")
    assert shown.shape == (16, 20, 9)
    before, now, after = np.split(shown, 3, axis=2)
    assert np.array_equal(now, photograph)
    assert np.array_equal(after[1:, 1:], photograph[:-1, :-1]) and np.array_equal(before[:-1, :-1], photograph[1:, 1:])


@pytest.mark.parametrize(
    ("given", "made", "shape"),
    [("grey", "grey", (8, 8, 1)), ("rggb", "rgb", (16, 16, 3)), ("rgba", "rgb", (8, 8, 3)), ("grey", "rgb", (8, 8, 3))],
)
def test_what_there_is_without_the_network_can_be_compared_with_the_truth(given, made, shape):
    view = View(given, made, frames=3)
    photograph = picture(1, 16, 16) if given == "rggb" else picture(1, 8, 8)
    assert view.without_network(view.shown(photograph, "")).shape == view.truth(photograph).shape == shape


def test_a_plain_network_sees_photographs_as_they_are():
    photograph = picture(1)
    assert View().shown(photograph, "") is photograph and View().truth(photograph) is photograph
    assert str(View()) == "" and View().in_words() == {}
    assert View(noise=25).in_words()["noise"].startswith("white Gaussian noise of sigma 25 of 255")


def test_a_drawn_picture_has_the_shape_a_model_takes():
    for colour, frames in (("rgb", 1), ("grey", 1), ("rggb", 1), ("rgb", 5)):
        spec = TensorSpec.image(16, 24, "NHWC", colour, frames)
        assert drawn(spec).shape == spec.shape[1:]
