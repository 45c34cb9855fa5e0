"""Draws the time-line of the drill: its phases, playbooks and events, and the limit that the RTO sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from drillbook.evidence.render.plots.canvas import (
    LEFT_IN,
    RIGHT_IN,
    STAND_INS,
    WIDTH_IN,
    Sheet,
    drawing,
    joined,
    phase_colour,
    text_width_pt,
    time_axes,
)
from drillbook.evidence.render.plots.shapes import Band, Row, bands, number, rto_limit_s
from drillbook.evidence.render.plots.svg import Picture, finish
from drillbook.model.record import Purpose

_WIDTH_PT = (WIDTH_IN - LEFT_IN - RIGHT_IN) * 72
_BAND_PT, _LANE_PT = 22, 13


def timeline(record: Row, end_s: float, sheet: Sheet) -> Picture | None:
    """Phases as bands, playbooks and the harness' times as bars, events as labelled marks, and the RTO's limit."""
    scene = _scene(record, end_s)
    if end_s <= 0 or not (scene.phases or scene.events):
        return None
    with drawing() as new_figure:
        _place(scene.labels, 1 / scene.s_per_pt, _WIDTH_PT)
        lanes = max((label.lane for label in scene.labels), default=-1) + 1
        below = 16 * bool(scene.plays) + 12 * bool(scene.added)
        top = _BAND_PT + (8 + lanes * _LANE_PT if lanes else 0)
        height_in = (top + below + 6) / 72
        figure = new_figure(height_in + 0.5)
        axes = time_axes(figure, bottom_in=0.45, height_in=height_in, end_s=scene.end_s)
        axes.set_ylim(-below - 4, top + 2)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        _draw_phases(axes, scene.phases, scene.s_per_pt)
        _bars(axes, scene.plays, scene.added, -below, scene.s_per_pt)
        _draw_events(axes, scene)
        return finish(figure, "timeline", "Time-line of the drill", _words(scene), sheet)


@dataclass(frozen=True, slots=True)
class _Scene:
    """The parts of a drill that have a moment, and so a place in the picture; `end_s` is the picture's end."""

    phases: Sequence[Band]
    events: Sequence[tuple[float, Row]]
    labels: Sequence[_Label]
    """The labels of the events in their order, then perhaps that of the limit."""
    plays: Sequence[Row]
    added: Sequence[Row]
    """The times that the harness took."""
    limit_s: float | None
    end_s: float

    @property
    def s_per_pt(self) -> float:
        return self.end_s / _WIDTH_PT


def _scene(record: Row, end_s: float) -> _Scene:
    events = sorted(
        ((event["at_s"], event) for event in record["timeline"] if number(event["at_s"]) is not None),
        key=lambda pair: pair[0],
    )
    limit_s = rto_limit_s(record)
    shown_end_s = max(end_s, limit_s * 1.02) if limit_s is not None and limit_s <= 1.4 * end_s else end_s
    labels = [_Label(at_s, f"{event['event']}".replace("_", " ") + f"  {at_s:.1f} s") for at_s, event in events]
    if limit_s is not None and limit_s <= shown_end_s:
        labels.append(_Label(limit_s, f"RTO limit  {limit_s:.1f} s", limit=True))
    # renewals of a dead man's switch come every few seconds, and would hide the plays that changed something
    shown = [play for play in record["plays"] if play.get("purpose") != Purpose.SWITCH]
    return _Scene(
        phases=bands(record, end_s),
        events=events,
        labels=labels,
        plays=[play for play in shown if None not in (number(play["started_s"]), number(play["ended_s"]))],
        added=[row for row in (record.get("overhead") or {}).get("stretches", ()) if _is_span(row)],
        limit_s=limit_s,
        end_s=shown_end_s,
    )


