"""What all pictures share: the palette, the style rules of the page, and axes over the time of the drill."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, MultipleLocator

from drillbook.evidence.render.plots.shapes import PHASES, STEPS_S, Row, bands

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
    "repeat": ("#56b4e9", "#8fd0f5"),
    "restore": ("#cc79a7", "#e39cc4"),
    "acknowledged": ("#0072b2", "#56a8e8"),
    "refused": ("#e69f00", "#f0b429"),
    "unknown": ("#b3261e", "#ff8a80"),
}
NAMES = {f"#fe{number:02x}fe": name for number, name in enumerate(PALETTE)}
STAND_INS = {name: value for value, name in NAMES.items()}
"""The colours that matplotlib gets, by their names in the palette: the page replaces them with its own."""
WIDTH_IN, LEFT_IN, RIGHT_IN = 10.0, 1.5, 1.1


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


@contextmanager
def drawing() -> Iterator[Callable[[float], Figure]]:
    """A function that makes an empty figure of a height in inches, untouched by the user's matplotlib set-up."""

    def new_figure(height_in: float) -> Figure:
        return Figure(figsize=(WIDTH_IN, height_in), facecolor="none")

    with mpl.rc_context(), warnings.catch_warnings():
        # if the measuring font lacks a script, the reader's own font draws the name
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "svg.hashsalt": "drillbook",
                "svg.fonttype": "none",
                "text.parse_math": False,
                "axes.unicode_minus": False,
                # it would drop strokes of no length, which round caps turn into dots
                "path.simplify": False,
                "font.size": 8.5,
                "text.color": STAND_INS["ink"],
                "axes.labelcolor": STAND_INS["soft"],
                "axes.edgecolor": STAND_INS["line"],
                "axes.facecolor": "none",
                "xtick.color": STAND_INS["soft"],
                "ytick.color": STAND_INS["soft"],
                "xtick.labelcolor": STAND_INS["soft"],
                "ytick.labelcolor": STAND_INS["ink"],
            }
        )
        yield new_figure


def time_axes(figure: Figure, *, bottom_in: float, height_in: float, end_s: float, ticks: bool = True) -> Axes:
    """Axes over the drill's time, at the same place in every picture, so that they line up."""
    high = figure.get_size_inches()[1]
    width = WIDTH_IN - LEFT_IN - RIGHT_IN
    axes = figure.add_axes((LEFT_IN / WIDTH_IN, bottom_in / high, width / WIDTH_IN, height_in / high))
    axes.set_xlim(0, end_s)
    step_s = next((step for step in STEPS_S if end_s / step <= 10), end_s / 8)
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


def phase_colour(phase: str) -> str:
    """The stand-in of a phase's colour."""
    return STAND_INS[phase if phase in PHASES else "baseline"]


def behind(axes: Axes, record: Row, end_s: float) -> None:
    """The phases as a faint background."""
    for one in bands(record, end_s):
        axes.axvspan(one.begin_s, one.end_s, color=phase_colour(one.phase), alpha=0.16, linewidth=0, zorder=0)


_NAMES_SHOWN = 22


def text_width_pt(text: str, size_pt: float) -> float:
    """The width of a text in matplotlib's own font, which is wider than most."""
    width, _height, _descent = text_to_path.get_text_width_height_descent(text, FontProperties(size=size_pt), False)
    return float(width)


def beside(axes: Axes, text: str) -> None:
    """The label of a plot, left of its axis."""
    axes.annotate(
        text,
        (0, 0.5),
        (-34, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        va="center",
    )


def shortened(name: str) -> str:
    return name if len(name) <= _NAMES_SHOWN else f"{name[: _NAMES_SHOWN - 1]}…"


def joined(parts: Iterator[str] | Sequence[str], between: str = ", ") -> str:
    return between.join(parts) or "none"
