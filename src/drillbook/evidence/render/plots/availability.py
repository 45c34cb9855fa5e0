"""Draws when each endpoint answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drillbook.evidence.render.plots.canvas import STAND_INS, Sheet, behind, drawing, joined, shortened, time_axes
from drillbook.evidence.render.plots.shapes import COLUMNS, Row, Stretch, in_order, number, stretches
from drillbook.evidence.render.plots.svg import Picture, finish


def availability(record: Row, samples: Mapping[str, Sequence[Row]], end_s: float, sheet: Sheet) -> Picture | None:
    """One row per endpoint: a thin line while it answered well, a tall block while it did not, a gap where nobody
    looked.
    """
    names = in_order(record, samples, lambda name: bool(samples[name]))
    if end_s <= 0 or not names:
        return None
    probes = {probe["endpoint"]: probe for probe in record["probes"]}
    with drawing() as new_figure:
        height = 0.26 * len(names) + 0.06
        figure = new_figure(height + 0.5)
        axes = time_axes(figure, bottom_in=0.45, height_in=height, end_s=end_s)
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.set_yticks(range(len(names)), [shortened(name) for name in names])
        axes.tick_params(axis="y", length=0)
        behind(axes, record, end_s)
        said = []
        least_s = end_s / COLUMNS / 2
        for row, name in enumerate(names):
            probe = probes.get(name, {})
            interval_s, timeout_s = number(probe.get("interval_s")), number(probe.get("timeout_s"))
            found = stretches(samples[name], interval_s, timeout_s=timeout_s)
            for ok, height_, colour in ((True, 0.16, "well"), (False, 0.74, "bad")):
                bars = [
                    (one.begin_s, max(one.end_s - one.begin_s, 0.0 if ok else least_s)) for one in found if one.ok is ok
                ]
                axes.broken_barh(bars, (row - height_ / 2, height_), facecolor=STAND_INS[colour], linewidth=0)
            failed = sum(look.get("ok") is not True for look in samples[name])
            axes.annotate(
                f"{failed} of {len(samples[name])}\u00a0failed",
                (1, row),
                (5, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
                color=STAND_INS["bad" if failed else "soft"],
                annotation_clip=False,
            )
            said.append(f"{name}: {failed} of {len(samples[name])} looks failed{_when(found)}{_unseen(probe)}")
        return finish(figure, "availability", "Availability per endpoint", joined(said, "; ") + ".", sheet)


def _unseen(probe: Row) -> str:
    """The times in which nobody looked; records of earlier versions have no gaps."""
    spans = [(number(gap.get("since_s")), number(gap.get("until_s"))) for gap in probe.get("gaps") or ()]
    told = [f"{since_s:.1f}-{until_s:.1f} s" for since_s, until_s in spans if None not in (since_s, until_s)]
    return f", nobody looked {joined(told)}" if told else ""


def _when(found: Sequence[Stretch]) -> str:
    failed = [one for one in found if not one.ok]
    return f", between {failed[0].begin_s:.1f} s and {failed[-1].end_s:.1f} s" if failed else ""
