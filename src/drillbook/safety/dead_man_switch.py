"""Dead man's switches: timers on the target that undo a fault when nobody renews them any more.

The rule: a fault whose switch cannot be armed does not happen. While the fault is open, the drill renews its switch.
The undo of the fault disarms it. A switch that fired earlier has undone the fault behind the drill's back, and the
drill proves nothing.

The fault's playbook switch.yml says what the timer is and does. It runs with the fault's variables and
`drillbook_switch` (armed, renewed, disarmed), `drillbook_switch_id` and `drillbook_switch_after`. It reports a fired
switch by the words HAS_FIRED in the message of a task.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from drillbook.errors import DrillbookError, PlaybookError
from drillbook.model import paths
from drillbook.model.record import SwitchState
from drillbook.safety.journal import Entry
from drillbook.safety.undo import StillArmedError, why_not_gone
from drillbook.target.ansible.result import PlayResult

HAS_FIRED = "has fired"
ARM_TIMEOUT_S = 120.0
"""For arming and for disarming. Disarming waits for a running try of the command."""
SHORTEST_RENEWAL_S = 10.0
"""A renewal has a third of the switch's time, and at least this: ssh alone takes 10 s to find that nobody answers."""


class SwitchDemand(StrEnum):
    """The state that a switch must have after its playbook."""

    ARMED = "armed"
    RENEWED = "renewed"
    DISARMED = "disarmed"


class RunPlaybook(Protocol):
    """The signature of `Playbooks.run`."""

    def __call__(self, playbook: Path, variables: Mapping[str, object], *, timeout_s: float) -> PlayResult: ...


@dataclass(frozen=True, slots=True)
class SwitchEvent:
    """Something that happened to the switch of one fault, for the record of the drill."""

    entry: Entry
    play: PlayResult | None = None
    """A finished run of its playbook."""
    variables: Mapping[str, object] = field(default_factory=dict)
    """The variables of that run."""
    problem: str | None = None
    """Why the fault is less safe than with a switch, as a sentence."""
    state: SwitchState | None = None
    """FIRED in the one event that reports it."""


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
        """Stop renewing; waits for the renewal under way, so that it cannot meet the disarming."""
        self._stop.set()
        # an event, not a join: an interrupted join takes a running thread for an ended one
        self._ended.wait()


