"""What restoration networks are made of, a row each: eight planes x to a tensor of their size, as PyTorch writes it.

A row stands for its operator's kind, in the form published code uses. What is left out and why: LEFT_OUT.
"""

from __future__ import annotations

import torch

from tests.convert.rows.common import Row
from tests.convert.rows.places import PLACES
from tests.convert.rows.recurrent import GRU, RECURRENT
from tests.convert.rows.sampled import SAMPLED
from tests.convert.rows.sizes import SIZES
from tests.convert.rows.spectra import SPECTRA
from tests.convert.rows.sums import NORMS, SUMS
from tests.convert.rows.values import NUMBERS
from tests.convert.rows.whole import WHOLE
from tests.convert.rows.windows import CONVOLUTIONS, POOLS

TABLE: dict[str, Row] = {
    f"{kind}: {name}": row
    for kind, rows in {
        "numbers": NUMBERS,
        "sums": SUMS,
        "norms": NORMS,
        "pools": POOLS,
        "convolutions": CONVOLUTIONS,
        "sizes": SIZES,
        "places": PLACES,
        "sampled": SAMPLED,
        "spectra": SPECTRA,
        "recurrent": RECURRENT,
        "whole": WHOLE,
    }.items()
    for name, row in rows.items()
}

# What no engine of the targets can do, and what stands instead where there is something.
LEFT_OUT: dict[str, tuple[Row, str]] = {
    "sizes that hang on the picture": (lambda x: x * x[x > 0].mean(), "NonZero"),
    "a random number": (lambda x: x + torch.rand_like(x), "Random|differs"),
    "a determinant": (lambda x: x * torch.linalg.det(x[..., :8, :8])[..., None, None], "Det"),
    "a long loop of a recurrent unit": (lambda x: x + GRU(x.flatten(2)[0].mT)[0].mT.view_as(x), "384 steps"),
}
