"""Charts as inline SVG: the page's own fonts and colours, the same bytes for the same numbers."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from exporter.data.yardstick import Yardstick
from exporter.localise.results import Localisation
from exporter.measure.results import Latency, Quality
from exporter.not_measured import NotMeasured
from exporter.report.stages import Step

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


def quality_chart(steps: Sequence[Step]) -> str:
    """Mean PSNR of every stage with its 95 % interval; what there is without the network as a dashed line."""
    figure, axes = _rows([step.label for step in steps])
    for row, step in enumerate(steps):
        quality = step.stage.quality
        if isinstance(quality, NotMeasured):
            axes.annotate(
                "not measured",
                (0.02, row),
                xycoords=("axes fraction", "data"),
                color=MUTED,
                fontsize=9.5,
                va="center",
            )
            continue
        axes.plot(
            [quality.psnr_db - quality.psnr_ci95_db, quality.psnr_db + quality.psnr_ci95_db],
            [row, row],
            color=SOFT,
            linewidth=5,
            solid_capstyle="round",
        )
        axes.plot([quality.psnr_db], [row], "o", color=ACCENT, markersize=6)
        axes.annotate(
            f"{quality.psnr_db:.2f}",
            (quality.psnr_db, row),
            (0, 6),
            textcoords="offset points",
            ha="center",
            color=INK,
            fontsize=9.5,
        )
    if measured := [step.stage.quality for step in steps if isinstance(step.stage.quality, Quality)]:
        before_db, scale = measured[0].input_psnr_db, steps[0].stage.artifact.enlarges
        axes.axvline(before_db, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
        axes.annotate(
            "input" if scale == 1 else Yardstick(scale).baseline,
            (before_db, -0.62),
            (5, 0),
            textcoords="offset points",
            color=MUTED,
            fontsize=9.5,
            va="center",
        )
    on_y = " on Y" if steps and steps[0].stage.artifact.enlarges > 1 else ""
    axes.set_xlabel(f"PSNR{on_y} against the sharp photo, dB")
    return as_svg(figure, "quality")


def change_chart(steps: Sequence[Step]) -> str:
    """What each stage changed against the stage it was made from, paired by image, with 95 % interval."""
    shown = [step for step in steps if step.change_db is not None]
    figure, axes = _rows([step.label for step in shown])
    for row, step in enumerate(shown):
        change = step.change_db or 0.0
        colour = BAD if change < 0 else GOOD
        axes.barh([row], [change], height=0.5, color=colour)
        if step.change_ci95_db is not None:
            ends = [change - step.change_ci95_db, change + step.change_ci95_db]
            axes.plot(ends, [row, row], color=INK, linewidth=1)
        axes.annotate(
            (f"{change:+.2f}" if abs(change) >= 0.005 else "0.00").replace("-", "\u2212"),
            (1.02, row),
            xycoords=("axes fraction", "data"),
            color=INK,
            fontsize=9.5,
            va="center",
            annotation_clip=False,
        )
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_xlabel("change of mean PSNR, dB")
    return as_svg(figure, "change")


def cost_chart(steps: Sequence[Step]) -> str:
    """What training stages bought: gain against MACs. Empty where no stage changed the cost."""
    stages = [
        (step.label, step.stage.macs / 1e9, step.stage.quality.gain_db)
        for step in steps
        if step.stage.macs and isinstance(step.stage.quality, Quality)
    ]
    if len({gmacs for _, gmacs, _ in stages}) < 2:
        return ""
    figure, axes = frame(2.6)
    axes.grid(color=LINE, linewidth=0.8)
    _, gmacs, gains_db = zip(*stages, strict=True)
    axes.plot(gmacs, gains_db, color=SOFT, linewidth=1.5)
    axes.plot(gmacs, gains_db, "o", color=ACCENT, markersize=7)
    for label, x, y in stages:
        axes.annotate(_literal(label), (x, y), (0, 8), textcoords="offset points", ha="center", color=INK, fontsize=9.5)
    axes.margins(x=0.15, y=0.3)
    axes.set_xlim(left=0)
    axes.set_xlabel("billion multiply-adds a picture")
    axes.set_ylabel("gain, dB")
    return as_svg(figure, "cost")


def latency_chart(rows: Sequence[tuple[str, Latency]]) -> str:
    """p50 as a dot, p90 as a tick, p99 as the whisker's end; log scale when the targets differ tenfold."""
    figure, axes = _rows([label for label, _ in rows])
    for row, (_, latency) in enumerate(rows):
        p50, p90, p99 = latency.p50_ms, latency.p90_ms, latency.p99_ms
        axes.plot([p50, p99], [row, row], color=SOFT, linewidth=5, solid_capstyle="round")
        axes.plot([p90], [row], "|", color=ACCENT, markersize=11, markeredgewidth=2)
        axes.plot([p50], [row], "o", color=ACCENT, markersize=6)
        axes.annotate(
            f"{p50:.1f} ms",
            (p50, row),
            (0, 6),
            textcoords="offset points",
            ha="center",
            color=INK,
            fontsize=9.5,
        )
    medians = [latency.p50_ms for _, latency in rows]
    if medians and max(medians) > 10 * min(medians) > 0:
        axes.set_xscale("log")
        _plain_log_ticks(axes, min(medians), max(latency.p99_ms for _, latency in rows))
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel("ms a picture: ● p50, ❘ p90, end p99")
    return as_svg(figure, "latency")


