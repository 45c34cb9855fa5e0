"""The `drillbook` command. Each subcommand is a few lines over the engine; further ones come from entry points.

Exit statuses are those of the outcomes (docs/guide/errors.md); 64 for a wrong call.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from drillbook.errors import DrillbookError

app = typer.Typer(
    help="Recovery drills: executable runbooks, proven on real systems.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
InventoryOption = Annotated[
    Path, typer.Option("--inventory", help="Ansible inventory", envvar="DRILLBOOK_INVENTORY", metavar="PATH")
]
DEFAULT_INVENTORY = Path("inventories/lab")


@app.command()
def restore(inventory: InventoryOption = DEFAULT_INVENTORY) -> None:
    """Undo every fault that an earlier drill left behind. Exit status 12 when one is not proven gone."""
    from drillbook.engine.session import DrillSession
    from drillbook.evidence.render.worker import write_report
    from drillbook.model.verdict import Outcome
    from drillbook.safety.environment_lock import Role

    root = next((at for at in (Path.cwd(), *Path.cwd().parents) if (at / ".drillbook").is_dir()), None)
    if root is None:
        typer.echo("drillbook: no .drillbook/ here or above: no drill was ever run here", err=True)
        raise typer.Exit(64)
    if not inventory.is_absolute():
        inventory = next((at / inventory for at in (Path.cwd(), root) if (at / inventory).exists()), root / inventory)
    try:
        session = DrillSession(
            root,
            inventory.absolute(),
            root / "evidence",
            listener=lambda event: typer.echo(event.get("text", "")),
            write_report=write_report,
        )
        undone = session.put_back(Role.RESTORE, typer.echo)
    except DrillbookError as error:
        typer.echo(f"drillbook: {error}", err=True)
        raise typer.Exit(Outcome.ABORTED.exit_status) from None
    for one in undone:
        typer.echo(
            f"{'NOT undone' if one.problem else 'undone'}: {one.entry.fault}"
            + (f": {one.problem}" if one.problem else "")
        )
    if not undone:
        typer.echo("nothing to undo: no fault is open")
    if any(one.problem for one in undone):
        raise typer.Exit(Outcome.NOT_RESTORED.exit_status)


_PYTEST_FOLLOWS = {"ignore_unknown_options": True, "allow_interspersed_args": False}
"""Our own options stand before the features, pytest's behind them: the value of one is no feature then."""


def _for_pytest(words: list[str], *ours: str) -> tuple[list[str], list[str]]:
    """The features, and the options of pytest that follow them."""
    at = next((number for number, word in enumerate(words) if word.startswith("-")), len(words))
    late = [word for word in words[at:] if word.split("=")[0] in ours]
    if late:
        typer.echo(f"drillbook: {late[0]} belongs before the features: what follows them goes to pytest", err=True)
        raise typer.Exit(64)
    return words[:at], words[at:]


@app.command(context_settings=_PYTEST_FOLLOWS)
def prove(
    features: Annotated[list[str], typer.Argument(help="features or node ids; options of pytest may follow")],
    ablate: Annotated[bool, typer.Option("--ablate", help="also without each task of the recovery in turn")] = False,
) -> None:
    """Run each drill and its controls; only when all of them end as they must is a runbook proven."""
    from drillbook.commands.prove import prove as run

    named, options = _for_pytest(features, "--ablate")
    try:
        status = run([*named, *options], ablate=ablate)
    except DrillbookError as error:
        typer.echo(f"drillbook: {error}", err=True)
        raise typer.Exit(64) from None
    raise typer.Exit(status)


@app.command(context_settings=_PYTEST_FOLLOWS)
def drills(
    features: Annotated[list[str] | None, typer.Argument(help="features or node ids (default: features/)")] = None,
    labs: Annotated[
        int | None, typer.Option("--labs", help="how many labs side by side (default: two more than cores)")
    ] = None,
) -> None:
    """Run every drill and its controls on labs of their own, side by side, and write one table of all.

    Options of pytest may follow. Exit status 0 only when every drill PASSED and is proven.
    """
    from drillbook.commands.drills import run

    named, options = _for_pytest(features or [], "--labs")
    try:
        status = run(named, labs, options, typer.echo)
    except DrillbookError as error:
        typer.echo(f"drillbook: {error}", err=True)
        raise typer.Exit(64) from None
    raise typer.Exit(status)


@app.command()
def findings(
    evidence: Annotated[
        list[Path] | None, typer.Argument(help="evidence folders, or drills' (default: evidence)")
    ] = None,
    write: Annotated[Path | None, typer.Option("--write", help="put them into this document", metavar="FILE")] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="status 1 unless this document has them", metavar="FILE")
    ] = None,
) -> None:
    """What the drills of scenarios tagged @as-written measured: what source runbooks get wrong, as Markdown.

    A document that has the marks for it also gets the table of the newest `drillbook drills`.
    """
    from drillbook.evidence.files import write_atomically
    from drillbook.evidence.render import as_written as found

    document = write or check
    try:
        places = evidence or [Path("evidence")]
        drills, table = found.read(places), found.read_table(places)
        text = found.markdown(drills)
        if document is None:
            typer.echo(text, nl=False)
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
    except DrillbookError as error:
        typer.echo(f"drillbook: {error}", err=True)
        raise typer.Exit(64) from None


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="an evidence folder")]) -> None:
    """Write report.html of an evidence folder again, from its record."""
    from drillbook.evidence.render.html import page

    try:
        typer.echo(page.report(folder))
    except DrillbookError as error:
        typer.echo(f"drillbook: {error}", err=True)
        raise typer.Exit(64) from None


_UsageError: Any = typer.BadParameter.__mro__[1]  # typer has no name for it, and its place differs with the release


class _Lint(TyperCommand):
    """A wrong option has the status of a wrong call: 2, as typer has it, is pytest's word for a refused feature."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except _UsageError as error:
            vars(error)["exit_code"] = 64
            raise


@app.command(cls=_Lint)
def lint(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="features, or folders of features (default: features/)")
    ] = None,
    inventory: Annotated[
        Path | None, typer.Option("--inventory", help="Ansible inventory (default: as pytest's)", metavar="PATH")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="fail for warnings too")] = False,
) -> None:
    """Check features, steps, playbooks, runbooks and inventory without a drill. Exit status 1 for an error."""
    from drillbook.commands.lint import lint as look
    from drillbook.commands.lint_collection import WrongCallError

    try:
        report = look(paths or (), inventory)
    except WrongCallError as error:
        typer.echo(f"drillbook: {error}", err=True)
        raise typer.Exit(64) from None
    for line in report.lines():
        typer.echo(line)
    raise typer.Exit(report.exit_status(strict=strict))


def _needs_extra(name: str, reason: str) -> None:
    @app.command(
        name,
        help="(needs the extra 'lab')",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def missing() -> None:
        typer.echo(f"drillbook: this command needs the extra 'lab': pip install 'drillbook[lab]' ({reason})", err=True)
        raise typer.Exit(64)


for _command in entry_points(group="drillbook.commands"):
    try:
        app.add_typer(_command.load(), name=_command.name)
    except ImportError as error:
        # the lab's parts are an extra: without them the other commands still work
        _needs_extra(_command.name, str(error))

if __name__ == "__main__":
    app()
