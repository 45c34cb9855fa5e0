"""The pictures of a drill as SVG: pure functions of the record, its samples and its attempts.

matplotlib draws; it is imported when the first picture is drawn.
"""

from __future__ import annotations

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
