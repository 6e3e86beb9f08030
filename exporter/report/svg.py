"""What all charts share: an empty chart in the page's own fonts and colours, and how it becomes an SVG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Matplotlib draws with these stand-ins; the page's stylesheet decides what they look like, light or dark.
INK, MUTED, LINE, ACCENT, SOFT, BAD, GOOD = (f"#0{digit}0{digit}0{digit}" for digit in "1234567")
_VARIABLES = {
    INK: "ink",
    MUTED: "muted",
    LINE: "line",
    ACCENT: "accent",
    SOFT: "soft",
    BAD: "bad",
    GOOD: "good",
}
_WIDTH_IN, _ROW_IN, _FRAME_IN = 5.0, 0.4, 0.85  # at 72 px an inch: 360 px wide, a phone's width


def frame(height_in: float) -> tuple[Figure, Axes]:
    """An empty chart, as wide as all."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
    axes = figure.subplots()
    _restrain(axes)
    return figure, axes


def rows_of(labels: Sequence[str]) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    height = _FRAME_IN + _ROW_IN * max(len(labels), 1)
    figure = Figure(figsize=(_WIDTH_IN, height), layout="constrained")
    axes = figure.subplots()
    _restrain(axes)
    axes.set_yticks(range(len(labels)), [literal(label) for label in labels])
    axes.set_ylim(max(len(labels), 1) - 0.4, -0.9)  # first row on top, room for its figure
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.tick_params(axis="y", labelcolor=INK)
    return figure, axes


def at_the_end(axes: Axes, row: int, figure: str) -> None:
    """`figure` beside the row, where no line crosses it."""
    axes.annotate(
        figure,
        (1.02, row),
        xycoords=("axes fraction", "data"),
        color=INK,
        fontsize=9.5,
        va="center",
        annotation_clip=False,
    )


def literal(label: str) -> str:
    """A dollar sign in a name is a dollar sign, not the start of a formula."""
    return label.replace("$", r"\$")


def _restrain(axes: Axes) -> None:
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(LINE)
    axes.tick_params(length=0, labelsize=10, labelcolor=MUTED)
    axes.xaxis.label.set(color=MUTED, fontsize=10)
    axes.yaxis.label.set(color=MUTED, fontsize=10)
    axes.set_axisbelow(True)


def as_svg(figure: Figure, name: str, says: str) -> str:
    """The figure as an <svg> element whose ids start with `name`, text kept as text. `says`: what those hear or read
    who do not see it."""
    import matplotlib

    settings: dict[Any, Any] = {"svg.hashsalt": name, "svg.fonttype": "none"}
    buffer = io.StringIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A letter that matplotlib's font lacks is drawn by the browser, with fonts of its own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].rstrip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    prefix = re.sub(r"\W+", "-", name)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", svg)
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, f"var(--{variable})")
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{escape(says)}"', 1)
    return re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)


def plain_log_ticks(axes: Axes, low: float, high: float) -> None:
    """1, 2, 5, 10 … written as such; matplotlib's own log labels are powers in mathematical type."""
    import math

    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = (1, 3) if math.log10(high / low) > 2 else (1, 2, 5)
    wanted = [step * 10.0**exponent for exponent in exponents for step in steps]
    shown = [tick for tick in wanted if low * 0.7 <= tick <= high * 1.4]
    axes.set_xlim(low * 0.7, high * 1.4)
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.set_xticks([], minor=True)
