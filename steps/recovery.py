"""What somebody does about the fault: runs the team's playbooks, or nothing."""

from __future__ import annotations

from drillbook import Drill, parse, recovery


@recovery(parse('the recovery playbook "{name}" is run'))
def recovery_is_run(drill: Drill, name: str) -> None:
    drill.recover(name)


@recovery("the system is left to itself")
def system_is_left_alone(drill: Drill) -> None:
    drill.leave_alone()
