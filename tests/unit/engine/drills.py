"""A drill under way without its session: a prober whose samples a test has written, a log, and no playbooks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from drillbook.engine.keeping.drill_log import DrillLog
from drillbook.engine.under_way import UnderWay
from drillbook.evidence.redaction import Redactor
from drillbook.evidence.writer import Recorder
from drillbook.model.control import Control
from drillbook.model.objectives import Objectives
from drillbook.model.phases import Phase
from drillbook.model.record import StepRecord
from drillbook.model.times.clock import Anchor
from drillbook.model.times.sample import Sample
from drillbook.model.times.timeline import Event, Moment
from drillbook.target.probing.prober import Prober
from tests.support.records import record
from tests.support.unit import endpoint, sample

AGO_S = 30.0
"""The phase was opened so long ago."""
UP, DOWN = {"status": "up"}, {"status": "down"}


class Sampled(Prober):
    """A prober that has looked at "api" once a second since the phase was opened, AGO_S ago.

    `+` answered "up", `-` "down", a blank is a second in which nobody looked.
    """

    def __init__(self, marks: str, since_s: float, **more: Any) -> None:
        values = {"samples_per_s": 1.0, "timeout_s": 0.25} | more
        super().__init__({"api": endpoint("api", "http://127.0.0.1:1", **values)})
        for second, mark in enumerate(marks):
            if mark != " ":
                self.look(UP if mark == "+" else DOWN, since_s + second)

    def look(self, value: object, at_s: float, **more: Any) -> None:
        self.of("api").append(sample(value, at=at_s, **more))

    @property
    def alive(self) -> bool:
        return True

    def written(self) -> Sequence[Sample]:
        return self.of("api").all()


def under_way(
    tmp_path: Path,
    marks: str = "",
    phase: Phase = Phase.CRITERIA,
    *,
    control: Control | None = None,
    rto_s: float | None = 60.0,
    measured: Any = None,
    **more: Any,
) -> UnderWay:
    """A drill in the one step of this phase, which was opened AGO_S ago."""
    opened_s = time.monotonic() - AGO_S
    kept = record(steps=[StepRecord(1, "Then", "it is so", 7, phase)])
    log = DrillLog(
        Anchor(opened_s),
        kept,
        Recorder(tmp_path / "run", kept, Redactor(), lambda _event: None),
        Objectives(rto_s, Event.FAULT_INJECTED, None),
        control,
    )
    log.mark(Event.FAULT_INJECTED, Moment(opened_s))
    log.step_started(1)
    log.opened_s = opened_s
    return UnderWay(
        session=cast(Any, None),
        scenario=cast(Any, SimpleNamespace(control=control)),
        objectives=Objectives(rto_s, Event.FAULT_INJECTED, None),
        run_id="",
        log=log,
        prober=Sampled(marks, opened_s, **more),
        abort=cast(Any, SimpleNamespace(fired=None)),
        settled_s=opened_s,
        measured=measured,
        incident_s=opened_s,
    )
