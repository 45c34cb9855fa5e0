"""Dead man's switches: timers on the target that undo a fault when nobody renews them any more.

The rule: a fault whose switch cannot be armed does not happen; while it is open its switch is renewed, and whoever
undoes it disarms the switch; a switch that fired before that has undone the fault under the drill's hands, and the
drill proves nothing.

What the timer is and does stands in the fault's playbook switch.yml, which is run with the fault's variables and
`drillbook_switch` (armed, renewed, disarmed), `drillbook_switch_id` and `drillbook_switch_after`. That it has fired it
says with the words HAS_FIRED in the message of a task.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from drillbook.errors import DrillbookError, PlaybookError
from drillbook.model import paths
from drillbook.model.phases import Phase
from drillbook.model.record import SwitchState
from drillbook.model.verdict import FindingKind
from drillbook.safety.journal import Entry
from drillbook.safety.undo import StillArmedError, why_not_gone
from drillbook.target.ansible.result import PlayResult

if TYPE_CHECKING:
    from drillbook.engine.drill_log import DrillLog

HAS_FIRED = "has fired"
ARM_TIMEOUT_S = 120.0
"""For arming and for disarming, which waits for a try of the command that may be under way."""
SHORTEST_RENEWAL_S = 10.0
"""A renewal has a third of the switch's time, and at least this: ssh alone takes 10 s to find that nobody answers."""


class Wanted(StrEnum):
    """What is to be true of a switch after its playbook."""

    ARMED = "armed"
    RENEWED = "renewed"
    DISARMED = "disarmed"


class Run(Protocol):
    """How a playbook is run: `Playbooks.run`."""

    def __call__(self, playbook: Path, variables: Mapping[str, object], *, timeout_s: float) -> PlayResult: ...


@dataclass(frozen=True, slots=True)
class _Said:
    """Something to tell the record: a play that ended, a sentence, or that the switch has fired."""

    entry: Entry
    result: PlayResult | None = None
    variables: Mapping[str, object] = field(default_factory=dict)
    note: str | None = None
    fired: bool = False


class _Renewal:
    """The thread that renews one switch, from its arming to the end of the fault."""

    def __init__(self, entry: Entry, every_s: float, renew: Callable[[Entry], bool]) -> None:
        self._entry, self._every_s, self._renew = entry, every_s, renew
        self._stop, self._ended = threading.Event(), threading.Event()
        threading.Thread(target=self._work, name=f"renew-{entry.fault}", daemon=True).start()

    def _work(self) -> None:
        try:
            due_s = time.monotonic() + self._every_s
            while not self._stop.wait(max(0.0, due_s - time.monotonic())):
                due_s = time.monotonic() + self._every_s
                if not self._renew(self._entry):
                    return
        finally:
            self._ended.set()

    def end(self) -> None:
        """No further renewal; waits for the one under way, so that it cannot meet the disarming."""
        self._stop.set()
        # an event and not a join: a join that a signal interrupts takes a thread that runs for one that has ended
        self._ended.wait()