def sqnr_chart(found: Localisation, name: str) -> str:
    """SQNR along the network: accumulated as a line, each layer alone as dots; the culprit's place marked."""
    figure, axes = frame(2.6)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.plot([layer.own_sqnr_db for layer in found.layers], ".", color=SOFT, markersize=6)
    axes.plot([layer.sqnr_db for layer in found.layers], color=ACCENT, linewidth=1.5)
    if found.culprit is not None:
        axes.plot([found.culprit], [found.layers[found.culprit].sqnr_db], "o", color=BAD, markersize=7)
    lowest = min((layer.sqnr_db for layer in found.layers), default=0)
    axes.set_ylim(min(0, lowest - 3), 63)  # above 60 dB nothing is lost that a picture could show
    axes.set_xlabel("layer, in the order they run: ─ SQNR, ● of the layer alone")
    axes.set_ylabel("dB")
    return as_svg(figure, name)


def pareto_chart(
    trials: Sequence[Mapping[str, Any]],
    front: Sequence[Mapping[str, Any]],
    chosen: Mapping[str, Any],
    max_loss_db: float,
    float_ms: float,
    name: str,
) -> str:
    """Loss in dB against ms for every file tried; the front joined, the budget dashed, the chosen file marked."""
    figure, axes = frame(2.8)
    axes.grid(color=LINE, linewidth=0.8)
    axes.plot([trial["ms"] for trial in trials], [trial["loss_db"] for trial in trials], ".", color=SOFT, markersize=7)
    joined = ([trial["ms"] for trial in front], [trial["loss_db"] for trial in front])
    axes.plot(*joined, color=ACCENT, linewidth=1.5, marker=".", drawstyle="steps-post")
    axes.plot([chosen["ms"]], [chosen["loss_db"]], "o", color=GOOD, markersize=8)
    axes.axhline(max_loss_db, color=MUTED, linewidth=1, linestyle=(0, (3, 3)))
    axes.axvline(float_ms, color=MUTED, linewidth=1, linestyle=(0, (1, 2)))
    losses = [trial["loss_db"] for trial in trials if trial["loss_db"] > 0]
    if losses and max(losses) > 10 * max_loss_db:  # one bad file would flatten all others
        axes.set_yscale("symlog", linthresh=max_loss_db)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("ms: ● files tried, ─ the best of them, ┊ the float network")
    axes.set_ylabel("dB lost, ╌ promised")
    return as_svg(figure, name)


def histogram(values: Sequence[float], label: str, *, log: bool = False) -> str:
    """How many images have which value, in 16 bins (equal in ratio with `log`)."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    kept = [value for value in values if np.isfinite(value) and (value > 0 or not log)]
    figure, axes = frame(2.1)
    if kept:
        low, high = min(kept), max(kept)
        if not low < high:
            low, high = low * 0.9 - 1e-9, high * 1.1 + 1e-9
        bins = np.geomspace(low, high, 17) if log else np.linspace(min(low, 0), max(high, 1), 17)
        axes.hist(kept, bins=bins.tolist(), color=ACCENT, rwidth=0.86)
        if log:
            axes.set_xscale("log")
            _plain_log_ticks(axes, low, high)
    axes.set_xlabel(label)
    axes.set_ylabel("images")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return as_svg(figure, label)


def _plain_log_ticks(axes: Axes, low: float, high: float) -> None:
    """1, 2, 5, 10 … written as such; matplotlib's own log labels are powers in mathematical type."""
    import math

    exponents = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    steps = (1, 3) if math.log10(high / low) > 2 else (1, 2, 5)
    wanted = [step * 10.0**exponent for exponent in exponents for step in steps]
    shown = [tick for tick in wanted if low * 0.7 <= tick <= high * 1.4]
    axes.set_xlim(low * 0.7, high * 1.4)
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.set_xticks([], minor=True)


def frame(height_in: float) -> tuple[Figure, Axes]:
    """An empty chart, as wide as all."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
    axes = figure.subplots()
    _restrain(axes)
    return figure, axes


def _rows(labels: Sequence[str]) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    height = _FRAME_IN + _ROW_IN * max(len(labels), 1)
    figure = Figure(figsize=(_WIDTH_IN, height), layout="constrained")
    axes = figure.subplots()
    _restrain(axes)
    axes.set_yticks(range(len(labels)), [_literal(label) for label in labels])
    axes.set_ylim(max(len(labels), 1) - 0.4, -0.9)  # first row on top, room for its figure
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.tick_params(axis="y", labelcolor=INK)
    return figure, axes


def _literal(label: str) -> str:
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


def as_svg(figure: Figure, name: str) -> str:
    """The figure as an <svg> element whose ids start with `name`, text kept as text."""
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
    return re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
