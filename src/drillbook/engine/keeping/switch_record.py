"""Writes into the record of a drill what became of the dead man's switches of its faults.

The rule: only the thread that writes the record calls this. Events of other drills' faults stay out of this record.
"""

from __future__ import annotations

from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.model.phases import Phase
from drillbook.model.record import SwitchState
from drillbook.model.verdict import FindingKind
from drillbook.safety.dead_man_switch import Switches, SwitchEvent


def record_switches(switches: Switches, log: DrillLog) -> None:
    """Write what happened since the last call, and the state of each switch; save the record when there was news."""
    faults = {fault.entry: fault for fault in log.record.faults}
    events = [event for event in switches.take_events() if event.entry.id in faults]
    for event in events:
        _record(event, log)
    news = bool(events)
    for entry, fault in faults.items():
        state = switches.states.get(entry, fault.switch)
        news, fault.switch = news or state != fault.switch, state
    if news:
        log.save()


def _record(event: SwitchEvent, log: DrillLog) -> None:
    if event.play is not None:
        log.play(event.play, "switch", event.variables)
    if event.problem is not None:
        log.note(event.problem)
    if event.state is SwitchState.FIRED:
        sentence = (
            f"the dead man's switch of the fault {event.entry.fault!r} fired: "
            "the fault was undone on the target under the drill's hands"
        )
        log.find(Phase.FAULT, FindingKind.FAILED, sentence)
