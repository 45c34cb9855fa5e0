"""What the commands share: errors as one sentence, and pytest's options after our own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from drillbook.errors import DrillbookError
from drillbook.model.printable import printable

WRONG_CALL = 64
PYTEST_FOLLOWS = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Our own options come before the features, pytest's after them: so the value of an option is never taken for a
feature.
"""

Stale = Annotated[bool, typer.Option("--stale", help="only what 'drillbook gate' refuses")]
OneAFamily = Annotated[
    bool, typer.Option("--one-a-family", help="with --stale: also one drill of each family without a stale drill")
]
MaxAge = Annotated[str, typer.Option("--max-age", help="with --stale: how old a proof may be", metavar="30d")]
Trusted = Annotated[
    Path | None, typer.Option("--trust", help="with --stale: as in 'drillbook gate'", metavar="FILE", resolve_path=True)
]
"""The gate's options that `prove` and `drills` also have."""

DEFAULT_AGE = "30d"


def stale_only(
    features: Sequence[str], options: Sequence[str], *, max_age: str, one_a_family: bool, trust: Path | None
) -> list[str]:
    """The features' scenarios that the gate refuses.

    Raises DrillbookError, and Exit with status 0 when there are none.
    """
    # this imports pytest's collection: a user who does not ask does not wait for it
    asking = import_module("drillbook.commands.gating.asking")
    found: list[str] = asking.stale(features, options, tell, max_age=max_age, one_a_family=one_a_family, trust=trust)
    if not found:
        raise typer.Exit
    return found


_UsageError: Any = typer.BadParameter.__mro__[1]  # typer has no name for it, and its place differs with the release


class Call(TyperCommand):
    """A command whose wrong options give the status of a wrong call: typer's own, 2, means something else here."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            vars(error)["exit_code"] = WRONG_CALL
            raise


def tell(sentence: str) -> None:
    """Say one sentence on standard error."""
    typer.echo(printable(f"drillbook: {sentence}"), err=True)


@contextmanager
def said_plainly(status: int = WRONG_CALL) -> Iterator[None]:
    """Turn an error of Drillbook's into one sentence and this exit status."""
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
