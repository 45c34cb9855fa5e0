"""Sets up what drawing needs, before anybody waits for it."""

from __future__ import annotations

from drillbook.evidence.render.plots.canvas import Sheet, drawing, text_width_pt, time_axes
from drillbook.evidence.render.plots.svg import finish


def warm_up() -> None:
    """Draw a picture that nobody sees, to set up all that pictures need."""
    with drawing() as new_figure:
        figure = new_figure(1.0)
        time_axes(figure, bottom_in=0.4, height_in=0.4, end_s=1.0)
        finish(figure, "none", "", "", Sheet())
    text_width_pt("0", 8)
