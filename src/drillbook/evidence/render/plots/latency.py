"""Draws how long each endpoint took to answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def latency(record: Row, samples: Mapping[str, Sequence[Row]], end_s: float, sheet: Sheet) -> Picture | None:
    """A panel per endpoint: least to greatest latency of good answers, and a cross for each failed look (thinned)."""
    looks = {name: latencies(rows) for name, rows in samples.items()}
    names = in_order(record, samples, lambda name: any(looks[name]))
    if end_s <= 0 or not names:
        return None
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    panel, gap = 0.62, 0.28
    said = []
    with drawing() as new_figure:
        figure = new_figure(len(names) * (panel + gap) - gap + 0.5)
        for row, name in enumerate(names):
            good, failed = looks[name]
            last = row == len(names) - 1
            axes = time_axes(
                figure,
                bottom_in=0.45 + (len(names) - 1 - row) * (panel + gap),
                height_in=panel,
                end_s=end_s,
                ticks=last,
            )
            behind(axes, record, end_s)
            values = [value for _at, value in (*good, *failed)]
            low, high = max(min(values), 0.01), max(*values, 0.02)
            if high > 15 * low:
                axes.set_yscale("log")
                lowest, highest = (
                    math.floor(math.log10(low)),
                    max(math.ceil(math.log10(high)), math.floor(math.log10(low)) + 1),
                )
                axes.set_ylim(10**lowest, 10**highest * 1.15)
                axes.yaxis.set_major_locator(LogLocator(numticks=4))
                axes.yaxis.set_minor_locator(NullLocator())
                axes.set_yticks(
                    [10.0**n for n in range(lowest, highest + 1, max(1, math.ceil((highest - lowest) / 3)))]
                )
            else:
                axes.set_ylim(0, high * 1.1)
                axes.locator_params(axis="y", nbins=3)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: f"{value:g}"))
            axes.grid(axis="y", color=STAND_INS["line"], linewidth=0.5)
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
            beside(axes, shortened(name))
            if good:
                ordered = sorted(value for _at, value in good)
                middle, high_p = (
                    ordered[len(ordered) // 2],
                    ordered[min(len(ordered) - 1, math.ceil(len(ordered) * 0.99) - 1)],
                )
                text = f"median {_ms(middle)}\n99 % {_ms(high_p)}\nmost {_ms(ordered[-1])}"
                said.append(f"{name}: median {_ms(middle)}, 99 % within {_ms(high_p)}, most {_ms(ordered[-1])}")
            else:
                text = "no good answer"
                said.append(f"{name}: no good answer")
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
        words = "Of the answers that were good, " + joined(said, "; ") + "."
        return finish(figure, "latency", "Latency per endpoint in milliseconds", words, sheet)


def _envelope(axes: Axes, columns: Sequence[Column], floor_ms: float) -> None:
    """One path: a stroke from least to greatest per column (a dot where they are the same)."""
    xs: list[float] = []
    ys: list[float] = []
    for one in columns:
        xs += [one.at_s, one.at_s, math.nan]
        ys += [max(one.low_ms, floor_ms), max(one.high_ms, floor_ms), math.nan]
    axes.plot(xs, ys, color=STAND_INS["recovery"], linewidth=1.5, solid_capstyle="round")


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"
