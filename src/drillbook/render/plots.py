"""The pictures of a drill as SVG: pure functions of the record, its samples and its attempts.

The rule: thinning never hides a failure. Where there are more samples than a picture has columns, a column that holds a
failed look is drawn as failed, and a latency keeps its least and its greatest value.

matplotlib draws; what it writes is then made fit for a page: colours become custom properties (so that the page's dark
scheme reaches the pictures), style attributes become classes (so that the page's policy can forbid inline styles), and
identifiers become unique within the page. matplotlib is imported when the first picture is drawn.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]

PALETTE: Mapping[str, tuple[str, str]] = {
    # name: (light scheme, dark scheme). The phases are Okabe and Ito's, told apart by any kind of colour vision.
    "page": ("#ffffff", "#15191d"),
    "ink": ("#1a1f24", "#e8ebee"),
    "soft": ("#55606a", "#a9b3bc"),
    "line": ("#d5dade", "#39424a"),
    "well": ("#6d7a85", "#8d99a4"),
    "bad": ("#b3261e", "#ff8a80"),
    "baseline": ("#7f8c96", "#9aa7b1"),
    "fault": ("#d55e00", "#ff8a3d"),
    "symptoms": ("#e69f00", "#f0b429"),
    "recovery": ("#0072b2", "#56a8e8"),
    "criteria": ("#009e73", "#2fc79b"),
    "restore": ("#cc79a7", "#e39cc4"),
    "acknowledged": ("#0072b2", "#56a8e8"),
    "refused": ("#e69f00", "#f0b429"),
    "unknown": ("#b3261e", "#ff8a80"),
}
PHASES = ("baseline", "fault", "symptoms", "recovery", "criteria", "restore")
ANSWERS = ("acknowledged", "refused", "unknown")

COLUMNS = 360
"""How many columns a picture has for samples: finer than this is not seen on paper either."""

_WIDTH_IN, _LEFT_IN, _RIGHT_IN = 10.0, 1.5, 1.1
_LONGEST_S = 1e9
_NAMES_SHOWN = 22
_NAMES = {f"#fe{number:02x}fe": name for number, name in enumerate(PALETTE)}
_STAND_INS = {name: value for value, name in _NAMES.items()}
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Picture:
    """One inline SVG element, and what it shows in words (also its accessible description)."""

    svg: str
    words: str


@dataclass(slots=True)
class Sheet:
    """The style rules that the pictures of one page share: each set of declarations is one class."""

    classes: dict[str, str] = field(default_factory=dict)

    def name(self, declarations: str) -> str:
        """The class that carries these declarations."""
        return self.classes.setdefault(declarations, f"p{len(self.classes) + 1}")

    def css(self) -> str:
        """The rules."""
        return "".join(f".{name}{{{declarations}}}\n" for declarations, name in self.classes.items())


@dataclass(frozen=True, slots=True)
class Band:
    """A phase, from and to in drill seconds."""

    phase: str
    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time through which every look at an endpoint had the same result."""

    begin_s: float
    end_s: float
    ok: bool


@dataclass(frozen=True, slots=True)
class Column:
    """The latencies of the looks that one column holds: the least and the greatest, at the moment of the latter."""

    at_s: float
    low_ms: float
    high_ms: float


# ---- what is drawn ----------------------------------------------------------------------------------------------


