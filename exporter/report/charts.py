"""Charts as inline SVG: the page's own fonts and colours, the same bytes for the same numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from exporter.data.yardstick import Yardstick
from exporter.figures import fixed
from exporter.localise.results import Localisation
from exporter.measure.results import Latency, Quality
from exporter.not_measured import NotMeasured
from exporter.report.stages import Step
from exporter.report.svg import (
    ACCENT,
    BAD,
    GOOD,
    INK,
    LINE,
    MUTED,
    SOFT,
    as_svg,
    at_the_end,
    frame,
    literal,
    plain_log_ticks,
    rows_of,
)


def quality_chart(steps: Sequence[Step]) -> str:
    """Mean PSNR of every stage with its 95 % interval, joined with the one it was made from; what there is without the
    network as a dashed line."""
    figure, axes = rows_of([step.label for step in steps])
    row_of = {step.label: row for row, step in enumerate(steps)}
    for made_from, made in _pairs(steps):
        (x0, y0), (x1, y1) = ((quality.psnr_db, row_of[step.label]) for step, quality in (made_from, made))
        axes.plot([x0, x0, x1], [y0, y1, y1], color=MUTED, linewidth=1, solid_joinstyle="round")
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
        at_the_end(axes, row, f"{quality.psnr_db:.2f}")
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
    said = (f"{step.label} {_said_db(step.stage.quality)}" for step in steps)
    return as_svg(figure, "quality", f"Mean PSNR{on_y} of every stage: {', '.join(said)}")


def change_chart(steps: Sequence[Step]) -> str:
    """What each stage changed against the stage it was made from, paired by image, with 95 % interval."""
    shown = [step for step in steps if step.change_db is not None]
    figure, axes = rows_of([step.label for step in shown])
    for row, step in enumerate(shown):
        change = step.change_db or 0.0
        colour = BAD if change < 0 else GOOD
        axes.barh([row], [change], height=0.5, color=colour)
        if step.change_ci95_db is not None:
            ends = [change - step.change_ci95_db, change + step.change_ci95_db]
            axes.plot(ends, [row, row], color=INK, linewidth=1)
        at_the_end(axes, row, fixed(change, 2, sign=True).replace("-", "\u2212"))
    axes.axvline(0, color=MUTED, linewidth=1)
    axes.set_xlabel("change of mean PSNR, dB")
    said = (f"{step.label}, from {step.parent}, {fixed(step.change_db or 0.0, 2, sign=True)} dB" for step in shown)
    return as_svg(figure, "change", f"Change of mean PSNR: {'; '.join(said)}")


def cost_chart(steps: Sequence[Step]) -> str:
    """What training stages bought: gain against MACs, each joined with what it was made from. Empty where no stage
    changed the cost."""
    macs = {step.label: step.stage.macs for step in steps}
    stages = {
        step.label: (step.stage.macs / 1e9, step.stage.quality.gain_db)
        for step in steps
        if isinstance(step.stage.quality, Quality)
        and step.stage.macs
        and step.stage.macs != macs.get(step.parent or "")
    }
    if len({gmacs for gmacs, _ in stages.values()}) < 2:
        return ""
    figure, axes = frame(2.6)
    axes.grid(color=LINE, linewidth=0.8)
    for (parent, _), (made, _) in _pairs(steps):
        if {parent.label, made.label} <= stages.keys():
            axes.plot(*zip(stages[parent.label], stages[made.label], strict=True), color=SOFT, linewidth=1.5)
    axes.plot(*zip(*stages.values(), strict=True), "o", color=ACCENT, markersize=7)
    for label, place in stages.items():
        axes.annotate(literal(label), place, (0, 8), textcoords="offset points", ha="center", color=INK, fontsize=9.5)
    axes.margins(x=0.15, y=0.3)
    axes.set_xlim(left=0)
    axes.set_xlabel("billion multiply-adds a picture")
    axes.set_ylabel("gain, dB")
    said = (f"{label} {fixed(gain_db, 2)} dB for {gmacs:.2g}" for label, (gmacs, gain_db) in stages.items())
    return as_svg(figure, "cost", f"Gain against billions of multiply-adds: {', '.join(said)}")


def _pairs(steps: Sequence[Step]) -> Iterator[tuple[tuple[Step, Quality], tuple[Step, Quality]]]:
    """Every measured stage behind the one it was made from, each with its quality."""
    known = {step.label: (step, step.stage.quality) for step in steps if isinstance(step.stage.quality, Quality)}
    for step, quality in known.values():
        if step.parent in known:
            yield known[step.parent], (step, quality)


def _said_db(quality: Quality | NotMeasured) -> str:
    return f"{quality.psnr_db:.2f} dB" if isinstance(quality, Quality) else "not measured"


def latency_chart(rows: Sequence[tuple[str, Latency]]) -> str:
    """p50 as a dot, p90 as a tick, p99 as the whisker's end; log scale when the targets differ tenfold."""
    figure, axes = rows_of([label for label, _ in rows])
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
        plain_log_ticks(axes, min(medians), max(latency.p99_ms for _, latency in rows))
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel("ms a picture: ● p50, ❘ p90, end p99")
    said = (f"{label} {latency.p50_ms:.1f} ms" for label, latency in rows)
    return as_svg(figure, "latency", f"Median time of a picture: {', '.join(said)}")


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
    return as_svg(figure, name, f"SQNR of {len(found.layers)} layers in the order they run, the lowest {lowest:.1f} dB")


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
    said = f"the chosen one loses {chosen['loss_db']:.3f} dB in {chosen['ms']:.3g} ms"
    return as_svg(figure, name, f"dB lost against ms of {len(trials)} files tried; {said}")


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
            plain_log_ticks(axes, low, high)
    axes.set_xlabel(label)
    axes.set_ylabel("images")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    span = f", from {min(kept):.3g} to {max(kept):.3g}" if kept else ""
    return as_svg(figure, label, f"How many images have which {label}{span}")
