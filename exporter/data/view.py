"""What a network is shown of a photograph, and what it should make of it: channels, frames, noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import CHANNELS, Colour, TensorSpec
from exporter.data.colour import in_colour, sides_of_photograph, to_look_at
from exporter.data.dead_leaves import dead_leaves
from exporter.data.images import frame

Floats = NDArray[np.float32]

SEED = 25  # of the noise; with a picture's name it says every value
NOISE_IN_WORDS = "white Gaussian noise of sigma {:g} of 255, cut to 0..1, rounded to 8 bits, seed " + str(SEED)
FRAMES_IN_WORDS = "{} frames are one photograph, moved down and to the right by a pixel a frame; the middle is meant"
FILM_IN_WORDS = "{} frames are neighbours in the set's own films, whose ends are repeated; the middle is meant"
CLIP_IN_WORDS = "clips of {} frames, one photograph moved down and to the right by a pixel a frame"
CLIP_OF_FILM_IN_WORDS = "clips of {} neighbouring frames of the set's own films, whose first frame is repeated"
CARRIED_IN_WORDS = "; a state is carried from zeros on, parity is of every frame, quality of the last"


@dataclass(frozen=True, slots=True)
class View:
    """`given`: colour of what goes in, `made`: of what comes out; `noise`: its sigma in 8-bit levels.

    `clip`: frames that a network with a state is shown one after the other, each a call of its own. `film`: frames are
    the set's own, and not one photograph that moves.
    """

    given: Colour = "rgb"
    made: Colour = "rgb"
    frames: int = 1
    noise: float = 0.0
    clip: int = 1
    film: bool = False

    @classmethod
    def of(cls, given: TensorSpec, made: TensorSpec, noise: float = 0.0) -> View:
        return cls(given.colour, made.colour, given.frames, noise, given.clip)

    @property
    def shown_frames(self) -> int:
        """How many frames there are to a picture."""
        return max(self.frames, self.clip)

    @property
    def meant(self) -> int:
        """The frame that is judged by the sharp picture: the middle one, or that to which a state has been carried."""
        return self.clip - 1 if self.clip > 1 else self.frames // 2

    def shown(self, photograph: Floats, name: str, film: Sequence[Floats] = ()) -> Floats:
        """(H, W, 3) RGB as what goes in, (h, w, C); noise differs from `name` to name, and never for one.

        `film`: all frames, in order, where the set has them.
        """
        picture = in_colour(photograph, self.given)
        if film:
            picture = np.concatenate([in_colour(each, self.given) for each in film], axis=2)
        elif self.shown_frames > 1:
            moved = [_moved(picture, t - self.meant) for t in range(self.shown_frames)]
            picture = np.concatenate(moved, axis=2)
        return noisy(picture, self.noise, name) if self.noise else picture

    def truth(self, photograph: Floats) -> Floats:
        """(H, W, 3) RGB as what should come out."""
        return in_colour(photograph, self.made)

    def without_network(self, shown: Floats) -> Floats:
        """What goes in, as it would be looked at without the network: a gain is over it."""
        channels = CHANNELS[self.given]
        first = self.meant * channels
        picture: Floats = shown[..., first : first + channels]
        return picture if self.given == self.made else in_colour(to_look_at(picture, self.given), self.made)

    def in_words(self) -> dict[str, str]:
        """What of it a reader of figures must know; nothing of plain RGB photographs."""
        colour = {} if self.given == self.made == "rgb" else {"colour": f"{self.given} to {self.made}"}
        frames = {} if self.shown_frames == 1 else {"frames": self._frames_in_words()}
        return colour | frames | ({"noise": NOISE_IN_WORDS.format(self.noise)} if self.noise else {})

    def _frames_in_words(self) -> str:
        if self.clip > 1:
            words = (CLIP_OF_FILM_IN_WORDS if self.film else CLIP_IN_WORDS) + CARRIED_IN_WORDS
        else:
            words = FILM_IN_WORDS if self.film else FRAMES_IN_WORDS
        return words.format(self.shown_frames)

    def framed(self, photograph: Floats, height: int, width: int, name: str = "") -> Floats:
        """Any photograph as what goes in, of that size."""
        return self.shown(frame(photograph, *sides_of_photograph(height, width, self.given)), name)

    def __str__(self) -> str:
        """Its parts as a key knows them; empty for plain RGB photographs as they lie in a set."""
        clip = f" clip {self.clip}" if self.clip > 1 else ""
        return (
            ""
            if self == View()
            else f"{self.given} {self.made} {self.frames} {self.noise:g}{clip}{' film' if self.film else ''}"
        )


def drawn(spec: TensorSpec, seed: int = 0) -> Floats:
    """A picture of dead leaves as a model takes it."""
    photograph = dead_leaves(*sides_of_photograph(spec.height, spec.width, spec.colour), seed)
    return View.of(spec, spec).shown(photograph, "")


def noisy(picture: Floats, sigma: float, name: str) -> Floats:
    """`picture` with NOISE_IN_WORDS, as a file of 8 bits would hold it."""
    random = np.random.default_rng([SEED, crc32(name.encode())])
    with_noise = picture + random.normal(0, sigma / 255, picture.shape)
    return np.asarray(np.rint(np.clip(with_noise, 0, 1) * 255) / 255, np.float32)


def _moved(picture: Floats, px: int) -> Floats:
    """`picture` moved down and to the right, mirrored on at its edges."""
    for axis in (0, 1):
        side = picture.shape[axis]
        places = np.abs(np.arange(side) - px)
        picture = picture.take(np.where(places >= side, 2 * side - 2 - places, places), axis=axis)
    return picture
