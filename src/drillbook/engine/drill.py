"""The drill as its steps see it: what they may know, do and look at. The fixture `drill` is one of these.

The rule: a step says what it looks at or which playbook it runs; what stands behind this face waits, measures and
judges. It holds no knowledge of Redis, queues or HTTP: that stands in steps/ and playbooks/.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from drillbook.checks import Check, Reading
from drillbook.engine import incident_messages, looking
from drillbook.engine.acting import Acting, Acts, Withheld
from drillbook.engine.cleanup import plan_cleanup
from drillbook.engine.looking import Absent, Demanding
from drillbook.engine.under_way import UnderWay
from drillbook.errors import DrillbookError
from drillbook.model.control import Way
from drillbook.model.json_values import json_value
from drillbook.target.ansible.result import PlayResult
from drillbook.target.ansible.selection import Selection
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.probing.load import Load

if TYPE_CHECKING:
    from testinfra.host import Host

Call = TypeVar("Call", bound=Callable[..., Any])


def _told(call: Call) -> Call:
    """What a call of a step raises is a finding at once: a step that swallows it does not make it unsaid."""

    @functools.wraps(call)
    def told(drill: Drill, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(drill, *args, **kwargs)
        except Exception as error:
            drill._under_way.tell(error)
            raise

    return cast(Call, told)


class Drill:
    """A drill under way: what steps call."""

    def __init__(self, under_way: UnderWay) -> None:
        self._under_way = under_way
        self._acts: Acts = Acting(under_way)
        self._looks = Demanding(under_way)

    def run_steps(self, way: Way) -> None:
        """From here on steps are run in this way; for who leads the drill."""
        drill = self._under_way
        self._acts = Withheld(drill) if way is Way.WITHHELD else Acting(drill)
        self._looks = Absent(drill) if way is Way.ABSENT else Demanding(drill)

    # ------------------------------------------------------------------ what steps may know

    @property
    def inventory(self) -> Inventory:
        """The resolved inventory (`variable(host, name)`, `names(pattern)`, `endpoints`)."""
        return self._under_way.session.inventory

    def hosts(self, pattern: str) -> list[Host]:
        """testinfra hosts of a host or group name; never empty. Raises InventoryError."""
        return self.inventory.hosts(pattern)

    @property
    def people(self) -> tuple[str, ...]:
        """Who is present, as named with --present."""
        return self._under_way.session.people

    @property
    def load(self) -> Load:
        """The work that is being submitted. Raises DrillbookError when none is."""
        if self._under_way.load is None:
            raise DrillbookError("no work is submitted in this drill: say 'Given jobs are submitted at N per second'")
        return self._under_way.load

    @property
    def accepted_lost(self) -> int:
        """How many acknowledged jobs are to be lost, as the tag says; 0 in a scenario that accepts no loss."""
        return self._under_way.objectives.accepted_lost or 0

    @property
    def reference(self) -> str:
        """What the drill's messages are known by: six digits."""
        return incident_messages.reference(self._under_way.run_id)

    def fault_at_s(self) -> float:
        """The monotonic instant of this incident's fault. Raises DrillbookError before it."""
        if self._under_way.incident_s is None:
            raise DrillbookError("nothing is broken yet: this step belongs after a fault")
        return self._under_way.incident_s

    def phase_opened_s(self) -> float:
        """The monotonic instant of the event that opened the phase: the fault, or the recovery's start."""
        return self._under_way.opened_s

    def before(self, reading: Reading) -> float:
        """The median of a sampled number before the first fault: what "back to baseline" is compared with.

        Raises CouldNotLookError when it was never read.
        """
        return looking.median_before(self._under_way, reading)

    def last_before(self, reading: Reading) -> object:
        """The last value of a sampled reading before the first fault. Raises CouldNotLookError when there is none."""
        return looking.last_before(self._under_way, reading)

    def seen(self, reading: Reading) -> list[object]:
        """The sampled values of a reading since the event that opened the phase, in their order; [] when there is none.

        Of samples that failed too, if `reading` reads something off them (how long they took).
        """
        return looking.seen_since(self._under_way, reading)

    # ------------------------------------------------------------------ what they may do

    def note(self, text: str) -> None:
        """Keep a remark in the record."""
        self._under_way.log.note(text)

    @_told
    def observe(self, subject: str, value: object, unit: str = "") -> None:
        """Keep what a diagnosis saw: a JSON value (text, number, true, false, none, lists and mappings of these).

        It is no check, and nothing is judged by it. Raises DrillbookError for another value, and outside of a step.
        """
        if not subject.strip():
            raise DrillbookError("an observation needs a subject: say in words what was seen")
        self._under_way.log.observe(subject, json_value(subject, value), unit)

    @_told
    def secret(self, value: str, name: str = "secret") -> str:
        """Keep a value out of all evidence from now on, as [REDACTED:name]: a token that a step was given, or made.

        Gives the value. Call it before the value is used: what was written before stays. Raises DrillbookError for a
        value that is too short to be redacted.
        """
        self._under_way.session.redactor.add(name, value)
        return value

    def baseline_begins(self) -> None:
        """From here on the system counts as settled: `before` reads from now to the fault."""
        self._under_way.settled_s = time.monotonic()

    @_told
    def submit_work(self, per_second: float, count: int | None = None, **fields: object) -> Load:
        """Submit work at this rate from now on, through the front door that `drillbook_work` names.

        With a `count` exactly so many. `fields` stand in the submitted body instead of the inventory's.
        """
        drill = self._under_way
        inventory = drill.session.inventory
        if inventory.work is None:
            raise DrillbookError(
                f"{drill.session.inventory_name}: no drillbook_work in the inventory; it says how work is submitted "
                "and how what was done is counted"
            )
        if drill.load is None:
            database = inventory.endpoints[inventory.work.completed_endpoint]
            prefix = f"drill-{drill.run_id[:8]}-"
            plan_cleanup(drill, prefix)
            drill.load = Load(drill.prober, inventory.work, database, prefix)
        drill.load.submit(per_second, fields, count)
        return drill.load

    @_told
    def inject(self, name: str, **variables: object) -> PlayResult | None:
        """Break something: playbooks/faults/NAME/inject.yml, with its undo on disk first.

        None in a control that withholds the fault. Raises DrillFailure when the fault did not demonstrably happen: the
        drill is then INVALID.
        """
        return self._acts.inject(name, variables)

    @_told
    def recover(
        self,
        name: str,
        *,
        tags: str | Sequence[str] = (),
        skip_tags: str | Sequence[str] = (),
        limit: str | Sequence[str] = (),
        **variables: object,
    ) -> PlayResult | None:
        """Run the team's procedure playbooks/recovery/NAME.yml and measure it.

        `tags`, `skip_tags` and `limit` are those of ansible-playbook; the variables win over all others, and answer a
        `vars_prompt` of their name.
        None in a control that withholds it. Raises DrillFailure (NOT_RECOVERED) when it failed, left something unsaid
        (ignored, rescued, unreachable), matched no host or changed nothing.
        """
        return self._acts.recover(name, variables, Selection.of(tags, skip_tags, limit))

    @_told
    def announce(self, name: str, **variables: object) -> PlayResult | None:
        """Tell people: run playbooks/communication/NAME.yml, with what was measured as `drillbook_incident`.

        It recovers nothing, and no clock counts from it; None in a control that withholds the recovery. Raises
        DrillFailure (NOT_RECOVERED) when the message was not sent cleanly.
        """
        return self._acts.announce(name, variables)

    @_told
    def leave_alone(self) -> None:
        """The recovery of a system that is expected to heal by itself: nobody does anything."""
        self._acts.leave_alone()

    # ------------------------------------------------------------------ what they look at

    @_told
    def bound(self, check: Check, within: float | None = None) -> None:
        """As `expect`, for what has to hold in the incident and without it ("the API stays alive").

        `within`: by some look of so many seconds from now on, for what an incident may disturb for a moment. Never
        evidence that an incident is there. Raises DrillFailure.
        """
        self._looks.bound(check, within)

    @_told
    def require(self, check: Check) -> None:
        """A prerequisite is there, by one look (the prerequisites module has the checks); no part of the baseline.

        Raises DrillFailure (ABORTED) when it is not: nothing is broken then.
        """
        self._looks.require(check)

    @_told
    def expect(self, check: Check) -> None:
        """The check is met by the first look that begins now. Raises DrillFailure."""
        self._looks.expect(check)

    @_told
    def eventually(self, check: Check, within: float) -> None:
        """The check is met within so many seconds of the event that opened the phase.

        Baseline: of the step's begin; symptoms: of the fault; criteria: of the recovery's start. Raises DrillFailure.
        """
        self._looks.eventually(check, within)

    @_told
    def arrives(self, message: str, check: Check, within: float) -> None:
        """The check is met within so many seconds after `announce` began to send this message.

        Demanded, and no criterion: that people were told says nothing of the system. In a control nobody looks, since
        nothing or not all was done that they are told of. Raises DrillFailure.
        """
        self._looks.arrives(message, check, within)

    @_told
    def throughout(self, check: Check, for_: float, within: float | None = None) -> None:
        """The check is met by every look for `for_` seconds on end; the window begins within `within` seconds.

        Default for `within`: the RTO, or 10 minutes. The first unbroken window counts. Raises DrillFailure.
        """
        self._looks.throughout(check, for_, within)

    @_told
    def always(self, check: Check) -> None:
        """The check was met by every sample since the event that opened the phase, and by one more from now: a bound.

        A sample without an answer does not meet it. Raises DrillFailure with the first sample that did not.
        """
        self._looks.always(check)
