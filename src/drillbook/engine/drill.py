"""The drill as its steps see it: what they may know, do and look at. The fixture `drill` is one of these.

The rule: a step says what it looks at or which playbook it runs. The parts behind this class wait, measure and judge.
They know nothing about Redis, queues or HTTP: steps/ and playbooks/ do.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from drillbook.checks import Check, Reading
from drillbook.engine import incident_messages, looking
from drillbook.engine.acting import Acting, Acts, Withheld
from drillbook.engine.cleanup import plan_cleanup
from drillbook.engine.keeping.decisions import Deciding, keep
from drillbook.engine.looking import Absent, Demanding
from drillbook.engine.under_way import UnderWay
from drillbook.errors import DrillbookError
from drillbook.model.control import Way
from drillbook.model.json_values import json_value
from drillbook.model.times.profiles import Timings
from drillbook.target.ansible.result import PlayResult
from drillbook.target.ansible.selection import Selection
from drillbook.target.inventory.inventory import Inventory
from drillbook.target.probing.load import Load

if TYPE_CHECKING:
    from testinfra.host import Host

Call = TypeVar("Call", bound=Callable[..., Any])


def _told(call: Call) -> Call:
    """An error that a step's call raises becomes a finding at once, even when the step swallows it."""

    @functools.wraps(call)
    def told(drill: Drill, *args: Any, **kwargs: Any) -> Any:
        try:
            return call(drill, *args, **kwargs)
        except Exception as error:
            drill._under_way.tell(error)
            raise

    return cast(Call, told)


