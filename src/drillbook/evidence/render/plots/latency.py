"""Draws how long each endpoint took to answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from drillbook.evidence.render.plots.canvas import (
    STAND_INS,
    Sheet,
    behind,
    beside,
    drawing,
    joined,
    shortened,
    time_axes,
)
from drillbook.evidence.render.plots.shapes import COLUMNS, Column, Row, in_order, latencies, thinned
from drillbook.evidence.render.plots.svg import Picture, finish

Points = Sequence[tuple[float, float]]
"""(moment in drill seconds, latency in milliseconds)"""
_PANEL_IN, _GAP_IN, _FOOT_IN = 0.62, 0.28, 0.45


def latency(record: Row, samples: Mapping[str, Sequence[Row]], end_s: float, sheet: Sheet) -> Picture | None:
    """A panel per endpoint: least to greatest latency of good answers, and a cross for each failed look (thinned)."""
    looks = {name: latencies(rows) for name, rows in samples.items()}
    names = in_order(record, samples, lambda name: any(looks[name]))
    if end_s <= 0 or not names:
        return None
    below = len(names) - 1
    with drawing() as new_figure:
        figure = new_figure(len(names) * (_PANEL_IN + _GAP_IN) - _GAP_IN + 0.5)
        for row, name in enumerate(names):
            foot_in = _FOOT_IN + (below - row) * (_PANEL_IN + _GAP_IN)
            axes = time_axes(figure, bottom_in=foot_in, height_in=_PANEL_IN, end_s=end_s, ticks=row == below)
            behind(axes, record, end_s)
            _panel(axes, *looks[name], end_s)
            beside(axes, shortened(name))
            _note(axes, _summary(looks[name][0], "\n"))
        said = joined([f"{name}: {_summary(looks[name][0], ', ')}" for name in names], "; ")
        words = f"Of the answers that were good, {said}."
        return finish(figure, "latency", "Latency per endpoint in milliseconds", words, sheet)


def _panel(axes: Axes, good: Points, failed: Points, end_s: float) -> None:
    """The looks at one endpoint."""
    values = [value for _at, value in (*good, *failed)]
    low = max(min(values), 0.01)
    _scale(axes, low, max(*values, 0.02))
    _envelope(axes, thinned(good, 0, end_s), low)
    crosses = thinned(failed, 0, end_s, COLUMNS // 2)
    marks = {(one.at_s, max(value, low)) for one in crosses for value in (one.low_ms, one.high_ms)}
    axes.plot(
        *zip(*sorted(marks), strict=True) if marks else ([], []),
        linestyle="none",
        marker="x",
        markersize=3.6,
        markeredgewidth=0.9,
        color=STAND_INS["bad"],
    )


def _scale(axes: Axes, low_ms: float, high_ms: float) -> None:
    """Logarithmic when the values lie far apart."""
    if high_ms > 15 * low_ms:
        axes.set_yscale("log")
        lowest = math.floor(math.log10(low_ms))
        highest = max(math.ceil(math.log10(high_ms)), lowest + 1)
        axes.set_ylim(10**lowest, 10**highest * 1.15)
        axes.yaxis.set_major_locator(LogLocator(numticks=4))
        axes.yaxis.set_minor_locator(NullLocator())
        every = max(1, math.ceil((highest - lowest) / 3))
        axes.set_yticks([10.0**power for power in range(lowest, highest + 1, every)])
    else:
        axes.set_ylim(0, high_ms * 1.1)
        axes.locator_params(axis="y", nbins=3)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
    axes.grid(axis="y", color=STAND_INS["line"], linewidth=0.5)


def _envelope(axes: Axes, columns: Sequence[Column], floor_ms: float) -> None:
    """One path: a stroke from least to greatest per column (a dot where they are the same)."""
    xs: list[float] = []
    ys: list[float] = []
    for one in columns:
        xs += [one.at_s, one.at_s, math.nan]
        ys += [max(one.low_ms, floor_ms), max(one.high_ms, floor_ms), math.nan]
    axes.plot(xs, ys, color=STAND_INS["recovery"], linewidth=1.5, solid_capstyle="round")


def _note(axes: Axes, text: str) -> None:
    """A text right of the panel."""
    axes.annotate(
        text,
        (1, 0.5),
        (5, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        color=STAND_INS["soft"],
        linespacing=1.15,
    )


def _summary(good: Points, between: str) -> str:
    """The median, the 99th percentile and the greatest latency of the good answers."""
    if not good:
        return "no good answer"
    ordered = sorted(value for _at, value in good)
    middle = ordered[len(ordered) // 2]
    most = ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.99) - 1)]
    within = "99 %" if between == "\n" else "99 % within"
    return between.join([f"median {_ms(middle)}", f"{within} {_ms(most)}", f"most {_ms(ordered[-1])}"])


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"
