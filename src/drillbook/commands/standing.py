"""`drillbook status`: the state of this checkout, in lines.

The rule: it reads files alone. It waits for nobody, and touches neither the target nor a lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from drillbook.commands.left_open import LeftOpen, locks_of
from drillbook.evidence.reader import RecordError, read_record
from drillbook.model.record import Record
from drillbook.pytest_plugin.options import read_ini


def lines(root: Path) -> Iterator[str]:
    """Open faults, locks, switches, and the last drill of each scenario."""
    left = LeftOpen.read(root)
    yield from _section("open faults", left.lines())
    if left.here:
        yield "  undo them with 'drillbook restore'"
    yield from _section("locks", _locks(root))
    yield from _section("dead man's switches", _switches(left))
    yield from _section("last drills", _drills(read_ini(root).evidence, root))


def _section(title: str, found: Iterable[str]) -> Iterator[str]:
    yield f"{title}:"
    yield from (f"  {each}" for each in [*found] or ["none"])


def _locks(root: Path) -> Iterator[str]:
    for environment, lock in locks_of(root):
        holder = lock.holder()
        if holder is None:
            continue
        how = f"is held as {holder.role}" if lock.is_held else "is free: its holder is dead, or left a fault open"
        there = f", in the checkout {holder.root}" if holder.root not in {"", str(root.resolve())} else ""
        yield f"{environment}: {holder.drill!r}, {holder.described}{there}; the lock {how}"


def _switches(left: LeftOpen) -> Iterator[str]:
    for each in left.here:
        if each.entry.switch_playbook is not None:
            yield (
                f"{each.entry.fault} in {each.environment}: armed by {each.entry.switch_playbook}, unless it has fired"
            )


def _drills(evidence: Path, root: Path) -> Iterator[str]:
    seen: set[tuple[str, int, str]] = set()
    for path in sorted(evidence.glob("*/content/drill.json"), reverse=True):
        try:
            record = read_record(path)
        except RecordError as error:
            yield str(error)
            continue
        # rows of an outline may share a name, and a scenario moves within its file: its newest line counts
        scenario = (record.feature.path, record.feature.line, record.scenario.name)
        if record.control is None and scenario not in seen:
            seen.add(scenario)
            yield _drill(record, path.parents[1], root)


def _drill(record: Record, folder: Path, root: Path) -> str:
    outcome = "not ended" if record.outcome is None else record.outcome.value
    at = folder.relative_to(root) if folder.is_relative_to(root) else folder
    return (
        f"{record.started_at}  {outcome:<13}  {record.feature.path}:{record.feature.line} {record.scenario.name} ({at})"
    )