def number(value: object) -> float | None:
    """A finite number that can be drawn, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < _LONGEST_S else None  # NaN and infinity compare false


def length_s(record: Row, samples: Mapping[str, Sequence[Row]], attempts: Sequence[Row]) -> float:
    """How long the drill is, as far as is known: a killed drill has no duration, but it has moments."""
    ends = [number(record["duration_s"])]
    ends += [number(row[key]) for row in record["phases"] for key in ("started_s", "ended_s")]
    ends += [number(event["at_s"]) for event in record["timeline"]]
    ends += [number(play["ended_s"]) for play in record["plays"]]
    ends += [number(rows[-1].get("done_s")) for rows in samples.values() if rows]
    ends += [number(row.get("answered_s")) for row in attempts]
    return max((end for end in ends if end is not None), default=0.0)


def bands(record: Row, end_s: float) -> list[Band]:
    """The phases; one without an end goes on to the next one, or to the end of what is known."""
    known = [row for row in record["phases"] if number(row["started_s"]) is not None]
    found = []
    for row, after in zip_longest(known, known[1:]):
        last = number(row["ended_s"])
        if last is None:
            last = number(after["started_s"]) if after else end_s
        found.append(Band(str(row["phase"]), row["started_s"], max(last or 0.0, row["started_s"])))
    return found


def stretches(rows: Sequence[Row], interval_s: float | None = None, columns: int = COLUMNS) -> list[Stretch]:
    """Merge looks with the same result. Where nobody looked for longer than three intervals (and a second) is a gap.

    With more changes than columns, whatever falls into a column with a failed look is failed.
    """
    looks = [
        (sent, max(done, sent), row.get("ok") is True)
        for row in rows
        for sent, done in ((number(row.get("sent_s")), number(row.get("done_s"))),)
        if sent is not None and done is not None
    ]
    patience_s = max(1.0, 3 * (interval_s or 0.0))
    found: list[Stretch] = []
    for (sent, done, ok), after in zip_longest(looks, looks[1:]):
        until = after[0] if after is not None and after[0] - done <= patience_s else done
        last = found[-1] if found else None
        if last is not None and last.ok == ok and last.end_s >= sent:
            found[-1] = Stretch(last.begin_s, max(until, last.end_s), ok)
        else:
            found.append(Stretch(sent, max(until, sent), ok))
    return found if len(found) <= columns else _coarser(found, columns)


def _coarser(found: Sequence[Stretch], columns: int) -> list[Stretch]:
    begin_s = found[0].begin_s
    width_s = max((found[-1].end_s - begin_s) / columns, 1e-9)
    state: dict[int, bool] = {}
    for one in found:
        first, last = int((one.begin_s - begin_s) / width_s), math.ceil((one.end_s - begin_s) / width_s)
        for column in range(first, max(last, first + 1)):
            state[column] = state.get(column, True) and one.ok
    merged: list[Stretch] = []
    for column, ok in sorted(state.items()):
        left = begin_s + column * width_s
        if merged and merged[-1].ok == ok and abs(merged[-1].end_s - left) < width_s / 2:
            merged[-1] = Stretch(merged[-1].begin_s, left + width_s, ok)
        else:
            merged.append(Stretch(left, left + width_s, ok))
    return merged


def thinned(
    points: Sequence[tuple[float, float]], begin_s: float, end_s: float, columns: int = COLUMNS
) -> list[Column]:
    """The least and the greatest value of each column."""
    width_s = max((end_s - begin_s) / columns, 1e-9)
    held: dict[int, Column] = {}
    for at_s, value in points:
        place = int((at_s - begin_s) / width_s)
        old = held.get(place)
        if old is None:
            held[place] = Column(at_s, value, value)
        elif value > old.high_ms:
            held[place] = Column(at_s, old.low_ms, value)
        elif value < old.low_ms:
            held[place] = Column(old.at_s, value, old.high_ms)
    return [held[place] for place in sorted(held)]


def per_second(attempts: Sequence[Row], end_s: float) -> tuple[float, dict[str, list[float]]]:
    """(width of a bin in seconds, per kind of answer the attempts sent per second in each bin)."""
    width_s = next((step for step in _STEPS_S if step >= 1 and end_s / step <= COLUMNS), max(end_s / COLUMNS, 1.0))
    bins = max(1, math.ceil(end_s / width_s))
    counts = {answer: [0] * bins for answer in ANSWERS}
    for attempt in attempts:
        sent = number(attempt.get("sent_s"))
        if sent is None:
            continue
        answer = attempt.get("answered")
        row = counts[answer if answer in ANSWERS else "unknown"]
        row[min(max(int(sent / width_s), 0), bins - 1)] += 1
    return width_s, {answer: [count / width_s for count in row] for answer, row in counts.items()}


# ---- the pictures -----------------------------------------------------------------------------------------------


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
    with _drawing() as new_figure:
        width_pt = (_WIDTH_IN - _LEFT_IN - _RIGHT_IN) * 72
        _place(labels, width_pt / shown_end_s, width_pt)
        lanes = max((label.lane for label in labels), default=-1) + 1
        below, band, lane_pt = 16 * bool(plays) + 12 * bool(added), 22, 13
        top = band + (8 + lanes * lane_pt if lanes else 0)
        figure = new_figure((top + below + 6) / 72 + 0.5)
        axes = _axes(figure, bottom_in=0.45, height_in=(top + below + 6) / 72, end_s=shown_end_s)
        axes.set_ylim(-below - 4, top + 2)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        for one in phases:
            colour = _phase_colour(one.phase)
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
                    color=_STAND_INS["ink"],
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
                color=_STAND_INS["bad"],
                annotation_clip=False,
            )
        words = "Phases: " + _and(f"{one.phase} {one.begin_s:.1f}-{one.end_s:.1f} s" for one in phases)
        words += ". Events: " + _and(f"{event['event']} at {at_s:.1f} s".replace("_", " ") for at_s, event in events)
        words += f". The harness took {sum(row['until_s'] - row['since_s'] for row in added):.1f} s" if added else ""
        if limit_s is not None:
            words += f". The RTO ends at {limit_s:g} s"
        return _finish(figure, "timeline", "Time-line of the drill", words + ".", sheet)


def _bars(axes: Axes, plays: Sequence[Row], added: Sequence[Row], foot: float, s_per_pt: float) -> None:
    """Below the phases: the playbooks, and what the harness took."""
    for play in plays:
        long_s = max(play["ended_s"] - play["started_s"], s_per_pt)
        axes.broken_barh([(play["started_s"], long_s)], (-13, 7), facecolor=_STAND_INS["soft"], linewidth=0)
    if plays:
        _side(axes, -9.5, "playbooks")
    if added:
        # as wide as they were: what cannot be seen was short
        spans = [(row["since_s"], row["until_s"] - row["since_s"]) for row in added]
        axes.broken_barh(spans, (foot + 1, 7), facecolor=_STAND_INS["ink"], linewidth=0)
        _side(axes, foot + 4.5, "harness")


def _is_span(row: object) -> bool:
    return isinstance(row, Mapping) and None not in (number(row.get("since_s")), number(row.get("until_s")))


def rto_limit_s(record: Row) -> float | None:
    """The drill second at which the RTO is over: its clock's event plus the RTO."""
    times = record["times"]
    rto_s = number(times["rto_s"])
    clock = [number(event["at_s"]) for event in record["timeline"] if event["event"] == times["rto_clock"]]
    start = next((at_s for at_s in clock if at_s is not None), None)
    return start + rto_s if start is not None and rto_s is not None else None