class Switches:
    """The switches of one session's faults. All but the renewing is done in the thread of the drill."""

    def __init__(self, root: Path, after_s: int | None, run: Run) -> None:
        """`after_s` is what the inventory says: None arms no switch. Those that are armed are disarmed in any case."""
        self._root, self._after_s, self._run = root, after_s, run
        self._renewals: dict[str, _Renewal] = {}
        self._never_armed: set[str] = set()
        self._problems: dict[str, str] = {}
        self._said: SimpleQueue[_Said] = SimpleQueue()
        self.states: dict[str, SwitchState] = {}
        """What is known of each switch, by the id of its journal entry."""

    def playbook(self, fault: str) -> str | None:
        """The switch of a fault, relative to the root; None when none is to be armed or the fault has none."""
        path = paths.fault(fault, paths.SWITCH)
        return path if self._after_s is not None and (self._root / path).is_file() else None

    def arm(self, entry: Entry) -> str | None:
        """Arm the switch of a fault that is about to happen, and renew it from then on; why it is not armed.

        The entry is on disk already: whoever finds it disarms.
        """
        if self._after_s is None:
            return None
        if entry.switch_playbook is None:
            sentence = f"the fault {entry.fault!r} has no switch.yml: it stays when the control node is lost"
            self._said.put(_Said(entry, note=sentence))
            return None
        self.states[entry.id] = SwitchState.NOT_ARMED
        problem, result = self._play(entry, Wanted.ARMED, ARM_TIMEOUT_S)
        if result is not None and result.successful and not result.changed:
            self._never_armed.add(entry.id)
            problem = problem or f"{entry.switch_playbook} changed nothing"
        if problem is not None:
            return f"its dead man's switch could not be armed: {problem}"
        self.states[entry.id] = SwitchState.ARMED
        self._renewals[entry.id] = _Renewal(entry, self._after_s / 3, self._renew)
        return None

    def undo(self, entry: Entry, run: Callable[[], PlayResult]) -> PlayResult:
        """Run an undo, and disarm the switch when the fault is proven gone; else it is left to run out, and to try it.

        Raises what `run` raises, and StillArmedError when the switch is not disarmed.
        """
        try:
            result = run()
        finally:
            self._end_renewal(entry.id)
        if entry.switch_playbook is None or entry.id in self._never_armed or why_not_gone(result) is not None:
            return result
        problem, _ = self._play(entry, Wanted.DISARMED, ARM_TIMEOUT_S)
        if problem is not None:
            raise StillArmedError(f"its dead man's switch could not be disarmed: {problem}", result)
        if self.states.get(entry.id) != SwitchState.FIRED:
            self.states[entry.id] = SwitchState.DISARMED
        return result

    def close(self) -> None:
        """Renew nothing any more; what is still armed runs out."""
        for entry in list(self._renewals):
            self._end_renewal(entry)

    def tell(self, chronicle: DrillLog) -> None:
        """Write into the record what happened since the last time. For the thread that writes the record."""
        faults = {fault.entry: fault for fault in chronicle.record.faults}
        news = False
        while True:
            try:
                said = self._said.get_nowait()
            except Empty:
                break
            if said.entry.id not in faults:
                continue  # of a drill before this one
            news = True
            if said.result is not None:
                chronicle.play(said.result, "switch", said.variables)
            if said.note is not None:
                chronicle.note(said.note)
            if said.fired:
                sentence = (
                    f"the dead man's switch of the fault {said.entry.fault!r} fired: "
                    "the fault was undone on the target under the drill's hands"
                )
                chronicle.find(Phase.FAULT, FindingKind.FAILED, sentence)
        for entry, fault in faults.items():
            state = self.states.get(entry, fault.switch)
            news, fault.switch = news or state != fault.switch, state
        if news:
            chronicle.save()

    # ------------------------------------------------------------------ plays

    def _renew(self, entry: Entry) -> bool:
        """Renew once, in the thread of the renewing; whether to go on."""
        assert self._after_s is not None
        try:
            problem, _ = self._play(entry, Wanted.RENEWED, max(self._after_s / 3, SHORTEST_RENEWAL_S))
        except Exception as error:  # noqa: BLE001 - a thread that ended in silence would let the switch fire
            problem = f"{type(error).__name__}: {error}"
        if problem is not None and problem != self._problems.get(entry.id):
            sentence = f"the dead man's switch of the fault {entry.fault!r} was not renewed: {problem}"
            self._said.put(_Said(entry, note=sentence))
        self._problems[entry.id] = problem or ""
        return self.states[entry.id] != SwitchState.FIRED

    def _play(self, entry: Entry, wanted: Wanted, timeout_s: float) -> tuple[str | None, PlayResult | None]:
        """Run switch.yml; why it did not do what is wanted, and what ran."""
        assert entry.switch_playbook is not None
        variables = {
            **entry.variables,
            "drillbook_switch": wanted.value,
            "drillbook_switch_id": entry.id,
            # an inventory that says nothing any more still has to disarm, for which the time does not matter
            "drillbook_switch_after": self._after_s or 1,
        }
        try:
            result = self._run(self._root / entry.switch_playbook, variables, timeout_s=timeout_s)
        except DrillbookError as error:
            if wanted is Wanted.ARMED and isinstance(error, PlaybookError):
                self._never_armed.add(entry.id)  # it never became a play: nothing is armed anywhere
            return str(error), None
        self._said.put(_Said(entry, result, variables))
        if has_fired(result) and self.states.get(entry.id) != SwitchState.FIRED:
            self.states[entry.id] = SwitchState.FIRED
            self._said.put(_Said(entry, fired=True))
        return why_not(result), result

    def _end_renewal(self, entry: str) -> None:
        renewal = self._renewals.pop(entry, None)
        if renewal is not None:
            renewal.end()


def has_fired(result: PlayResult) -> bool:
    """Whether a run of switch.yml says that the switch has fired, on any host."""
    return any(HAS_FIRED in task.message for task in result.tasks)


def why_not(result: PlayResult) -> str | None:
    """Why this run of switch.yml does not show that the switch is as it was to be, on every host; None when it does."""
    unsaid = result.unsaid()
    if unsaid:
        return unsaid[0]
    if not result.successful:
        return f"{result.playbook} ended {result.status} (rc {result.rc})"
    idle = [host for host in result.hosts if host not in result.last_tasks]
    return f"{result.playbook} ran no task on {idle[0]}" if idle else None
