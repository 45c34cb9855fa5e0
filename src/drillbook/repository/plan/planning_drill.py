"""The drill that a plan hands to the steps: it writes down their calls and touches nothing.

The rule: it implements `DrillApi`, call for call; a test and mypy compare them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from drillbook.checks import Check, Reading
from drillbook.engine.keeping.decisions import wanted
from drillbook.errors import DrillbookError
from drillbook.model.json_values import json_value
from drillbook.model.objectives import DEFAULT_DEADLINE_S
from drillbook.model.phases import StepKind
from drillbook.model.times.durations import duration
from drillbook.model.times.profiles import Timings
from drillbook.repository.plan.plan import ASKED, CheckPlan, Intent
from drillbook.target.ansible.selection import Selection
from drillbook.target.inventory.inventory import Inventory


class NotYetKnown(DrillbookError):
    """Only a drill under way knows this."""


class _Later:
    """A value that exists only in a drill: whatever a step asks of it is not yet known."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, _name: str) -> NoReturn:
        raise NotYetKnown(self._what)


class PlannedLoad:
    """The work that would be submitted; only its rate is known."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def submit(self, per_second: float, fields: Mapping[str, object] | None = None, count: int | None = None) -> None:
        """Submit at another rate."""
        self.rate = per_second

    def __getattr__(self, name: str) -> NoReturn:
        raise NotYetKnown(f"drill.load.{name} of the work submitted")


@dataclass
class PlanningDrill:
    """What steps get instead of a drill. It keeps their calls in `intents`, `checks`, `readings`, `notes` and
    `messages`.

    `inventory_or_none` is None when the inventory could not be resolved. `blind` is set once a step was not executed:
    that step may have begun to submit work. `lost` is the number of acknowledged jobs that the scenario must lose.
    """

    inventory_or_none: Inventory | None = None
    rto_s: float | None = None
    blind: bool = False
    lost: int = 0
    intents: list[Intent] = field(default_factory=list)
    checks: list[CheckPlan] = field(default_factory=list)
    readings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    left_alone: bool = False
    work_wanted: bool = False
    _load: PlannedLoad | None = None

    def next_step(self) -> None:
        """Forget what the last step handed over; the load goes on."""
        self.intents, self.checks, self.readings, self.notes = [], [], [], []
        self.messages = []
        self.left_alone = self.work_wanted = False

    # ------------------------------------------------------------------ for steps, as in DrillApi

    @property
    def inventory(self) -> Inventory:
        """The resolved inventory."""
        if self.inventory_or_none is None:
            raise NotYetKnown("a value of the inventory, which cannot be resolved")
        return self.inventory_or_none

    @property
    def load(self) -> PlannedLoad:
        """The work that would be submitted by then."""
        if self._load is None and self.blind:
            raise NotYetKnown("the work that is submitted by then")
        if self._load is None:
            raise DrillbookError("no work is submitted in this drill: say 'Given jobs are submitted at N per second'")
        return self._load

    @property
    def reference(self) -> str:
        """Known only once there is a drill."""
        return "the drill's own"

    @property
    def accepted_lost(self) -> int:
        """As the tag says."""
        return self.lost

    @property
    def people(self) -> tuple[str, ...]:
        """Known when the drill runs."""
        raise NotYetKnown("who is present")

    def require(self, check: Check) -> None:
        """Would look once, before anything is broken."""
        self._looks(check, "before anything is broken")

    @property
    def timings(self) -> Timings:
        """As the inventory states them."""
        return self.inventory.timings

    def hosts(self, pattern: str) -> list[object]:
        """Only a drill looks at hosts."""
        raise NotYetKnown(f"a look at the hosts {pattern!r}")

    def fault_at_s(self) -> float:
        """Some instant: a step builds checks with it, but nobody asks them."""
        return 0.0

    def phase_opened_s(self) -> float:
        """Some instant: a step builds checks with it, but nobody asks them."""
        return 0.0

    def before(self, reading: Reading) -> float:
        """Known only once it was read."""
        self._reads(reading.source)
        raise NotYetKnown(f"{reading.subject}, as it was before the fault")

    def last_before(self, reading: Reading) -> object:
        """Known only once it was read."""
        self._reads(reading.source)
        raise NotYetKnown(f"{reading.subject}, as it was before the fault")

    def seen(self, reading: Reading, last_s: float | None = None) -> list[object]:
        """Known only once it was read."""
        self._reads(reading.source)
        raise NotYetKnown(f"{reading.subject}, as it was seen")

    def last(self, reading: Reading) -> object:
        """Known only once it was read."""
        self._reads(reading.source)
        raise NotYetKnown(f"{reading.subject}, as it was seen last")

    def note(self, text: str) -> None:
        """Would stand in the record."""
        self.notes.append(text)

    def observe(self, subject: str, value: object, unit: str = "") -> None:
        """Would stand in the record; a value of the plan is no value of the drill."""
        if not isinstance(value, _Later):
            json_value(subject, value)
        self.notes.append(f"observes {subject}{f' ({unit})' if unit else ''}")

    def secret(self, value: str, name: str = "secret") -> str:
        """There is one only in a drill."""
        return value

    def baseline_begins(self) -> None:
        """Nothing to plan."""

    def submit_work(self, per_second: float, count: int | None = None, **fields: object) -> PlannedLoad:
        """Work would be submitted at this rate."""
        self.work_wanted = True
        rate = f"at {per_second:g} per second"
        many = f"{rate} from here on" if count is None else f"{count} times {rate}, and then as before"
        self.notes.append(f"work is submitted {many}")
        self._load = PlannedLoad(per_second)
        return self._load

    def inject(self, name: str, **variables: object) -> _Later:
        """A fault would be injected."""
        self.intents.append(Intent(StepKind.FAULT, name, variables))
        return _Later(f"the result of the fault {name!r}")

    def recover(
        self,
        name: str,
        *,
        tags: str | Sequence[str] = (),
        skip_tags: str | Sequence[str] = (),
        limit: str | Sequence[str] = (),
        **variables: object,
    ) -> _Later:
        """A recovery would be run."""
        self.intents.append(Intent(StepKind.RECOVERY, name, variables, Selection.of(tags, skip_tags, limit)))
        return _Later(f"the result of the recovery {name!r}")

    def announce(self, name: str, **variables: object) -> _Later:
        """People would be told."""
        self.messages.append(name)
        return _Later(f"the result of the message {name!r}")

    def leave_alone(self) -> None:
        """Nobody would act."""
        self.left_alone = True

    def expect(self, check: Check) -> None:
        """Would look once."""
        self._looks(check, "at once")

    def bound(self, check: Check, within: float | None = None) -> None:
        """Would look once, or wait, and is no sign of the incident."""
        self._looks(check, f"{'at once' if within is None else f'within {duration(within)}'}, as a bound")

    def eventually(self, check: Check, within: float) -> None:
        """Would be waited for."""
        self._looks(check, f"within {duration(within)}")

    def arrives(self, message: str, check: Check, within: float) -> None:
        """Would wait, from the begin of the sending."""
        self._looks(check, f"within {duration(within)} of the message {message!r}")

    def throughout(self, check: Check, for_: float, within: float | None = None) -> None:
        """Would look for a window."""
        allowed = within if within is not None else (self.rto_s or DEFAULT_DEADLINE_S)
        self._looks(check, f"for {duration(for_)}, beginning within {duration(allowed)}")

    def always(self, check: Check) -> None:
        """Would look over the whole phase."""
        self._looks(check, "all the time")

    def decide(
        self,
        measure: Callable[[], Mapping[str, object]],
        decision: str,
        severity: str,
        within: float,
        rule: str | None = None,
    ) -> None:
        """Would be decided once there are metrics."""
        text = f"the decision table says {wanted(decision, severity, rule)}"
        self.checks.append(CheckPlan(f"within {duration(within)}", text, ASKED))

    def _looks(self, check: Check, how: str) -> None:
        self._reads(check.source)
        self.checks.append(CheckPlan(how, check.name, check.source if isinstance(check.source, str) else ASKED))

    def _reads(self, source: object) -> None:
        if isinstance(source, str):
            self.readings.append(source)