def availability(record: Row, samples: Mapping[str, Sequence[Row]], end_s: float, sheet: Sheet) -> Picture | None:
    """One row per endpoint: a thin line while it answered well, a tall block while not, a gap where nobody looked."""
    names = _in_order(record, samples, lambda name: bool(samples[name]))
    if end_s <= 0 or not names:
        return None
    intervals = {probe["endpoint"]: number(probe["interval_s"]) for probe in record["probes"]}
    with _drawing() as new_figure:
        height = 0.26 * len(names) + 0.06
        figure = new_figure(height + 0.5)
        axes = _axes(figure, bottom_in=0.45, height_in=height, end_s=end_s)
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.set_yticks(range(len(names)), [_short(name) for name in names])
        axes.tick_params(axis="y", length=0)
        _behind(axes, record, end_s)
        said = []
        least_s = end_s / COLUMNS / 2
        for row, name in enumerate(names):
            found = stretches(samples[name], intervals.get(name))
            for ok, height_, colour in ((True, 0.16, "well"), (False, 0.74, "bad")):
                bars = [
                    (one.begin_s, max(one.end_s - one.begin_s, 0.0 if ok else least_s)) for one in found if one.ok is ok
                ]
                axes.broken_barh(bars, (row - height_ / 2, height_), facecolor=_STAND_INS[colour], linewidth=0)
            failed = sum(look.get("ok") is not True for look in samples[name])
            axes.annotate(
                f"{failed} of {len(samples[name])}\u00a0failed",
                (1, row),
                (5, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
                color=_STAND_INS["bad" if failed else "soft"],
                annotation_clip=False,
            )
            said.append(f"{name}: {failed} of {len(samples[name])} looks failed{_when(found)}")
        return _finish(figure, "availability", "Availability per endpoint", _and(said, "; ") + ".", sheet)


def _in_order(record: Row, samples: Mapping[str, Sequence[Row]], wanted: Callable[[str], bool]) -> list[str]:
    """The endpoints in the order of the inventory, as the record's probes have it; the samples come in any order."""
    names = dict.fromkeys([*(str(probe["endpoint"]) for probe in record["probes"]), *sorted(samples)])
    return [name for name in names if name in samples and wanted(name)]


def _when(found: Sequence[Stretch]) -> str:
    failed = [one for one in found if not one.ok]
    return f", between {failed[0].begin_s:.1f} s and {failed[-1].end_s:.1f} s" if failed else ""


def latency(record: Row, samples: Mapping[str, Sequence[Row]], end_s: float, sheet: Sheet) -> Picture | None:
    """A panel per endpoint: least to greatest latency of good answers, and a cross for each failed look (thinned)."""
    looks = {name: _latencies(rows) for name, rows in samples.items()}
    names = _in_order(record, samples, lambda name: any(looks[name]))
    if end_s <= 0 or not names:
        return None
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    panel, gap = 0.62, 0.28
    said = []
    with _drawing() as new_figure:
        figure = new_figure(len(names) * (panel + gap) - gap + 0.5)
        for row, name in enumerate(names):
            good, failed = looks[name]
            last = row == len(names) - 1
            axes = _axes(
                figure,
                bottom_in=0.45 + (len(names) - 1 - row) * (panel + gap),
                height_in=panel,
                end_s=end_s,
                ticks=last,
            )
            _behind(axes, record, end_s)
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
            axes.grid(axis="y", color=_STAND_INS["line"], linewidth=0.5)
            _envelope(axes, thinned(good, 0, end_s), low)
            crosses = thinned(failed, 0, end_s, COLUMNS // 2)
            marks = {(one.at_s, max(value, low)) for one in crosses for value in (one.low_ms, one.high_ms)}
            axes.plot(
                *zip(*sorted(marks), strict=True) if marks else ([], []),
                linestyle="none",
                marker="x",
                markersize=3.6,
                markeredgewidth=0.9,
                color=_STAND_INS["bad"],
            )
            axes.annotate(
                _short(name),
                (0, 0.5),
                (-34, 0),
                xycoords="axes fraction",
                textcoords="offset points",
                ha="right",
                va="center",
            )
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
                color=_STAND_INS["soft"],
                linespacing=1.15,
            )
        words = "Of the answers that were good, " + _and(said, "; ") + "."
        return _finish(figure, "latency", "Latency per endpoint in milliseconds", words, sheet)


def work(record: Row, attempts: Sequence[Row], end_s: float, sheet: Sheet) -> Picture | None:
    """Attempts per second by their answer, stacked, with the rate that was asked for."""
    if end_s <= 0 or not attempts:
        return None
    width_s, rates = per_second(attempts, end_s)
    bins = len(rates[ANSWERS[0]])
    edges = [min(place * width_s, end_s) for place in range(bins + 1)]
    with _drawing() as new_figure:
        figure = new_figure(1.95)
        axes = _axes(figure, bottom_in=0.45, height_in=1.45, end_s=end_s)
        _behind(axes, record, end_s)
        below = [0.0] * bins
        for answer in ANSWERS:
            above = [low + rate for low, rate in zip(below, rates[answer], strict=True)]
            if any(rates[answer]):
                axes.stairs(above, edges, baseline=below, fill=True, color=_STAND_INS[answer], linewidth=0, alpha=0.85)
            below = above
        asked = _asked(record["work"], end_s)
        if asked:
            axes.step(
                *zip(*asked, strict=True), where="post", color=_STAND_INS["ink"], linewidth=0.9, linestyle=(0, (4, 2))
            )
        axes.set_ylim(0, max(*below, *(rate for _at, rate in asked), 1.0) * 1.12)
        axes.locator_params(axis="y", nbins=4)
        axes.grid(axis="y", color=_STAND_INS["line"], linewidth=0.5)
        axes.set_axisbelow(True)
        axes.annotate(
            "attempts\nper second",
            (0, 0.5),
            (-34, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="right",
            va="center",
        )
        counts = {answer: sum(rates[answer]) * width_s for answer in ANSWERS}
        words = (
            f"Attempts in bins of {width_s:g} s: " + _and(f"{counts[answer]:.0f} {answer}" for answer in ANSWERS) + "."
        )
        return _finish(figure, "work", "Submitted work per second by its answer", words, sheet)


def _asked(balance: Row | None, end_s: float) -> list[tuple[float, float]]:
    rows = balance["rates"] if balance else []
    found = [
        (since, rate)
        for row in rows
        for since, rate in ((number(row.get("since_s")), number(row.get("per_second"))),)
        if since is not None and rate is not None
    ]
    return [(found[0][0], 0.0), *found, (end_s, found[-1][1])] if found else []


def _latencies(rows: Sequence[Row]) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    good: list[tuple[float, float]] = []
    failed: list[tuple[float, float]] = []
    for row in rows:
        sent, took = number(row.get("sent_s")), number(row.get("latency_ms"))
        if sent is not None and took is not None:
            (good if row.get("ok") is True else failed).append((sent, max(took, 0.0)))
    return good, failed


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if value >= 100 else f"{value:.3g} ms"


# ---- drawing ----------------------------------------------------------------------------------------------------


@contextmanager
def _drawing() -> Iterator[Callable[[float], Figure]]:
    """A function that makes an empty figure of a height in inches, untouched by the user's matplotlib set-up."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    def new_figure(height_in: float) -> Figure:
        return Figure(figsize=(_WIDTH_IN, height_in), facecolor="none")

    with mpl.rc_context(), warnings.catch_warnings():
        # a name in a script that the measuring font lacks is drawn by the reader's own font
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "svg.hashsalt": "drillbook",
                "svg.fonttype": "none",
                "text.parse_math": False,
                "axes.unicode_minus": False,
                # it would drop the strokes of no length, which round caps make into dots
                "path.simplify": False,
                "font.size": 8.5,
                "text.color": _STAND_INS["ink"],
                "axes.labelcolor": _STAND_INS["soft"],
                "axes.edgecolor": _STAND_INS["line"],
                "axes.facecolor": "none",
                "xtick.color": _STAND_INS["soft"],
                "ytick.color": _STAND_INS["soft"],
                "xtick.labelcolor": _STAND_INS["soft"],
                "ytick.labelcolor": _STAND_INS["ink"],
            }
        )
        yield new_figure


def _axes(figure: Figure, *, bottom_in: float, height_in: float, end_s: float, ticks: bool = True) -> Axes:
    """Axes over the drill's time, at the same place in every picture: they stand exactly below each other."""
    from matplotlib.ticker import FuncFormatter, MultipleLocator

    high = figure.get_size_inches()[1]
    width = _WIDTH_IN - _LEFT_IN - _RIGHT_IN
    axes = figure.add_axes((_LEFT_IN / _WIDTH_IN, bottom_in / high, width / _WIDTH_IN, height_in / high))
    axes.set_xlim(0, end_s)
    step_s = next((step for step in _STEPS_S if end_s / step <= 10), end_s / 8)
    axes.xaxis.set_major_locator(MultipleLocator(step_s))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: _clock(value, end_s)))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if ticks:
        axes.set_xlabel("seconds of the drill" if end_s <= 180 else "time in the drill", fontsize=8)
    else:
        axes.tick_params(axis="x", labelbottom=False)
    axes.tick_params(labelsize=8)
    return axes


