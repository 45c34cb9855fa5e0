"""`drillbook evidence`: what evidence there is, one of it, and where it lies."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands.entries.calls import Call, said_plainly, tell
from drillbook.errors import DrillbookError
from drillbook.evidence.files import json_text
from drillbook.evidence.reader import read_record
from drillbook.evidence.render import terminal
from drillbook.evidence.render.shown import summary
from drillbook.evidence.store import finding, listing, reach
from drillbook.evidence.store import place as places
from drillbook.evidence.store.catalogue import Kind, is_listed
from drillbook.evidence.store.finding import NothingFoundError, Wanted
from drillbook.evidence.store.outbox import Outbox
from drillbook.evidence.store.place import StoreError
from drillbook.model.paths import kept
from drillbook.model.printable import printable
from drillbook.pytest_plugin.options import read_ini

app = typer.Typer(add_completion=False, no_args_is_help=True)

NOTHING = 1
"""Status where nothing fits."""
What = Annotated[
    list[str] | None,
    typer.Argument(help="a row (R1), an id or its first digits, @tag, a runbook (redis.md#failover), or words"),
]
Rows = Annotated[list[str] | None, typer.Option("--row", help="of this row", metavar="ROW")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="with this tag", metavar="TAG")]
Outcomes = Annotated[
    list[str] | None,
    typer.Option("--outcome", help="with this outcome: PASSED, ...; none: no verdict", metavar="OUTCOME"),
]
Runbooks = Annotated[
    list[str] | None, typer.Option("--runbook", help="of this runbook, or clause of it", metavar="FILE[#ANCHOR]")
]
Environments = Annotated[
    list[str] | None,
    typer.Option("--environment", help="of this environment, or of this kind of environment", metavar="NAME"),
]
Kinds = Annotated[list[Kind] | None, typer.Option("--kind", help="what it is evidence of")]
Place = Annotated[
    str | None,
    typer.Option(
        "--evidence", help="where the evidence is: a folder, or the URL of a store (default: the ini's)", metavar="DIR"
    ),
]


@app.callback()
def evidence() -> None:
    """The evidence, newest first: list it, show one drill, or print its folder."""


@app.command("list", cls=Call)
def list_(
    what: What = None,
    *,
    row: Rows = None,
    tag: Tags = None,
    outcome: Outcomes = None,
    runbook: Runbooks = None,
    environment: Environments = None,
    kind: Kinds = None,
    place: Place = None,
    last: Annotated[int | None, typer.Option("--last", "-n", help="at most N of them", metavar="N", min=1)] = None,
    json: Annotated[bool, typer.Option("--json", help="as a JSON array, each with its folder")] = False,
) -> None:
    """List drills, controls, proofs and tables, newest first. Exit status 1 when there is none."""
    with _asking(place) as shelf:
        asked = _wanted(what, row=row, tag=tag, outcome=outcome, runbook=runbook, environment=environment, kind=kind)
        entries = list(islice(finding.found(shelf.root, asked), last))
        if json:
            typer.echo(json_text([listing.as_json(each, _told) for each in entries]))
        for line in [] if json else listing.lines(entries):
            typer.echo(line)
        if not entries:
            raise NothingFoundError(finding.nothing(shelf.root, asked, shelf.named))


@app.command(cls=Call)
def show(
    what: What = None,
    *,
    row: Rows = None,
    tag: Tags = None,
    outcome: Outcomes = None,
    runbook: Runbooks = None,
    environment: Environments = None,
    kind: Kinds = None,
    place: Place = None,
) -> None:
    """Show the newest drill that fits as the terminal did: its steps, verdict, times and work."""
    with _asking(place) as shelf:
        one = finding.the_one(
            shelf.root,
            _wanted(what, row=row, tag=tag, outcome=outcome, runbook=runbook, environment=environment, kind=kind),
            shelf.named,
        )
        content = one.folder / "content"
        if one.kind is Kind.TABLE:
            typer.echo(printable((content / "drills.md").read_text(encoding="utf-8")), nl=False)
        elif one.kind is Kind.PROOF:
            typer.echo(printable(f"{one.outcome}: {one.title}"))
            typer.echo(printable(f"  {one.reason or 'the drill passed, and its controls held'}"))
            typer.echo(f"  evidence: {_told(one.folder)}")
        else:
            paint = terminal.colours if sys.stdout.isatty() else terminal.plain
            for line in summary(read_record(one.folder), _told(one.folder), paint):
                typer.echo(line)


@app.command(cls=Call)
def path(
    what: What = None,
    *,
    row: Rows = None,
    tag: Tags = None,
    outcome: Outcomes = None,
    runbook: Runbooks = None,
    environment: Environments = None,
    kind: Kinds = None,
    place: Place = None,
) -> None:
    """Print the folder of the newest drill that fits: drillbook report "$(drillbook evidence path R1)"."""
    with _asking(place) as shelf:
        one = finding.the_one(
            shelf.root,
            _wanted(what, row=row, tag=tag, outcome=outcome, runbook=runbook, environment=environment, kind=kind),
            shelf.named,
        )
        typer.echo(_told(shelf.whole(one.folder)))


@app.command(cls=Call)
def push(place: Place = None) -> None:
    """Upload what the store of the evidence does not have. Exit status 1 when the store cannot be reached."""
    with said_plainly(), _unreachable():
        ini = read_ini(Path.cwd())
        to = ini.place if place is None else places.place(place, Path.cwd(), ini.root, ini.lock)
        if to.url is None:
            raise DrillbookError(f"{to.folder} is no store: name one with --evidence s3://bucket/prefix")
        shipped = reach.push(to, kept(ini.root))
        for folder in shipped.folders:
            typer.echo(f"{to.url}/{folder}")
        for sentence in shipped.forked:
            tell(sentence)
        if not shipped.folders:
            tell(f"{to.url} has all evidence that is sealed in {_told(to.folder)}")


@dataclass(frozen=True, slots=True)
class _Shelf:
    """A folder that holds evidence; `whole` returns the folder of a drill with all its files."""

    root: Path
    named: str
    whole: Callable[[Path], Path] = lambda folder: folder


@contextmanager
def _asking(named: str | None) -> Iterator[_Shelf]:
    """The place of evidence. If nothing fits, that is a sentence and a status of its own."""
    with said_plainly(), _unreachable():
        try:
            yield _shelf(named)
        except NothingFoundError as error:
            tell(str(error))
            raise typer.Exit(NOTHING) from None


def _shelf(named: str | None) -> _Shelf:
    if named is None:
        ini = read_ini(Path.cwd())
        waiting = len(Outbox(ini.place, kept(ini.root)).pending()) if ini.place.url is not None else 0
        if waiting:
            tell(f"{waiting} more in {_told(ini.place.folder)} not in the store yet: 'drillbook evidence push'")
        named = ini.place.named
    if not places.is_url(named):
        folder = Path.cwd() / named
        return _Shelf(folder, str(folder))
    copy = reach.copy_of(named, tell)
    return _Shelf(copy.bring(is_listed), named, lambda folder: copy.folder_of(folder.name))


@contextmanager
def _unreachable() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        tell(str(error))
        raise typer.Exit(NOTHING) from None


def _wanted(
    what: list[str] | None,
    *,
    row: list[str] | None,
    tag: list[str] | None,
    outcome: list[str] | None,
    runbook: list[str] | None,
    environment: list[str] | None,
    kind: list[Kind] | None,
) -> Wanted:
    return finding.wanted(
        what or (),
        rows=row or (),
        tags=tag or (),
        outcomes=outcome or (),
        runbooks=runbook or (),
        environments=environment or (),
        kinds=kind or (),
    )


def _told(folder: Path) -> str:
    """Relative to the working directory, if it lies below."""
    return os.path.relpath(folder) if folder.is_relative_to(Path.cwd()) else str(folder)
