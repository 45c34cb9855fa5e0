"""Draws the work: submitted, acknowledged, refused."""

from __future__ import annotations

from collections.abc import Sequence

from drillbook.evidence.render.plots.canvas import STAND_INS, Sheet, behind, beside, drawing, joined, time_axes
from drillbook.evidence.render.plots.shapes import ANSWERS, Row, asked_rates, per_second
from drillbook.evidence.render.plots.svg import Picture, finish


def work(record: Row, attempts: Sequence[Row], end_s: float, sheet: Sheet) -> Picture | None:
    """Attempts per second by their answer, stacked, with the requested rate."""
    if end_s <= 0 or not attempts:
        return None
    width_s, rates = per_second(attempts, end_s)
    bins = len(rates[ANSWERS[0]])
    edges = [min(place * width_s, end_s) for place in range(bins + 1)]
    with drawing() as new_figure:
        figure = new_figure(1.95)
        axes = time_axes(figure, bottom_in=0.45, height_in=1.45, end_s=end_s)
        behind(axes, record, end_s)
        below = [0.0] * bins
        for answer in ANSWERS:
            above = [low + rate for low, rate in zip(below, rates[answer], strict=True)]
            if any(rates[answer]):
                axes.stairs(above, edges, baseline=below, fill=True, color=STAND_INS[answer], linewidth=0, alpha=0.85)
            below = above
        asked = asked_rates(record["work"], end_s)
        if asked:
            axes.step(
                *zip(*asked, strict=True), where="post", color=STAND_INS["ink"], linewidth=0.9, linestyle=(0, (4, 2))
            )
        axes.set_ylim(0, max(*below, *(rate for _at, rate in asked), 1.0) * 1.12)
        axes.locator_params(axis="y", nbins=4)
        axes.grid(axis="y", color=STAND_INS["line"], linewidth=0.5)
        axes.set_axisbelow(True)
        beside(axes, "attempts\nper second")
        counts = {answer: sum(rates[answer]) * width_s for answer in ANSWERS}
        words = (
            f"Attempts in bins of {width_s:g} s: "
            + joined(f"{counts[answer]:.0f} {answer}" for answer in ANSWERS)
            + "."
        )
        return finish(figure, "work", "Submitted work per second by its answer", words, sheet)