class Drill:
    """A drill under way: the calls of its steps."""

    def __init__(self, under_way: UnderWay) -> None:
        self._under_way = under_way
        self._acts: Acts = Acting(under_way)
        self._looks = Demanding(under_way)

    def run_steps(self, way: Way) -> None:
        """From here on steps run in this way; for the code that leads the drill."""
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
        """The work that the drill is submitting. Raises DrillbookError when it submits none."""
        if self._under_way.load is None:
            raise DrillbookError("no work is submitted in this drill: say 'Given jobs are submitted at N per second'")
        return self._under_way.load

    @property
    def accepted_lost(self) -> int:
        """The exact number of acknowledged jobs to be lost, as the tag says; 0 when the scenario accepts no loss."""
        return self._under_way.objectives.accepted_lost or 0

    @property
    def reference(self) -> str:
        """The reference in the messages of this drill: six digits."""
        return incident_messages.reference(self._under_way.run_id)

    @property
    def timings(self) -> Timings:
        """The windows in which a recovered system is watched (`drillbook_timings`); from now on the record has them."""
        timings = self._under_way.session.inventory.timings
        self._under_way.log.record.timings = timings
        return timings

    def fault_at_s(self) -> float:
        """The monotonic instant of this incident's fault. Raises DrillbookError before it."""
        if self._under_way.incident_s is None:
            raise DrillbookError("nothing is broken yet: this step belongs after a fault")
        return self._under_way.incident_s

    def phase_opened_s(self) -> float:
        """The monotonic instant of the event that opened the phase: the fault, or the recovery's start."""
        return self._under_way.opened_s

    def before(self, reading: Reading) -> float:
        """The median of a sampled number before the first fault. "Back to baseline" is compared with it.

        Raises CouldNotLookError when it was never read.
        """
        return looking.median_before(self._under_way, reading)

    def last_before(self, reading: Reading) -> object:
        """The last value of a sampled reading before the first fault. Raises CouldNotLookError when there is none."""
        return looking.last_before(self._under_way, reading)

    def seen(self, reading: Reading, last_s: float | None = None) -> list[object]:
        """The sampled values of a reading since the event that opened the phase, in their order; [] when there is none.

        With `last_s`, only those of the last seconds of that span. They include failed samples, if `reading` can read a
        value from these (how long they took). Raises CouldNotLookError when there is a gap in these looks, or when a
        value is no longer kept.
        """
        return looking.seen_since(self._under_way, reading, last_s)

    def last(self, reading: Reading) -> object:
        """The last sampled value of a reading since the event that opened the phase; None when there is none.

        Raises CouldNotLookError when the last look is longer ago than two looks may be apart.
        """
        return looking.last_since(self._under_way, reading)

    # ------------------------------------------------------------------ what they may do

    def note(self, text: str) -> None:
        """Keep a remark in the record."""
        self._under_way.log.note(text)

    @_told
    def observe(self, subject: str, value: object, unit: str = "") -> None:
        """Keep what a diagnosis saw: a JSON value (text, number, true, false, none, lists and mappings of these).

        It is not a check, and no verdict depends on it. Raises DrillbookError for another value, and outside of a step.
        """
        if not subject.strip():
            raise DrillbookError("an observation needs a subject: say in words what was seen")
        self._under_way.log.observe(subject, json_value(subject, value), unit)

    @_told
    def secret(self, value: str, name: str = "secret") -> str:
        """Keep a value out of all evidence from now on, as [REDACTED:name]: a token that a step got or made.

        Returns the value. Call it before you use the value: evidence from before the call is not redacted. Raises
        DrillbookError for a value that is too short to be redacted.
        """
        self._under_way.session.redactor.add(name, value)
        return value

    def baseline_begins(self) -> None:
        """From here on the system counts as settled: `before` reads from now to the fault."""
        self._under_way.settled_s = time.monotonic()

    @_told
    def submit_work(self, per_second: float, count: int | None = None, **fields: object) -> Load:
        """Submit work at this rate from now on, through the front door that `drillbook_work` names.

        With a `count` it submits exactly that many. `fields` replace those of the inventory in the submitted body.
        """
        drill = self._under_way
        inventory = drill.session.inventory
        if inventory.work is None:
            raise DrillbookError(
                f"{drill.session.inventory_name}: no drillbook_work in the inventory; it says how work is submitted "
                "and how finished work is counted"
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

        Returns None in a control that withholds the fault. Raises DrillFailure when nothing shows that the fault
        happened: the drill is then INVALID.
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

        `tags`, `skip_tags` and `limit` are those of ansible-playbook. The variables override all others, and answer a
        `vars_prompt` of their name.
        Returns None in a control that withholds the recovery. Raises DrillFailure (NOT_RECOVERED) when the playbook
        failed, hid a failure (ignored, rescued, unreachable), matched no host or changed nothing.
        """
        return self._acts.recover(name, variables, Selection.of(tags, skip_tags, limit))

    @_told
    def announce(self, name: str, **variables: object) -> PlayResult | None:
        """Tell people: run playbooks/communication/NAME.yml, with what was measured as `drillbook_incident`.

        It recovers nothing, and no clock counts from it. Returns None in a control that withholds the recovery. Raises
        DrillFailure (NOT_RECOVERED) when the message was not sent cleanly.
        """
        return self._acts.announce(name, variables)

    @_told
    def leave_alone(self) -> None:
        """The recovery of a system that should heal by itself: it runs no playbook."""
        self._acts.leave_alone()

    # ------------------------------------------------------------------ what they look at

    @_told
    def bound(self, check: Check, within: float | None = None) -> None:
        """As `expect`, for a check that must hold with and without the incident ("the API stays alive").

        With `within`, some look in the next `within` seconds must meet it. Use this when an incident may disturb it for
        a moment. A bound is never evidence of an incident. Raises DrillFailure.
        """
        self._looks.bound(check, within)

    @_told
    def require(self, check: Check) -> None:
        """One look finds the prerequisite (`drillbook.clients` has the checks). It is no part of the baseline.

        Raises DrillFailure (ABORTED) when the look does not find it. Nothing was broken by then.
        """
        self._looks.require(check)

    @_told
    def expect(self, check: Check) -> None:
        """The check is met by the first look that begins now. Raises DrillFailure."""
        self._looks.expect(check)

    @_told
    def eventually(self, check: Check, within: float) -> None:
        """The check is met within so many seconds of the event that opened the phase.

        That event is the step's begin (baseline), the fault (symptoms) or the recovery's start (criteria).
        Raises DrillFailure.
        """
        self._looks.eventually(check, within)

    @_told
    def arrives(self, message: str, check: Check, within: float) -> None:
        """The check is met within so many seconds after `announce` began to send this message.

        The drill requires it, but it is not a criterion: a message to people says nothing of the system. A control does
        not look for the message, because it does not do all that the message tells. Raises DrillFailure.
        """
        self._looks.arrives(message, check, within)

    @_told
    def throughout(self, check: Check, for_: float, within: float | None = None) -> None:
        """Every look for `for_` seconds without a break meets the check; these begin within `within` seconds.

        Default for `within`: the RTO, or 10 minutes. The first unbroken window counts. Raises DrillFailure.
        """
        self._looks.throughout(check, for_, within)

    @_told
    def always(self, check: Check) -> None:
        """Every sample since the event that opened the phase met the check, and one more from now does: a bound.

        A sample without an answer does not meet it. Raises DrillFailure with the first sample that did not.
        """
        self._looks.always(check)

    @_told
    def decide(
        self,
        measure: Callable[[], Mapping[str, object]],
        decision: str,
        severity: str,
        within: float,
        rule: str | None = None,
    ) -> None:
        """The decision table gives this decision within so many seconds of the event that opened the phase; by `rule`,
        if named.

        `measure` returns the metrics by their names in the table: numbers, and true or false for `yes/no`. The record
        keeps the metrics, the rule that fired, and its decision. Raises DrillFailure.
        """
        deciding = Deciding(self._under_way.session.decisions(), measure)
        try:
            self._looks.eventually(deciding.check(decision, severity, rule), within)
        finally:
            if deciding.last is not None:
                keep(self._under_way.log, self._under_way.session.artefacts, deciding.last)
