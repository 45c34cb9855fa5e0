"""`drillbook restore`: undoes everything that drills have left open in this checkout.

The rule: the journal says what is open and with which inventory it was broken. The command never says that there is
nothing to undo while anything is open.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drillbook.commands.left_open import LeftOpen, dead_holders
from drillbook.engine.session import DrillSession
from drillbook.errors import DrillbookError
from drillbook.evidence.render.worker import write_report
from drillbook.evidence.sealing import open_run
from drillbook.model import paths
from drillbook.model.verdict import Outcome
from drillbook.pytest_plugin.options import Ini, read_ini
from drillbook.safety.environment_lock import HolderRole
from drillbook.safety.undo import Undone

Say = Callable[[str], None]
SEVERAL = ", "
"""The separator between the names of merged inventories in the journal."""
Inventories = tuple[Path, ...]
"""An inventory, and those that are merged with it."""


def checkout(here: Path) -> Path:
    """The root around here in which drills ran. Raises DrillbookError when there is none."""
    found = next((at for at in (here, *here.parents) if paths.kept(at).is_dir()), None)
    if found is not None:
        return found
    left = LeftOpen.read(here)
    known = f"; open is {left.lines()[0]}" if left else ""
    raise DrillbookError(f"no .drillbook/ here or above: no drill was ever run here{known}")


def check(root: Path, say: Say) -> int:
    """Say what is open, and touch nothing; returns the exit status."""
    return _said(LeftOpen.read(root), say, "nothing is open: every fault is proven gone")


def restore(root: Path, named: Inventories, say: Say) -> int:
    """Undo what is open, or only what was broken with the named inventory; returns the exit status."""
    ini = read_ini(root)
    status, undone = 0, False
    for inventories in [named] if named else _inventories(root, ini):
        try:
            undone |= _with(root, inventories, ini, say)
        except DrillbookError as error:
            told = ", ".join(paths.shown(each, root) for each in inventories)
            say(f"with the inventory {told} nothing was undone: {error}")
            status = Outcome.ABORTED.exit_status
    left = LeftOpen.read(root)
    if left or not (undone or status):
        return _said(left, say, "nothing to undo: no fault is open") or status
    return status


def _inventories(root: Path, ini: Ini) -> list[Inventories]:
    """The inventories of open faults, newest first."""
    known = [tuple(root / name for name in each.entry.inventory.split(SEVERAL)) for each in LeftOpen.read(root).here]
    # some leftovers name no inventory: the lock of a drill that died before it broke anything, and a run to be sealed
    dead = dead_holders(root) or open_run.any_left(paths.kept(root))
    closing = [ini.inventories] if dead and all(each.exists() for each in ini.inventories) else []
    return [*dict.fromkeys([*known, *closing])]


def _with(root: Path, inventories: Inventories, ini: Ini, say: Say) -> bool:
    """Undo what was broken with one inventory; returns whether there was anything."""
    first, *further = inventories
    session = DrillSession(
        root,
        first,
        ini.evidence,
        further_inventories=tuple(further),
        pass_env=ini.pass_env,
        time_limits=ini.time_limits,
        listener=lambda event: say(str(event.get("text", ""))),
        key=ini.key,
        write_report=write_report if ini.reports else None,
    )
    undone = [one for one in session.put_back(HolderRole.RESTORE, say) if _is_of(one, session)]
    for one in undone:
        say(one.said)
    return bool(undone)


def _is_of(one: Undone, session: DrillSession) -> bool:
    return one.entry.inventory == session.inventory_name


def _said(left: LeftOpen, say: Say, nothing: str) -> int:
    if not left:
        say(nothing)
        return 0
    for line in left.lines():
        say(f"open: {line}")
    return Outcome.NOT_RESTORED.exit_status
