"""What the commands share: an error as one sentence, and pytest's options behind our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from drillbook.errors import DrillbookError
from drillbook.model.printable import printable

WRONG_CALL = 64
PYTEST_FOLLOWS = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Our own options stand before the features, pytest's behind them: the value of one is no feature then."""


def tell(sentence: str) -> None:
    """Say one sentence on standard error."""
    typer.echo(printable(f"drillbook: {sentence}"), err=True)


@contextmanager
def said_plainly(status: int = WRONG_CALL) -> Iterator[None]:
    """An error of Drillbook's is one sentence, and this exit status."""
    try:
        yield
    except DrillbookError as error:
        tell(str(error))
        raise typer.Exit(status) from None


def for_pytest(words: Sequence[str], *ours: str) -> tuple[list[str], list[str]]:
    """The features, and the options of pytest that follow them."""
    at = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    late = [word for word in words[at:] if word.split("=")[0] in ours]
    if late:
        typer.echo(f"drillbook: {late[0]} belongs before the features: what follows them goes to pytest", err=True)
        raise typer.Exit(WRONG_CALL)
    return list(words[:at]), list(words[at:])
