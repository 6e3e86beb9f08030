"""How small pictures are made from sharp ones, by name. Imports no array library: recipes are read without it."""

from __future__ import annotations

from typing import Literal

Protocol = Literal["bicubic"]
DEFAULT_PROTOCOL: Protocol = "bicubic"
IN_WORDS: dict[Protocol, str] = {
    "bicubic": "small pictures are the sharp ones by MATLAB's imresize: bicubic, antialiased, rounded to 8 bits"
}
NOTHING_ENLARGED = "the network gives pictures of the size it takes; small ones are made for networks that enlarge"