class Switches:
    """The switches of one session's faults. Only the renewing happens outside the drill's thread."""

    def __init__(self, root: Path, after_s: int | None, run: RunPlaybook) -> None:
        """`after_s` is the inventory's setting: None arms no switch. Armed switches are disarmed in any case."""
        self._root, self._after_s, self._run = root, after_s, run
        self._renewals: dict[str, _Renewal] = {}
        self._never_armed: set[str] = set()
        self._problems: dict[str, str] = {}
        self._events: SimpleQueue[SwitchEvent] = SimpleQueue()
        self.states: dict[str, SwitchState] = {}
        """The known state of each switch, by the id of its journal entry."""

    def playbook(self, fault: str) -> str | None:
        """The switch of a fault, relative to the root; None when none is to be armed or the fault has none."""
        path = paths.fault(fault, paths.SWITCH)
        return path if self._after_s is not None and (self._root / path).is_file() else None

    def arm(self, entry: Entry) -> str | None:
        """Arm the switch of a fault that is about to happen, and renew it from then on; returns why it is not armed.

        The entry is already on disk: whoever finds it disarms the switch.
        """
        if self._after_s is None:
            return None
        if entry.switch_playbook is None:
            sentence = f"the fault {entry.fault!r} has no switch.yml: it stays when the control node is lost"
            self._events.put(SwitchEvent(entry, problem=sentence))
            return None
        self.states[entry.id] = SwitchState.NOT_ARMED
        problem, result = self._play(entry, SwitchDemand.ARMED, ARM_TIMEOUT_S)
        if result is not None and result.successful and not result.changed:
            self._never_armed.add(entry.id)
            problem = problem or f"{entry.switch_playbook} changed nothing"
        if problem is not None:
            return f"its dead man's switch could not be armed: {problem}"
        self.states[entry.id] = SwitchState.ARMED
        self._renewals[entry.id] = _Renewal(entry, self._after_s / 3, self._renew)
        return None

    def undo(self, entry: Entry, run: Callable[[], PlayResult]) -> PlayResult:
        """Run an undo, and disarm the switch when the fault is proven gone. Otherwise let the switch run out and try
        the undo.

        Raises what `run` raises, and StillArmedError when the switch is not disarmed.
        """
        try:
            result = run()
        finally:
            self._end_renewal(entry.id)
        if (
            entry.switch_playbook is None
            or entry.id in self._never_armed
            or why_not_gone(result, entry.hosts) is not None
        ):
            return result
        problem, _ = self._play(entry, SwitchDemand.DISARMED, ARM_TIMEOUT_S)
        if problem is not None:
            raise StillArmedError(f"its dead man's switch could not be disarmed: {problem}", result)
        if self.states.get(entry.id) is not SwitchState.FIRED:
            self.states[entry.id] = SwitchState.DISARMED
        return result

    def close(self) -> None:
        """Stop renewing; armed switches run out."""
        for entry in list(self._renewals):
            self._end_renewal(entry)

    def take_events(self) -> list[SwitchEvent]:
        """Events since the last call, oldest first, each once, including those of the renewals."""
        events = []
        with suppress(Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    # ------------------------------------------------------------------ plays

    def _renew(self, entry: Entry) -> bool:
        """Renew once, in the renewing thread; returns whether to go on."""
        assert self._after_s is not None
        try:
            problem, _ = self._play(entry, SwitchDemand.RENEWED, max(self._after_s / 3, SHORTEST_RENEWAL_S))
        except Exception as error:  # noqa: BLE001 - a thread that ended in silence would let the switch fire
            problem = f"{type(error).__name__}: {error}"
        if problem is not None and problem != self._problems.get(entry.id):
            sentence = f"the dead man's switch of the fault {entry.fault!r} was not renewed: {problem}"
            self._events.put(SwitchEvent(entry, problem=sentence))
        self._problems[entry.id] = problem or ""
        return self.states[entry.id] is not SwitchState.FIRED

    def _play(self, entry: Entry, wanted: SwitchDemand, timeout_s: float) -> tuple[str | None, PlayResult | None]:
        """Run switch.yml; returns why it did not do its work, and what ran."""
        assert entry.switch_playbook is not None
        variables = {
            **entry.variables,
            "drillbook_switch": wanted.value,
            "drillbook_switch_id": entry.id,
            # without a setting in the inventory it must still disarm, and the time does not matter for that
            "drillbook_switch_after": self._after_s or 1,
        }
        try:
            result = self._run(self._root / entry.switch_playbook, variables, timeout_s=timeout_s)
        except DrillbookError as error:
            if wanted is SwitchDemand.ARMED and isinstance(error, PlaybookError):
                self._never_armed.add(entry.id)  # it never became a play, so nothing is armed anywhere
            return str(error), None
        self._events.put(SwitchEvent(entry, result, variables))
        if has_fired(result) and self.states.get(entry.id) is not SwitchState.FIRED:
            self.states[entry.id] = SwitchState.FIRED
            self._events.put(SwitchEvent(entry, state=SwitchState.FIRED))
        return result.why_not_clean(on_every_host=True), result

    def _end_renewal(self, entry: str) -> None:
        renewal = self._renewals.pop(entry, None)
        if renewal is not None:
            renewal.end()


def has_fired(result: PlayResult) -> bool:
    """Whether a run of switch.yml says, on any host, that the switch has fired."""
    return any(HAS_FIRED in task.message for task in result.tasks)
