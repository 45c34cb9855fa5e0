"""The four pictures: the time-line of the drill, availability and latency per endpoint, and the submitted work."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drillbook.render.plots.canvas import (
    LEFT_IN,
    RIGHT_IN,
    STAND_INS,
    WIDTH_IN,
    Sheet,
    behind,
    drawing,
    phase_colour,
    time_axes,
)
from drillbook.render.plots.shapes import (
    ANSWERS,
    COLUMNS,
    Column,
    Row,
    Stretch,
    asked_rates,
    bands,
    in_order,
    latencies,
    number,
    per_second,
    rto_limit_s,
    stretches,
    thinned,
)
from drillbook.render.plots.svg import Picture, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAMES_SHOWN = 22


def timeline(record: Row, end_s: float, sheet: Sheet) -> Picture | None:
    """Phases as bands, playbooks and what the harness took as bars, events as labelled marks, and the RTO's limit."""
    phases = bands(record, end_s)
    events = sorted(
        ((event["at_s"], event) for event in record["timeline"] if number(event["at_s"]) is not None),
        key=lambda pair: pair[0],
    )
    if end_s <= 0 or not (phases or events):
        return None
    limit_s = rto_limit_s(record)
    shown_end_s = max(end_s, limit_s * 1.02) if limit_s is not None and limit_s <= 1.4 * end_s else end_s
    labels = [_Label(at_s, f"{event['event']}".replace("_", " ") + f"  {at_s:.1f} s") for at_s, event in events]
    if limit_s is not None and limit_s <= shown_end_s:
        labels.append(_Label(limit_s, f"RTO limit  {limit_s:g} s", limit=True))
    # renewals of a dead man's switch come every few seconds, and would hide what changed something
    shown = [play for play in record["plays"] if play.get("purpose") != "switch"]
    plays = [play for play in shown if None not in (number(play["started_s"]), number(play["ended_s"]))]
    added = [row for row in (record.get("overhead") or {}).get("stretches", ()) if _is_span(row)]
    with drawing() as new_figure:
        width_pt = (WIDTH_IN - LEFT_IN - RIGHT_IN) * 72
        _place(labels, width_pt / shown_end_s, width_pt)
        lanes = max((label.lane for label in labels), default=-1) + 1
        below, band, lane_pt = 16 * bool(plays) + 12 * bool(added), 22, 13
        top = band + (8 + lanes * lane_pt if lanes else 0)
        figure = new_figure((top + below + 6) / 72 + 0.5)
        axes = time_axes(figure, bottom_in=0.45, height_in=(top + below + 6) / 72, end_s=shown_end_s)
        axes.set_ylim(-below - 4, top + 2)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        for one in phases:
            colour = phase_colour(one.phase)
            # a band that is thinner than a line of print would not be seen
            wide = max(one.end_s - one.begin_s, shown_end_s / width_pt)
            axes.broken_barh([(one.begin_s, wide)], (0, band), facecolor=colour, alpha=0.38, linewidth=0)
            axes.broken_barh([(one.begin_s, wide)], (0, 2.5), facecolor=colour, linewidth=0)
            if _width_pt(one.phase, 8.5) + 4 < (one.end_s - one.begin_s) * width_pt / shown_end_s:
                middle = (one.begin_s + one.end_s) / 2
                axes.text(middle, band / 2 + 1, one.phase, ha="center", va="center", fontsize=8.5)
        _side(axes, band / 2, "phases")
        _bars(axes, plays, added, -below, shown_end_s / width_pt)
        for (_at_s, event), label in zip(events, labels, strict=False):
            doubt = number(event["uncertainty_s"]) or 0.0
            if doubt * width_pt / shown_end_s >= 1:
                axes.plot(
                    [max(label.at_s - doubt, 0), label.at_s + doubt],
                    [band + 2, band + 2],
                    color=STAND_INS["ink"],
                    linewidth=1.6,
                )
        for label in labels:
            _draw_label(axes, label, band, lane_pt, shown_end_s / width_pt)
        if limit_s is not None and limit_s > shown_end_s:
            axes.annotate(
                f"RTO limit\nat {limit_s:g} s →",
                (1, band / 2),
                (6, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=8,
                color=STAND_INS["bad"],
                annotation_clip=False,
            )
        words = "Phases: " + _and(f"{one.phase} {one.begin_s:.1f}-{one.end_s:.1f} s" for one in phases)
        words += ". Events: " + _and(f"{event['event']} at {at_s:.1f} s".replace("_", " ") for at_s, event in events)
        words += f". The harness took {sum(row['until_s'] - row['since_s'] for row in added):.1f} s" if added else ""
        if limit_s is not None:
            words += f". The RTO ends at {limit_s:g} s"
        return finish(figure, "timeline", "Time-line of the drill", words + ".", sheet)


def _bars(axes: Axes, plays: Sequence[Row], added: Sequence[Row], foot: float, s_per_pt: float) -> None:
    """Below the phases: the playbooks, and what the harness took."""
    for play in plays:
        long_s = max(play["ended_s"] - play["started_s"], s_per_pt)
        axes.broken_barh([(play["started_s"], long_s)], (-13, 7), facecolor=STAND_INS["soft"], linewidth=0)
    if plays:
        _side(axes, -9.5, "playbooks")
    if added:
        # as wide as they were: what cannot be seen was short
        spans = [(row["since_s"], row["until_s"] - row["since_s"]) for row in added]
        axes.broken_barh(spans, (foot + 1, 7), facecolor=STAND_INS["ink"], linewidth=0)
        _side(axes, foot + 4.5, "harness")


def _is_span(row: object) -> bool:
    return isinstance(row, Mapping) and None not in (number(row.get("since_s")), number(row.get("until_s")))


def _side(axes: Axes, at: float, text: str) -> None:
    axes.annotate(
        text,
        (0, at),
        (-8, 0),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
        va="center",
        annotation_clip=False,
    )


@dataclass(slots=True)
class _Label:
    """A label of the time-line: its moment, its text and, once placed, its lane and the side on which it stands."""

    at_s: float
    text: str
    limit: bool = False
    lane: int = 0
    leftward: bool = False


def _place(labels: Sequence[_Label], pt_per_s: float, width_pt: float) -> None:
    """Give every label the lowest lane in which it touches neither a label nor another label's line.

    From the last one to the first: a label stands to the right of its line, so that those after it must stay below it.
    """
    taken: list[tuple[float, float, int]] = []  # from, to (points), lane
    lines: list[tuple[float, int]] = []  # x (points), height in lanes
    for label in sorted(labels, key=lambda one: -one.at_s):
        at, wide = label.at_s * pt_per_s, _width_pt(label.text, 8) + 8
        label.leftward = at + wide > width_pt + (RIGHT_IN * 72 - 6)
        left, right = (at - wide, at) if label.leftward else (at, at + wide)
        lane = 0
        while any(lane == other and left < to and right > start for start, to, other in taken) or any(
            lane < high and left < x <= right and abs(x - at) > 0.5 for x, high in lines
        ):
            lane += 1
        label.lane = lane
        taken.append((left, right, lane))
        lines.append((at, lane))


def _draw_label(axes: Axes, label: _Label, band: float, lane_pt: float, s_per_pt: float) -> None:
    colour = STAND_INS["bad" if label.limit else "ink"]
    height = band + 8 + label.lane * lane_pt
    axes.plot(
        [label.at_s, label.at_s],
        [band, height + 9],
        color=colour,
        linewidth=1.0,
        linestyle=(0, (3, 2)) if label.limit else "-",
        clip_on=False,
    )
    shift = -4 * s_per_pt if label.leftward else 4 * s_per_pt
    axes.text(
        label.at_s + shift,
        height + 4,
        label.text,
        ha="right" if label.leftward else "left",
        va="center",
        fontsize=8,
        color=colour,
        bbox={"facecolor": STAND_INS["page"], "edgecolor": "none", "pad": 0.6},
    )


def warm_up() -> None:
    """Import and set up all that pictures need, by one that nobody sees."""
    with drawing() as new_figure:
        figure = new_figure(1.0)
        time_axes(figure, bottom_in=0.4, height_in=0.4, end_s=1.0)
        finish(figure, "none", "", "", Sheet())
    _width_pt("0", 8)


def _width_pt(text: str, size_pt: float) -> float:
    """How wide a text is in the font that matplotlib carries with it, which is wider than most."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _height, _descent = text_to_path.get_text_width_height_descent(text, FontProperties(size=size_pt), False)
    return float(width)


def availability(record: Row, samples: Mapping[str, Sequence[Row]], end_s: float, sheet: Sheet) -> Picture | None:
    """One row per endpoint: a thin line while it answered well, a tall block while not, a gap where nobody looked."""
    names = in_order(record, samples, lambda name: bool(samples[name]))
    if end_s <= 0 or not names:
        return None
    intervals = {probe["endpoint"]: number(probe["interval_s"]) for probe in record["probes"]}
    with drawing() as new_figure:
        height = 0.26 * len(names) + 0.06
        figure = new_figure(height + 0.5)
        axes = time_axes(figure, bottom_in=0.45, height_in=height, end_s=end_s)
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.set_yticks(range(len(names)), [_short(name) for name in names])
        axes.tick_params(axis="y", length=0)
        behind(axes, record, end_s)
        said = []
        least_s = end_s / COLUMNS / 2
        for row, name in enumerate(names):
            found = stretches(samples[name], intervals.get(name))
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
            said.append(f"{name}: {failed} of {len(samples[name])} looks failed{_when(found)}")
        return finish(figure, "availability", "Availability per endpoint", _and(said, "; ") + ".", sheet)


def _when(found: Sequence[Stretch]) -> str:
    failed = [one for one in found if not one.ok]
    return f", between {failed[0].begin_s:.1f} s and {failed[-1].end_s:.1f} s" if failed else ""


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
            _beside(axes, _short(name))
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
        words = "Of the answers that were good, " + _and(said, "; ") + "."
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


def work(record: Row, attempts: Sequence[Row], end_s: float, sheet: Sheet) -> Picture | None:
    """Attempts per second by their answer, stacked, with the rate that was asked for."""
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
        _beside(axes, "attempts\nper second")
        counts = {answer: sum(rates[answer]) * width_s for answer in ANSWERS}
        words = (
            f"Attempts in bins of {width_s:g} s: " + _and(f"{counts[answer]:.0f} {answer}" for answer in ANSWERS) + "."
        )
        return finish(figure, "work", "Submitted work per second by its answer", words, sheet)


def _beside(axes: Axes, text: str) -> None:
    """What a plot shows, left of its axis."""
    axes.annotate(
        text,
        (0, 0.5),
        (-34, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center",
    )


def _short(name: str) -> str:
    return name if len(name) <= _NAMES_SHOWN else f"{name[: _NAMES_SHOWN - 1]}…"


def _and(parts: Iterator[str] | Sequence[str], between: str = ", ") -> str:
    return between.join(parts) or "none"
