"""Telling a person how far `up` and `down` have come: one line at a time, to whoever asked for it."""

from collections.abc import Callable

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Tell nobody."""
    return
