"""How good the wall clock of this machine is, as its kernel says: adjtimex(2), which needs no privilege.

The rule: the drill asks once, before the first step. No duration of a drill depends on the wall clock. Moments that
people compare with other systems' logs do.
"""

from __future__ import annotations

import ctypes
import os

from drillbook.model.record import ClockRecord

_TIME_ERROR, _STA_UNSYNC = 5, 0x0040


class _Timex(ctypes.Structure):
    """struct timex of Linux, as far as it is read here; the rest is room that the kernel fills."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def clock_state() -> ClockRecord:
    """Whether the clock is synchronised, and how far it may be off. When the kernel does not say, the reason."""
    asked = _Timex()
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(asked))
    except (OSError, AttributeError) as error:
        return ClockRecord(reason=f"this system has no adjtimex: {error}")
    if answer < 0:
        return ClockRecord(reason=f"the kernel does not tell it here: {os.strerror(ctypes.get_errno())}")
    good = answer != _TIME_ERROR and not asked.status & _STA_UNSYNC
    return ClockRecord(good, asked.maxerror / 1e6, asked.esterror / 1e6)
