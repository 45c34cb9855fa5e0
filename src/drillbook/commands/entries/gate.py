"""`drillbook gate`: is what lies here proven?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands.entries.calls import DEFAULT_AGE, PYTEST_FOLLOWS, for_pytest, said_plainly, tell
from drillbook.commands.gating import command
from drillbook.commands.gating.asking import Question
from drillbook.evidence.store.place import is_url

app = typer.Typer(add_completion=False)


@app.command(context_settings=PYTEST_FOLLOWS)
def gate(
    features: Annotated[list[str] | None, typer.Argument(help="features or node ids (default: features/)")] = None,
    *,
    require: Annotated[
        list[str] | None, typer.Option("--require", help="only scenarios with this tag; there has to be one")
    ] = None,
    max_age: Annotated[str, typer.Option("--max-age", help="how old a proof may be", metavar="30d")] = DEFAULT_AGE,
    environment: Annotated[
        str | None,
        typer.Option("--environment", help="only proofs of this environment, or of this kind of environment"),
    ] = None,
    evidence: Annotated[
        str | None, typer.Option("--evidence", help="where the evidence is, or a store's URL (default: the ini's)")
    ] = None,
    proofs: Annotated[Path | None, typer.Option("--proofs", help="where proofs are kept (default: proofs/)")] = None,
    trust: Annotated[
        Path | None, typer.Option("--trust", help="only kept proofs that a key of this file has signed", metavar="FILE")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="write each proof to proofs/, a few KB for each scenario")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="as JSON")] = False,
    github: Annotated[bool, typer.Option("--github", help="also as annotations of GitHub")] = False,
) -> None:
    """Fail for scenarios that were never proven, or too long ago, or with other files than those that are here.

    Options of pytest may follow. Exit status 0 only when each scenario that is asked for is proven as it is here.
    """
    named, options = for_pytest(features or [], "--require", "--max-age", "--trust", "--keep", "--json", "--github")
    here = Path.cwd()
    with said_plainly():
        question = Question(
            max_age,
            named,
            options,
            tuple(require or ()),
            environment,
            evidence if evidence is None or is_url(evidence) else str(here / evidence),
            None if proofs is None else here / proofs,
            None if trust is None else here / trust,
        )
        raise typer.Exit(
            command.run(question, typer.echo, tell, _annotate if github else _nobody, keep=keep, json=json)
        )


def _annotate(line: str) -> None:
    """Write to standard error, which GitHub reads as well: standard output carries one answer."""
    typer.echo(line, err=True)


def _nobody(_line: str) -> None:
    return None
