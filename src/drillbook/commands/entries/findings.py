"""`drillbook findings`: what the drills of source runbooks measured, as Markdown or in a document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands.entries.calls import said_plainly, tell
from drillbook.errors import DrillbookError
from drillbook.evidence.files import write_atomically
from drillbook.evidence.render import as_written as found
from drillbook.evidence.store.reach import readable
from drillbook.model.printable import printable

app = typer.Typer(add_completion=False)


@app.command()
def findings(
    evidence: Annotated[
        list[str] | None, typer.Argument(help="evidence folders, drills', or URLs of stores (default: evidence)")
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="write the findings into this document", metavar="FILE")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="exit with 1 unless this document has these findings", metavar="FILE")
    ] = None,
) -> None:
    """What drills of scenarios tagged @as-written measured: what source runbooks get wrong, as Markdown.

    A document that has the marks for it also gets the table of the newest `drillbook drills`.
    """
    document = write or check
    with said_plainly():
        places = [readable(each, tell, records_only=True) for each in evidence or ["evidence"]]
        drills, table = found.read(places), found.read_table(places)
        text = found.markdown(drills)
        if document is None:
            typer.echo(printable(text), nl=False)  # systems have said some of it
            return
        if not document.is_file():
            raise DrillbookError(f"{document}: there is no such document")
        before = document.read_text(encoding="utf-8")
        after = found.put_into(before, text, document)
        if table is not None and found.DRILLS_BEGIN in before:
            marks = (found.DRILLS_BEGIN, found.DRILLS_END)
            after = found.put_into(after, found.table_markdown(table, drills), document, marks)
        if check is not None and after != before:
            typer.echo(f"{document}: does not say what the evidence says: run 'drillbook findings --write {document}'")
            raise typer.Exit(1)
        if write is not None and after != before:
            write_atomically(document, after)
