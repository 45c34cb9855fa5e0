"""Telling a person how far `up` and `down` have come, one line at a time."""

from collections.abc import Callable

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Tell nobody."""
    return
