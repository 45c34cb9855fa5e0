"""The pictures of a drill as SVG: pure functions of the record, its samples and its attempts.

matplotlib draws; it is imported when the first picture is drawn.
"""

from __future__ import annotations

from drillbook.render.plots.canvas import PALETTE, Sheet
from drillbook.render.plots.pictures import availability, latency, timeline, warm_up, work
from drillbook.render.plots.shapes import COLUMNS, PHASES, Row, bands, length_s, number, per_second, stretches, thinned

__all__ = [
    "COLUMNS",
    "PALETTE",
    "PHASES",
    "Row",
    "Sheet",
    "availability",
    "bands",
    "latency",
    "length_s",
    "number",
    "per_second",
    "stretches",
    "thinned",
    "timeline",
    "warm_up",
    "work",
]