def _clock(value_s: float, end_s: float) -> str:
    if end_s <= 180:
        return f"{value_s:g}"
    minutes, seconds = divmod(round(value_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _phase_colour(phase: str) -> str:
    return _STAND_INS[phase if phase in PHASES else "baseline"]


def _behind(axes: Axes, record: Row, end_s: float) -> None:
    for one in bands(record, end_s):
        axes.axvspan(one.begin_s, one.end_s, color=_phase_colour(one.phase), alpha=0.16, linewidth=0, zorder=0)


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


def _envelope(axes: Axes, columns: Sequence[Column], floor_ms: float) -> None:
    """One path: a stroke from least to greatest per column (a dot where they are the same)."""
    xs: list[float] = []
    ys: list[float] = []
    for one in columns:
        xs += [one.at_s, one.at_s, math.nan]
        ys += [max(one.low_ms, floor_ms), max(one.high_ms, floor_ms), math.nan]
    axes.plot(xs, ys, color=_STAND_INS["recovery"], linewidth=1.5, solid_capstyle="round")


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
        label.leftward = at + wide > width_pt + (_RIGHT_IN * 72 - 6)
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
    colour = _STAND_INS["bad" if label.limit else "ink"]
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
        bbox={"facecolor": _STAND_INS["page"], "edgecolor": "none", "pad": 0.6},
    )


def _width_pt(text: str, size_pt: float) -> float:
    """How wide a text is in the font that matplotlib carries with it, which is wider than most."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    width, _height, _descent = text_to_path.get_text_width_height_descent(text, FontProperties(size=size_pt), False)
    return float(width)


def _short(name: str) -> str:
    return name if len(name) <= _NAMES_SHOWN else f"{name[: _NAMES_SHOWN - 1]}…"


def _and(parts: Iterator[str] | Sequence[str], between: str = ", ") -> str:
    return between.join(parts) or "none"


# ---- from matplotlib's document to a part of the page -----------------------------------------------------------

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_FONT_FAMILY = re.compile(r"font-family:[^;]*;?")
_FONT_SHORT = re.compile(r"font: ([\d.]+px) [^;]*;?")
_LONG_DECIMAL = re.compile(r"-?\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def _finish(figure: Figure, name: str, title: str, words: str, sheet: Sheet) -> Picture:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
    root = ElementTree.fromstring(buffer.getvalue())
    view = root.attrib["viewBox"]
    for holder in list(root.iter()):
        for child in [child for child in holder if child.tag == f"{_SVG}style"]:
            holder.remove(child)
    used = {reference for element in root.iter() for reference in _references(element)}
    for element in root.iter():
        _tidy(element, name, used, sheet)
    root.attrib = {
        "class": "picture",
        "viewBox": view,
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-words",
    }
    for place, (tag, text) in enumerate((("title", title), ("desc", words))):
        child = ElementTree.Element(tag, {"id": f"{name}-{'title' if tag == 'title' else 'words'}"})
        child.text = text
        root.insert(place, child)
    return Picture(ElementTree.tostring(root, encoding="unicode"), words)


def _references(element: ElementTree.Element) -> Iterator[str]:
    for attribute, value in element.attrib.items():
        if attribute == f"{_XLINK}href":
            yield value.removeprefix("#")
        yield from _REFERENCE.findall(value)


def _tidy(element: ElementTree.Element, name: str, used: set[str], sheet: Sheet) -> None:
    """Plain names, short numbers, classes for styles, identifiers that are unique in the page."""
    element.tag = element.tag.removeprefix(_SVG)
    old, element.attrib = element.attrib, {}
    for attribute, value in old.items():
        if attribute == "id":
            if value in used:
                element.set("id", f"{name}-{value}")
        elif attribute == "style":
            declarations = _declarations(value)
            if declarations:
                element.set("class", sheet.name(declarations))
        elif attribute == f"{_XLINK}href":
            element.set("href", f"#{name}-{value.removeprefix('#')}")
        elif attribute == "transform" and value.startswith("rotate(-0 "):
            continue
        else:
            short = _LONG_DECIMAL.sub(lambda found: f"{float(found[0]):.2f}", value)
            own = _REFERENCE.sub(lambda found: f"url(#{name}-{found[1]})", short)
            element.set(attribute, " ".join(own.split()))
    if element.tag != "text":
        element.text = None
    element.tail = None


def _declarations(style: str) -> str:
    style = _FONT_FAMILY.sub("", _FONT_SHORT.sub(r"font-size: \1;", style))
    for stand_in, name in _NAMES.items():
        style = style.replace(stand_in, f"var(--{name})")
    style = style.replace("#000000", "var(--ink)")
    return ";".join(part.strip().replace(": ", ":") for part in style.split(";") if part.strip())