def _words(scene: _Scene) -> str:
    """The picture in words."""
    words = "Phases: " + joined(f"{one.phase} {one.begin_s:.1f}-{one.end_s:.1f} s" for one in scene.phases)
    told = (f"{event['event']} at {at_s:.1f} s".replace("_", " ") for at_s, event in scene.events)
    words += ". Events: " + joined(told)
    if scene.added:
        words += f". The harness took {sum(row['until_s'] - row['since_s'] for row in scene.added):.1f} s"
    if scene.limit_s is not None:
        words += f". The RTO ends at {scene.limit_s:g} s"
    return words + "."


def _draw_phases(axes: Axes, phases: Sequence[Band], s_per_pt: float) -> None:
    for one in phases:
        colour = phase_colour(one.phase)
        # nobody would see a band thinner than a line of print
        wide = max(one.end_s - one.begin_s, s_per_pt)
        axes.broken_barh([(one.begin_s, wide)], (0, _BAND_PT), facecolor=colour, alpha=0.38, linewidth=0)
        axes.broken_barh([(one.begin_s, wide)], (0, 2.5), facecolor=colour, linewidth=0)
        if text_width_pt(one.phase, 8.5) + 4 < (one.end_s - one.begin_s) / s_per_pt:
            middle = (one.begin_s + one.end_s) / 2
            axes.text(middle, _BAND_PT / 2 + 1, one.phase, ha="center", va="center", fontsize=8.5)
    _side(axes, _BAND_PT / 2, "phases")


def _draw_events(axes: Axes, scene: _Scene) -> None:
    """A mark and a label for each event, the uncertainty of its moment, and the limit."""
    for (_at_s, event), label in zip(scene.events, scene.labels, strict=False):
        doubt = number(event["uncertainty_s"]) or 0.0
        if doubt / scene.s_per_pt >= 1:
            axes.plot(
                [max(label.at_s - doubt, 0), label.at_s + doubt],
                [_BAND_PT + 2, _BAND_PT + 2],
                color=STAND_INS["ink"],
                linewidth=1.6,
            )
    for label in scene.labels:
        _draw_label(axes, label, scene.s_per_pt)
    if scene.limit_s is not None and scene.limit_s > scene.end_s:
        axes.annotate(
            f"RTO limit\nat {scene.limit_s:.1f} s →",
            (1, _BAND_PT / 2),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=STAND_INS["bad"],
            annotation_clip=False,
        )


def _bars(axes: Axes, plays: Sequence[Row], added: Sequence[Row], foot: float, s_per_pt: float) -> None:
    """Below the phases: the playbooks, and the harness' times."""
    for play in plays:
        long_s = max(play["ended_s"] - play["started_s"], s_per_pt)
        axes.broken_barh([(play["started_s"], long_s)], (-13, 7), facecolor=STAND_INS["soft"], linewidth=0)
    if plays:
        _side(axes, -9.5, "playbooks")
    if added:
        # as wide as they were: an invisible one was short
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
    """A label of the time-line: its moment, its text and, once placed, its lane and its side."""

    at_s: float
    text: str
    limit: bool = False
    lane: int = 0
    leftward: bool = False


def _place(labels: Sequence[_Label], pt_per_s: float, width_pt: float) -> None:
    """Give every label the lowest lane in which it touches neither a label nor another label's line.

    It goes from the last one to the first: a label stands to the right of its line, so those after it must stay below
    it.
    """
    taken: list[tuple[float, float, int]] = []  # from, to (points), lane
    lines: list[tuple[float, int]] = []  # x (points), height in lanes
    for label in sorted(labels, key=lambda one: -one.at_s):
        at, wide = label.at_s * pt_per_s, text_width_pt(label.text, 8) + 8
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


def _draw_label(axes: Axes, label: _Label, s_per_pt: float) -> None:
    colour = STAND_INS["bad" if label.limit else "ink"]
    height = _BAND_PT + 8 + label.lane * _LANE_PT
    axes.plot(
        [label.at_s, label.at_s],
        [_BAND_PT, height + 9],
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
