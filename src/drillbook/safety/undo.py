"""Undoes faults: newest first, never stopping at the first failure, each proven gone before its entry is closed.

The proof is the undo playbook's own last task. It must be an assertion that ran and held on every host that the undo
reached. These hosts must include all that the fault changed or may have changed. An undo that reached no host, or whose
assertion is missing or skipped, proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from drillbook.errors import DrillbookError, JournalError
from drillbook.safety.journal import Entry, EntryState, Journal
from drillbook.target.ansible.actions import ASSERTIONS
from drillbook.target.ansible.result import PlayResult, TaskStatus

_TRIES = 2


class StillArmedError(DrillbookError):
    """The fault is proven gone, but its dead man's switch is not: it may act at any time."""

    def __init__(self, sentence: str, result: PlayResult) -> None:
        super().__init__(sentence)
        self.result = result


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of one entry; `problem` is None when the fault is proven gone.

    `unnoted`: the fault is gone, but the journal could not be written.
    """

    entry: Entry
    result: PlayResult | None
    problem: str | None
    unnoted: str | None = None

    @property
    def why_open(self) -> str | None:
        """Why the entry is still open, so that the next process undoes it once more; None when it is closed."""
        return self.problem or self.unnoted

    @property
    def said(self) -> str:
        """What became of it, for the guardian's log or the terminal."""
        why = f": {self.why_open}" if self.why_open else ""
        return f"{'NOT undone' if self.problem else 'undone'}: {self.entry.fault}{why}"


def undo_all(
    journal: Journal,
    entries: Sequence[Entry],
    run: Callable[[Entry], PlayResult],
    tell: Callable[[Undone], None] = lambda _undone: None,
) -> list[Undone]:
    """Undo the entries in the order given (newest first) and close those that are proven gone.

    An error meanwhile (by `tell`, by a signal, by the time-out of another plugin) is raised after all of them were
    tried. An undo that it interrupted is run once more, after the others.
    """
    done: list[Undone] = []
    raised: BaseException | None = None
    left = [(entry, 1) for entry in entries]
    while left:
        entry, tried = left.pop(0)
        try:
            done.append(_undo(journal, entry, run))
        except BaseException as error:  # noqa: BLE001 - it must not keep the older faults alive
            raised = raised or error
            if tried < _TRIES:
                left.append((entry, tried + 1))
                continue
            why = f"the undo {entry.undo_playbook} was interrupted ({type(error).__name__}: {error})"
            done.append(Undone(entry, None, why))
        try:
            tell(done[-1])
        except BaseException as error:  # noqa: BLE001 - neither must what cannot be told (a full disk)
            raised = raised or error
    if raised is not None:
        raise raised
    return done


def _undo(journal: Journal, entry: Entry, run: Callable[[Entry], PlayResult]) -> Undone:
    result: PlayResult | None = None
    # an undo that cannot be noted (a full disk) runs all the same: the entry is open, and stays so
    with suppress(JournalError):
        journal.mark(entry.id, EntryState.UNDOING)
    try:
        result = run(entry)
        problem = why_not_gone(result, entry.hosts)
    except StillArmedError as error:
        result, problem = error.result, str(error)
    except DrillbookError as error:
        problem = str(error)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the other faults are undone too
        problem = f"the undo {entry.undo_playbook} crashed ({type(error).__name__}: {error})"
    try:
        if problem is None:
            journal.mark(entry.id, EntryState.CLOSED)
        else:
            journal.mark(entry.id, EntryState.UNDO_FAILED, problem)
    except JournalError as error:
        if problem is None:
            return Undone(entry, result, None, unnoted=f"it is proven gone, and {error}: it is undone once more")
    return Undone(entry, result, problem)


def why_not_gone(result: PlayResult, hosts: Collection[str] = ()) -> str | None:
    """Why this run of an undo playbook does not prove that the fault is gone; None when it does.

    It must prove that for these hosts, and for those that the undo itself reached.
    """
    unclean = result.why_not_clean()
    if unclean is not None:
        ended = "" if result.status == "successful" else f" ended {result.status} (rc {result.rc})"
        return f"the undo {result.playbook}{ended}: {unclean}"
    for host in result.hosts:
        task = result.last_tasks.get(host)
        if task is None:
            return f"the undo {result.playbook} ran no task on {host}: nothing shows that the fault is gone there"
        if task.action not in ASSERTIONS or task.status is not TaskStatus.OK:
            return (
                f"the undo {result.playbook} does not end with an assertion that held on {host} "
                f"(its last task there was '{task.task}', {task.status})"
            )
        if task.vacuous:
            return (
                f"the undo {result.playbook} ends with an assertion that cannot fail: '{task.task}' "
                f"looks at nothing that the undo has found ({task.path})"
            )
    # an assertion runs on the control node: it speaks for its host, and for the hosts that its tasks were delegated to
    seeing = [task for task in result.tasks if task.sees and task.status is not TaskStatus.SKIPPED]
    proven = {target for task in seeing for target in task.targets}
    unproven = next((host for host in hosts if host not in proven | set(result.hosts)), None)
    if unproven is not None:
        return f"the undo {result.playbook} proved nothing on {unproven}, which the fault changed"
    return None
