"""`drillbook restore`: everything that an earlier drill left broken is undone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from drillbook.commands.entries.calls import WRONG_CALL, said_plainly
from drillbook.engine.session import DrillSession
from drillbook.evidence.render.worker import write_report
from drillbook.model import paths
from drillbook.model.verdict import Outcome
from drillbook.safety.environment_lock import HolderRole

app = typer.Typer(add_completion=False)
InventoryOption = Annotated[
    list[Path] | None,
    typer.Option("--inventory", help="Ansible inventory; several times: merged", metavar="PATH"),
]
DEFAULT_INVENTORY = "inventories/lab"


@app.command()
def restore(inventory: InventoryOption = None) -> None:
    """Undo every fault that an earlier drill left behind. Exit status 12 when one is not proven gone."""
    root = next((at for at in (Path.cwd(), *Path.cwd().parents) if paths.kept(at).is_dir()), None)
    if root is None:
        typer.echo("drillbook: no .drillbook/ here or above: no drill was ever run here", err=True)
        raise typer.Exit(WRONG_CALL)
    named = inventory or [
        Path(each.strip()) for each in os.environ.get("DRILLBOOK_INVENTORY", DEFAULT_INVENTORY).split(",")
    ]
    first, *further = (_found(each, root) for each in named)
    with said_plainly(Outcome.ABORTED.exit_status):
        session = DrillSession(
            root,
            first,
            root / "evidence",
            further_inventories=tuple(further),
            listener=lambda event: typer.echo(event.get("text", "")),
            write_report=write_report,
        )
        undone = session.put_back(HolderRole.RESTORE, typer.echo)
    for one in undone:
        typer.echo(
            f"{'NOT undone' if one.problem else 'undone'}: {one.entry.fault}"
            + (f": {one.problem}" if one.problem else "")
        )
    if not undone:
        typer.echo("nothing to undo: no fault is open")
    if any(one.problem for one in undone):
        raise typer.Exit(Outcome.NOT_RESTORED.exit_status)


def _found(inventory: Path, root: Path) -> Path:
    """Relative to where you stand, or else to the root."""
    if inventory.is_absolute():
        return inventory
    return next((at / inventory for at in (Path.cwd(), root) if (at / inventory).exists()), root / inventory)
